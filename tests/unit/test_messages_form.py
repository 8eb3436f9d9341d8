"""A stream of Anthropic's messages, looked at as it goes by."""

import json
import random
from typing import Any

import pytest

from turnout.cost import Usage
from turnout.upstream.form import NotAChunk, NotAReply
from turnout.upstream.messages_form import MessagesStream, MessagesStreamWatch, whole_message
from turnout.upstream.sse import EventSplitter


def event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


COUNTS = {"input_tokens": 9, "cache_read_input_tokens": 4, "output_tokens": 1}
START = event("message_start", message={"type": "message", "content": [], "usage": COUNTS})
PING = event("ping")
BLOCK = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
TEXT = event(
    "content_block_delta", index=0, delta={"type": "text_delta", "text": "中 event: error"}
)
END = event("content_block_stop", index=0)
DELTA = event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 7})
STOP = event("message_stop")
STREAM = START + PING + BLOCK + TEXT + TEXT + END + DELTA + STOP


def test_a_finished_stream_passes_whole_and_tells_its_usage() -> None:
    watch = MessagesStreamWatch()
    assert watch.see(STREAM) == STREAM
    assert (watch.finished, watch.done, watch.error) == (True, True, None)
    assert watch.usage == Usage(13, 7, 4)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_however_it_is_cut_on_the_way_it_is_the_same(end: bytes) -> None:
    draw, whole = random.Random(1), STREAM.replace(b"\n", end)
    for _ in range(300):
        splitter, watch, passed, position = EventSplitter(), MessagesStreamWatch(), b"", 0
        while position < len(whole):
            size = draw.randint(1, draw.choice([1, 7, 200]))
            passed += watch.see(splitter.feed(whole[position : position + size]))
            position += size
        passed += watch.see(splitter.flush())
        assert passed == whole
        assert (watch.done, watch.usage) == (True, Usage(13, 7, 4))


def test_until_it_is_finished_its_output_is_an_estimate() -> None:
    watch = MessagesStreamWatch()
    watch.see(START)
    assert watch.usage == Usage(13, 1, 4, estimated=True)


ERROR = event("error", error={"type": "overloaded_error", "message": "overloaded"})


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (ERROR, "overloaded"),
        (event("error"), "an error without a message"),
        (b'event: content_block_delta\ndata: {"type": "content_bl\n\n', "no JSON object"),
        (b"data: [1]\n\n", "no JSON object"),
        (STOP, "without a finish reason"),
    ],
)
def test_what_breaks_it_ends_what_is_passed_on(bad: bytes, said: str) -> None:
    watch = MessagesStreamWatch()
    before = START + BLOCK + TEXT
    assert watch.see(before + bad + TEXT) == before
    assert not watch.done
    assert said in (watch.error or "")


def test_a_beginning_is_no_content() -> None:
    assert not MessagesStream().has_content(b": hello\n\n" + START + PING + BLOCK)


@pytest.mark.parametrize(
    "content",
    [
        TEXT,
        DELTA,
        event("content_block_start", content_block={"type": "tool_use", "id": "t", "input": {}}),
        event("content_block_start", content_block={"type": "text", "text": "x"}),
        event("content_block_delta", delta={"type": "thinking_delta", "thinking": "hm"}),
        event("content_block_delta", delta={"type": "input_json_delta", "partial_json": "{"}),
    ],
)
def test_text_thinking_tools_and_an_end_are_content(content: bytes) -> None:
    assert MessagesStream().has_content(START + content)


@pytest.mark.parametrize(
    "bad", [ERROR, STOP, b"data: oops\n\n", b'data: {"choices": []}\n\n', b"data: [DONE]\n\n"]
)
def test_what_begins_with_anything_else_is_no_stream_of_messages(bad: bytes) -> None:
    with pytest.raises(NotAChunk):
        MessagesStream().has_content(START + bad)


def test_a_whole_message_tells_its_usage() -> None:
    body = json.dumps({"type": "message", "content": [], "usage": COUNTS}).encode()
    whole = whole_message(body, {})
    assert (whole.body, whole.usage) == (body, Usage(13, 1, 4))


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"type": "error", "error": {"message": "no"}}'])
def test_a_body_that_is_no_message_is_told(body: bytes) -> None:
    with pytest.raises(NotAReply):
        whole_message(body, {})
