"""Server-sent events: cut at boundaries, whatever the chunks, and looked at without being changed."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.mock_upstream import USAGE, event
from turnout.cost import Usage
from turnout.upstream.chat_form import ChatStream, ChatStreamWatch
from turnout.upstream.form import NotAChunk
from turnout.upstream.sse import (
    MOST_EVENT_BYTES,
    EventSplitter,
    EventTooLarge,
    data_lines,
    named_events,
)

CONTENT = event({"content": 'He said "finish_reason": "stop" — 中'})
FINISH = event({}, finish="stop")
DONE = b"data: [DONE]\n\n"

lines = st.sampled_from(["data: {}", ": comment", "event: x", "data: 中文", "data:", "id: 7"])
events = st.lists(lines, min_size=1, max_size=3)
newline = st.sampled_from(["\n", "\r\n"])


@given(
    st.lists(st.tuples(events, newline), min_size=1, max_size=5),
    st.lists(st.integers(1, 7), min_size=1, max_size=20),
)
def test_any_chunking_gives_the_same_bytes_cut_at_event_boundaries(
    stream: list[tuple[list[str], str]], sizes: list[int]
) -> None:
    whole = b"".join((end.join(event) + end + end).encode() for event, end in stream)
    splitter, passed, position, step = EventSplitter(), [], 0, 0
    while position < len(whole):
        size = sizes[step % len(sizes)]
        passed.append(splitter.feed(whole[position : position + size]))
        position, step = position + size, step + 1
    for piece in passed:
        assert not piece or piece.endswith((b"\n\n", b"\n\r\n", b"\n\r"))
    assert b"".join(passed) + splitter.flush() == whole
    # Nothing whole is held back: at most the last LF of a CRLF may be left.
    assert len(b"".join(passed)) >= len(whole) - 1


def test_a_whole_event_is_given_back_at_once_and_a_part_is_kept() -> None:
    splitter = EventSplitter()
    assert splitter.feed(b"data: 1\n\ndata: ") == b"data: 1\n\n"
    assert splitter.feed(b"2\n") == b""
    assert splitter.feed(b"\n") == b"data: 2\n\n"
    assert splitter.feed(b"data: 3") == b""
    assert splitter.flush() == b"data: 3"


def test_an_event_over_the_bound_is_refused() -> None:
    splitter = EventSplitter()
    splitter.feed(b"x" * MOST_EVENT_BYTES)
    with pytest.raises(EventTooLarge, match="over 1 MiB"):
        splitter.feed(b"x")


def test_so_is_one_whose_end_comes_with_what_is_too_much() -> None:
    splitter = EventSplitter()
    splitter.feed(b"x" * MOST_EVENT_BYTES)
    with pytest.raises(EventTooLarge, match="over 1 MiB"):
        splitter.feed(b"x\n\ndata: 1\n\n")


def test_data_lines_are_read_with_any_newline_with_or_without_a_space_and_after_a_bom() -> None:
    assert list(data_lines(b"\xef\xbb\xbfdata: 1\r\n\r\ndata:2\n\ndata: 3\r\r: no\n\n")) == [
        b"1",
        b"2",
        b"3",
    ]


def test_a_watch_tells_a_finished_stream_and_its_usage() -> None:
    watch = ChatStreamWatch()
    usage = b"data: " + json.dumps({"choices": [], "usage": USAGE}).encode() + b"\n\n"
    for events_ in (CONTENT, FINISH, usage):
        assert watch.see(events_) == events_
        assert not watch.done
    assert watch.see(DONE) == DONE
    assert watch.done
    assert watch.error is None
    assert watch.usage == Usage(11, 6, 3)


def test_content_that_quotes_a_finish_reason_is_no_finish() -> None:
    watch = ChatStreamWatch()
    watch.see(CONTENT)
    assert not watch.finished


def test_content_that_quotes_done_is_no_end() -> None:
    watch = ChatStreamWatch()
    assert watch.see(event({"content": "data: [DONE]"}))
    assert (watch.done, watch.error) == (False, None)


def test_done_without_a_finish_reason_is_held_back_as_an_error() -> None:
    watch = ChatStreamWatch()
    assert watch.see(CONTENT + DONE) == CONTENT
    assert not watch.done
    assert watch.error == "the stream ended without a finish reason"


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ('{"error": {"message": "overloaded"}}', "overloaded"),
        ('{"error":"overloaded"}', "overloaded"),
        ('{"error": {"code": 1}}', "an error without a message"),
    ],
)
def test_an_error_event_ends_what_is_passed_on(payload: str, message: str) -> None:
    watch = ChatStreamWatch()
    assert watch.see(CONTENT + f"data: {payload}\n\n".encode() + DONE) == CONTENT
    assert watch.error == message


@pytest.mark.parametrize("payload", ['{"choices": [', "oops", "[1]", "null", '"text"', "{}{}"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_chunk_that_is_no_json_object_ends_what_is_passed_on(payload: str, end: str) -> None:
    watch = ChatStreamWatch()
    before = f": hello{end}{end}".encode() + CONTENT.replace(b"\n", end.encode())
    scrap = f"event: x{end}data: {payload}{end}{end}".encode()
    assert watch.see(before + scrap + DONE) == before
    assert watch.error == "it sent a chunk that is no JSON object"


def test_an_event_of_several_data_lines_is_one_chunk() -> None:
    watch = ChatStreamWatch()
    finish = b'data: {"choices":\ndata: [{"delta": {},\ndata: "finish_reason": "stop"}]}\n\n'
    assert watch.see(CONTENT + finish + DONE) == CONTENT + finish + DONE
    assert (watch.done, watch.deltas) == (True, 2)


@pytest.mark.parametrize(
    "usage",
    [None, 5, {}, {"prompt_tokens": -1, "completion_tokens": 1}, {"prompt_tokens": "1"}],
)
def test_usage_that_makes_no_sense_is_not_believed(usage: object) -> None:
    watch = ChatStreamWatch()
    watch.see(b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n")
    assert watch.usage is None


def test_a_role_or_an_empty_chunk_is_no_content() -> None:
    assert not ChatStream().has_content(b": hello\n\n")
    assert not ChatStream().has_content(event({"role": "assistant", "content": ""}))
    assert not ChatStream().has_content(b'data: {"choices": []}\n\n')


@pytest.mark.parametrize(
    "delta",
    [
        {"content": "x"},
        {"tool_calls": [{"index": 0}]},
        {"reasoning_content": "hm"},
        {"refusal": "no"},
    ],
)
def test_text_tools_and_reasoning_are_content(delta: dict[str, object]) -> None:
    assert ChatStream().has_content(event({"role": "assistant"}) + event(delta))


def test_a_finish_without_any_text_is_content_too() -> None:
    assert ChatStream().has_content(FINISH)


@pytest.mark.parametrize(
    "payload", ["[1]", "null", "oops", '{"error": {"message": "no"}}', "[DONE]"]
)
def test_a_payload_that_is_no_chunk_is_told(payload: str) -> None:
    with pytest.raises(NotAChunk):
        ChatStream().has_content(f"data: {payload}\n\n".encode())


@given(st.integers(1, 40), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_named_events_are_read_whatever_the_line_ends_and_cuts(size: int, end: bytes) -> None:
    lines = [
        b"event: a",
        b'data: {"x": 1}',
        b"",
        b": a comment",
        b"data: one",
        b"data:two",
        b"",
        b"",
    ]
    stream = end.join(lines) + end
    splitter = EventSplitter()
    whole = b"".join(splitter.feed(stream[i : i + size]) for i in range(0, len(stream), size))
    whole += splitter.flush()
    assert list(named_events(whole)) == [("a", b'{"x": 1}'), ("message", b"one\ntwo")]


def rechunked(draw: random.Random, stream: bytes) -> list[bytes]:
    """Return the stream in pieces of any size, often of one byte, so that characters are split too."""
    pieces, position, longest = [], 0, draw.choice([1, 2, 7, 200])
    while position < len(stream):
        size = draw.randint(1, longest)
        pieces.append(stream[position : position + size])
        position += size
    return pieces


def any_stream(draw: random.Random) -> bytes:
    """Return a chat completion stream with what servers put around their events."""
    chunks = [
        event({"content": draw.choice(["中文 🚉", 'say "done"', "data: x", ""])}) for _ in range(3)
    ]
    usage = b"data: " + json.dumps({"choices": [], "usage": USAGE}).encode() + b"\n\n"
    around = [b": a comment\n\n", b"event: ping\ndata: {}\n\n", b"id: 1\nretry: 5\ndata: {}\n\n"]
    body = b"".join(draw.choice([chunk, draw.choice(around) + chunk]) for chunk in chunks)
    newline = draw.choice([b"\n", b"\r\n", b"\r"])
    start = draw.choice([b"", b"\xef\xbb\xbf"])
    return start + (body + FINISH + usage + DONE).replace(b"\n", newline)


@pytest.mark.parametrize(
    "count", [2_000, pytest.param(100_000, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_events_are_the_same_however_they_are_cut_on_the_way(count: int) -> None:
    draw = random.Random(count)
    for _ in range(count):
        stream = any_stream(draw)
        splitter, watch = EventSplitter(), ChatStreamWatch()
        passed = [splitter.feed(piece) for piece in rechunked(draw, stream)]
        passed.append(splitter.flush())
        assert b"".join(map(watch.see, passed)) == stream
        events = [each for piece in passed for each in named_events(piece)]
        assert events == list(named_events(stream))
        assert watch.usage == Usage(11, 6, 3)
        assert (watch.finished, watch.error) == (True, None)
        assert watch.done
