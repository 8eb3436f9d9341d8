"""Streams between Anthropic Messages and chat completions: the same reply, however it is cut."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.upstream.chat_form import ChatStream, ChatStreamWatch
from turnout.upstream.sse import data_lines
from turnout.wire.anthropic_replies import (
    UNPARSED,
    completion_from_message,
    message_from_completion,
    tool_input,
)
from turnout.wire.chunks_from_messages import ChunksFromMessages
from turnout.wire.messages_from_chunks import UNFINISHED, MessagesFromChunks

USAGE = {
    "prompt_tokens": 42,
    "completion_tokens": 11,
    "total_tokens": 53,
    "prompt_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 7},
}
MESSAGE_USAGE = {
    "input_tokens": 5,
    "cache_creation_input_tokens": 7,
    "cache_read_input_tokens": 30,
    "output_tokens": 11,
}


def event(kind: str, **fields: Any) -> tuple[str, bytes]:
    return kind, json.dumps({"type": kind, **fields}).encode()


def message_start(**usage: int) -> tuple[str, bytes]:
    counts = {"input_tokens": 5, "cache_read_input_tokens": 30, "output_tokens": 1, **usage}
    message = {"id": "msg_01", "type": "message", "role": "assistant", "content": []}
    return event("message_start", message={**message, "model": "claude", "usage": counts})


def block(index: int, start: dict[str, Any], *deltas: dict[str, Any]) -> list[tuple[str, bytes]]:
    return [
        event("content_block_start", index=index, content_block=start),
        *(event("content_block_delta", index=index, delta=delta) for delta in deltas),
        event("content_block_stop", index=index),
    ]


def texts(index: int, *pieces: str) -> list[tuple[str, bytes]]:
    deltas = ({"type": "text_delta", "text": piece} for piece in pieces)
    return block(index, {"type": "text", "text": ""}, *deltas)


def call(index: int, name: str, *pieces: str) -> list[tuple[str, bytes]]:
    deltas = ({"type": "input_json_delta", "partial_json": piece} for piece in pieces)
    start = {"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": {}}
    return block(index, start, *deltas)


def end(stop: str = "end_turn", **usage: Any) -> list[tuple[str, bytes]]:
    delta = {"stop_reason": stop, "stop_sequence": None}
    return [
        event("message_delta", delta=delta, usage={"output_tokens": 11, **usage}),
        event("message_stop"),
    ]


def chat_stream(
    events: Iterable[tuple[str, bytes]], *, include_usage: bool = False
) -> tuple[bytes, list[dict[str, Any]]]:
    """Return what is streamed, and its payloads but for `[DONE]`."""
    stream = ChunksFromMessages(model="auto", include_usage=include_usage, created=7)
    streamed = b"".join(stream.feed(*each) for each in events)
    payloads = [line for line in data_lines(streamed) if line != b"[DONE]"]
    return streamed, [json.loads(payload) for payload in payloads]


def deltas(chunks: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [choice["delta"] for chunk in chunks for choice in chunk["choices"]]


def chat_message(chunks: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the message that a client of chat completions puts together."""
    said: dict[str, Any] = {"content": "", "reasoning_content": "", "tool_calls": []}
    for delta in deltas(chunks):
        said["content"] += delta.get("content") or ""
        said["reasoning_content"] += delta.get("reasoning_content") or ""
        for piece in delta.get("tool_calls", ()):
            if "id" in piece:
                assert piece["index"] == len(said["tool_calls"])
                said["tool_calls"].append(
                    {"id": piece["id"], "type": piece["type"], "function": {**piece["function"]}}
                )
            else:
                function = said["tool_calls"][piece["index"]]["function"]
                function["arguments"] += piece["function"]["arguments"]
    return said


def test_a_stream_of_text_becomes_chunks() -> None:
    streamed, chunks = chat_stream(
        [message_start(), event("ping"), *texts(0, "Hel", "lo"), *end()], include_usage=True
    )
    assert deltas(chunks) == [
        {"role": "assistant", "content": ""},
        {"content": "Hel"},
        {"content": "lo"},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[:-1]] == [None] * 3 + ["stop"]
    assert chunks[-1] == {
        "id": "chatcmpl-01",
        "object": "chat.completion.chunk",
        "created": 7,
        "model": "auto",
        "choices": [],
        "usage": {
            "prompt_tokens": 35,
            "completion_tokens": 11,
            "total_tokens": 46,
            "prompt_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 0},
        },
    }
    assert streamed.endswith(b"}\n\ndata: [DONE]\n\n")


def test_usage_is_told_to_those_who_ask_alone() -> None:
    _, chunks = chat_stream([message_start(), *end()])
    assert all("usage" not in chunk for chunk in chunks)


def test_the_last_counts_hold_and_those_not_told_again_stay() -> None:
    told = end(input_tokens=6, cache_creation_input_tokens=7, cache_read_input_tokens=None)
    _, chunks = chat_stream([message_start(), *told], include_usage=True)
    assert chunks[-1]["usage"]["prompt_tokens"] == 6 + 7 + 30


def test_a_ping_and_an_event_of_tomorrow_bring_nothing() -> None:
    stream = ChunksFromMessages(model="m")
    assert stream.feed("ping", b'{"type": "ping"}') == b""
    assert stream.feed("weather", b'{"type": "weather", "rain": true}') == b""


def test_the_name_of_an_event_stands_in_for_its_type() -> None:
    assert ChunksFromMessages(model="m").feed("message_start", b"{}") != b""


def test_thinking_becomes_reasoning_and_signatures_are_left_behind() -> None:
    thinking = block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "Hm"},
        {"type": "thinking_delta", "thinking": "."},
        {"type": "signature_delta", "signature": "xyz"},
    )
    redacted = block(1, {"type": "redacted_thinking", "data": "…"})
    _, chunks = chat_stream([message_start(), *thinking, *redacted, *texts(2, "Hi"), *end()])
    assert deltas(chunks)[1:-1] == [
        {"reasoning_content": "Hm"},
        {"reasoning_content": "."},
        {"content": "Hi"},
    ]


def test_calls_are_numbered_among_themselves() -> None:
    _, chunks = chat_stream(
        [
            message_start(),
            *texts(0, "I look."),
            *call(1, "weather", "", '{"city"', ': "Köln"}'),
            *call(2, "time"),
            *end("tool_use"),
        ]
    )
    assert deltas(chunks)[2:-1] == [
        {"tool_calls": [started(0, "toolu_1", "weather")]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"city"'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ': "Köln"}'}}]},
        {"tool_calls": [started(1, "toolu_2", "time")]},
        {"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}]},
    ]
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def started(index: int, call_id: str, name: str) -> dict[str, Any]:
    function = {"name": name, "arguments": ""}
    return {"index": index, "id": call_id, "type": "function", "function": function}


def test_input_that_comes_with_the_start_of_a_call_is_told() -> None:
    start = {"type": "tool_use", "id": "toolu_0", "name": "f", "input": {"a": 1}}
    stop_missing = block(0, start)[:1]
    _, chunks = chat_stream([message_start(), *stop_missing, *end("tool_use")])
    assert chat_message(chunks)["tool_calls"][0]["function"]["arguments"] == '{"a":1}'


def test_input_of_server_tools_is_no_call() -> None:
    start = {"type": "server_tool_use", "id": "srvtoolu_0", "name": "web_search", "input": {}}
    search = block(0, start, {"type": "input_json_delta", "partial_json": "{}"})
    _, chunks = chat_stream([message_start(), *search, *end()])
    assert deltas(chunks)[1:] == [{}]


@pytest.mark.parametrize("data", [b"oops", b"[1]", b""])
def test_an_event_that_is_no_object_ends_the_stream_with_an_error(data: bytes) -> None:
    streamed, chunks = chat_stream([message_start(), ("message_delta", data), *end()])
    assert chunks[-1]["error"]["type"] == "api_error"
    assert b"[DONE]" not in streamed


def test_an_error_in_the_stream_is_the_last_and_is_seen_by_the_relay() -> None:
    error = {"type": "overloaded_error", "message": "Overloaded"}
    streamed, _ = chat_stream([message_start(), event("error", error=error), *end()])
    watch = ChatStreamWatch()
    watch.see(streamed)
    assert (watch.error, watch.finished, watch.done) == ("Overloaded", False, False)
    assert b'"type":"overloaded_error"' in streamed


def test_the_relay_sees_content_usage_and_the_end() -> None:
    start, _ = chat_stream([message_start()])
    assert not ChatStream().has_content(start)
    streamed, _ = chat_stream([message_start(), *texts(0, "Hi"), *end()], include_usage=True)
    assert ChatStream().has_content(streamed)
    watch = ChatStreamWatch()
    watch.see(streamed)
    assert watch.done
    assert watch.usage is not None
    assert (watch.usage.input_tokens, watch.usage.cached_input_tokens) == (35, 30)


def chunk(delta: dict[str, Any], *, finish: str | None = None, **fields: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return json.dumps({"id": "chatcmpl-01", "choices": [choice], **fields}).encode()


def piece(index: int, arguments: str, **fields: Any) -> dict[str, Any]:
    """Return a delta with a piece of a call; with a `name` it is the first."""
    function = {"arguments": arguments}
    if name := fields.pop("name", None):
        function["name"] = name
        fields = {"id": f"call_{index}", "type": "function", **fields}
    return {"tool_calls": [{"index": index, **fields, "function": function}]}


ROLE = chunk({"role": "assistant", "content": ""})
USAGE_CHUNK = json.dumps({"id": "chatcmpl-01", "choices": [], "usage": USAGE}).encode()
DONE = b"[DONE]"


def messages_stream(payloads: Iterable[bytes]) -> list[dict[str, Any]]:
    """Return the payloads of the events; their names are checked."""
    stream = MessagesFromChunks(model="claude", input_tokens=40)
    return parsed(b"".join(stream.feed(payload) for payload in payloads))


def parsed(events: bytes) -> list[dict[str, Any]]:
    payloads = []
    for each in events.split(b"\n\n")[:-1]:
        name, data = each.split(b"\n")
        payload = json.loads(data.removeprefix(b"data: "))
        assert name == b"event: " + payload["type"].encode()
        payloads.append(payload)
    return payloads


def message_of(events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the message that an Anthropic client puts together, having checked the order."""
    assert events[0]["type"] == "message_start"
    assert [each["type"] for each in events[-2:]] == ["message_delta", "message_stop"]
    message: dict[str, Any] = events[0]["message"]
    open_block: dict[str, Any] | None = None
    for each in events[1:-2]:
        match each["type"]:
            case "content_block_start":
                assert open_block is None
                open_block = {**each["content_block"], "json": ""}
                message["content"].append(open_block)
            case "content_block_delta":
                assert open_block is not None
                delta = each["delta"]
                name = "json" if delta["type"] == "input_json_delta" else delta["type"][:-6]
                open_block[name] += delta["partial_json" if name == "json" else name]
            case "content_block_stop":
                assert open_block is not None
                written = open_block.pop("json")
                if open_block["type"] == "tool_use":
                    open_block["input"] = tool_input(written)
                open_block = None
        assert each["index"] == len(message["content"]) - 1
    assert open_block is None
    return message | events[-2]["delta"] | {"usage": events[-2]["usage"]}


def test_a_stream_of_chunks_becomes_the_events_of_a_message() -> None:
    assert messages_stream(
        [ROLE, chunk({"content": "Hel"}), chunk({"content": "lo"}), chunk({}, finish="stop"), DONE]
    ) == [
        {
            "type": "message_start",
            "message": {
                "id": "msg_01",
                "type": "message",
                "role": "assistant",
                "model": "claude",
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "usage": {
                    "input_tokens": 40,
                    "cache_creation_input_tokens": 0,
                    "cache_read_input_tokens": 0,
                    "output_tokens": 0,
                },
            },
        },
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "text", "text": ""},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "Hel"},
        },
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {
                "input_tokens": 40,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "output_tokens": 2,
            },
        },
        {"type": "message_stop"},
    ]


def test_every_event_is_framed_as_anthropic_frames_it() -> None:
    stream = MessagesFromChunks(model="m", input_tokens=0)
    stream.feed(ROLE)
    assert stream.feed(chunk({"content": "é"})).endswith(
        'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
        '"delta":{"type":"text_delta","text":"é"}}\n\n'.encode()
    )


def test_the_end_waits_for_usage() -> None:
    stream = MessagesFromChunks(model="m", input_tokens=40)
    finished = parsed(
        b"".join(map(stream.feed, [ROLE, chunk({"content": "Hi"}), chunk({}, finish="stop")]))
    )
    assert finished[-1]["type"] == "content_block_stop"
    told, stop = parsed(stream.feed(USAGE_CHUNK))
    assert (told["usage"], stop["type"]) == (MESSAGE_USAGE, "message_stop")
    assert stream.feed(DONE) == b""


def test_usage_may_come_with_the_finish_or_before() -> None:
    with_it = [ROLE, chunk({}, finish="stop", usage=USAGE)]
    assert messages_stream(with_it)[-2]["usage"] == MESSAGE_USAGE
    before = [ROLE, chunk({}, usage=USAGE), chunk({}, finish="stop", usage=None), DONE]
    assert messages_stream(before)[-2]["usage"] == MESSAGE_USAGE


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_becomes_a_block_of_thinking_before_the_text(name: str) -> None:
    events = messages_stream(
        [
            chunk({name: "H"}),
            chunk({name: "m."}),
            chunk({"content": "Hi"}),
            chunk({}, finish="stop"),
            DONE,
        ]
    )
    assert events[1]["content_block"] == {"type": "thinking", "thinking": "", "signature": ""}
    assert message_of(events)["content"] == [
        {"type": "thinking", "thinking": "Hm.", "signature": ""},
        {"type": "text", "text": "Hi"},
    ]


def test_calls_become_blocks_after_the_text() -> None:
    events = messages_stream(
        [
            ROLE,
            chunk({"content": "I look."}),
            chunk(piece(0, "", name="weather")),
            chunk(piece(0, '{"city": ')),
            chunk(piece(0, '"Köln"}')),
            chunk(piece(1, "{}", name="time")),
            chunk({}, finish="tool_calls"),
            DONE,
        ]
    )
    assert message_of(events)["content"] == [
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "call_0", "name": "weather", "input": {"city": "Köln"}},
        {"type": "tool_use", "id": "call_1", "name": "time", "input": {}},
    ]
    assert events[-2]["delta"]["stop_reason"] == "tool_use"


def test_a_call_is_streamed_as_it_is_written() -> None:
    stream = MessagesFromChunks(model="m", input_tokens=0)
    stream.feed(chunk(piece(0, "", name="f")))
    (delta,) = parsed(stream.feed(chunk(piece(0, '{"a"'))))
    assert delta["delta"] == {"type": "input_json_delta", "partial_json": '{"a"'}


def test_calls_and_text_that_overlap_are_put_in_order() -> None:
    events = messages_stream(
        [
            chunk(piece(0, '{"a":', name="f")),
            chunk(piece(1, '{"b":', name="g")),
            chunk({"content": "so"}),
            chunk(piece(1, "2}")),
            chunk(piece(0, "1}")),
            chunk(piece(2, "", name="h")),
            chunk({}, finish="tool_calls"),
            DONE,
        ]
    )
    calls = [each["input"] for each in message_of(events)["content"][:-1]]
    assert calls == [{"a": 1}, {"b": 2}, {}]
    assert events[-4]["delta"]["text"] == "so"


def test_calls_that_all_have_the_number_0_are_told_apart_by_their_ids() -> None:
    pieces = [piece(0, '{"n":1}', name="f", id="a"), piece(0, '{"n":2}', name="f", id="b")]
    events = messages_stream([*map(chunk, pieces), chunk({}, finish="stop"), DONE])
    content = message_of(events)["content"]
    assert [(each["id"], each["input"]["n"]) for each in content] == [("a", 1), ("b", 2)]


def test_an_id_that_is_told_again_starts_no_call() -> None:
    pieces = [piece(0, '{"n":', name="f"), piece(0, "1}", name="f")]
    events = messages_stream([*map(chunk, pieces), chunk({}, finish="stop"), DONE])
    assert len(message_of(events)["content"]) == 1


def test_a_call_without_an_id_is_given_one() -> None:
    events = messages_stream(
        [chunk(piece(0, "{}", name="f", id=None)), chunk({}, finish="tool_calls"), DONE]
    )
    assert message_of(events)["content"][0]["id"] == "toolu_01_0"


def test_arguments_that_are_no_object_pass_as_they_were_written() -> None:
    events = messages_stream(
        [chunk(piece(0, '{"a": [', name="f")), chunk({}, finish="length"), DONE]
    )
    message = message_of(events)
    assert message["content"][0]["input"] == {UNPARSED: '{"a": ['}
    assert message["stop_reason"] == "max_tokens"


@pytest.mark.parametrize(
    ("delta", "finish", "stop"),
    [
        ({"content": "x"}, "stop", "end_turn"),
        ({"content": "x"}, "length", "max_tokens"),
        ({"content": "x"}, "content_filter", "refusal"),
        ({"refusal": "No."}, "stop", "refusal"),
        (piece(0, "{}", name="f"), "stop", "tool_use"),
        (piece(0, "{}", name="f"), "tool_calls", "tool_use"),
    ],
)
def test_stop_reasons(delta: dict[str, Any], finish: str, stop: str) -> None:
    events = messages_stream([chunk(delta), chunk({}, finish=finish), DONE])
    assert events[-2]["delta"]["stop_reason"] == stop


def test_a_reply_without_content_is_a_message_without_blocks() -> None:
    events = messages_stream([ROLE, chunk({}, finish="stop"), DONE])
    assert message_of(events)["content"] == []


def test_the_first_choice_alone_is_read() -> None:
    other = json.dumps({"choices": [{"index": 1, "delta": {"content": "x"}}]}).encode()
    events = messages_stream([ROLE, other, chunk({}, finish="stop"), DONE])
    assert message_of(events)["content"] == []


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b'{"error": {"message": "overloaded"}}', "overloaded"),
        (b'{"error": "overloaded"}', "overloaded"),
        (b'{"error": {"code": 1}}', "an error without a message"),
        (b"oops", "the upstream sent a chunk that is no JSON object"),
        (DONE, UNFINISHED),
    ],
)
def test_a_stream_that_breaks_ends_with_an_error_event(payload: bytes, message: str) -> None:
    events = messages_stream([ROLE, chunk({"content": "Hi"}), payload, chunk({"content": "!"})])
    assert events[-1] == {"type": "error", "error": {"type": "api_error", "message": message}}


def test_the_caller_can_break_a_stream_but_once() -> None:
    stream = MessagesFromChunks(model="m", input_tokens=0)
    stream.feed(ROLE)
    assert stream.broken("gone").startswith(b'event: error\ndata: {"type":"error"')
    assert stream.broken("gone") == stream.feed(DONE) == b""


def cut(words: str, sizes: Sequence[int]) -> list[str]:
    pieces, position = [], 0
    for size in sizes:
        pieces.append(words[position : position + size])
        position += size
    return [*pieces, words[position:]]


sizes = st.lists(st.integers(0, 5), max_size=6)
inputs = st.dictionaries(
    st.text(max_size=4), st.text(max_size=6) | st.integers(-99, 99) | st.none(), max_size=3
)


@st.composite
def replies(draw: st.DrawFn) -> dict[str, Any]:
    """A message as Anthropic would tell it whole."""
    content: list[dict[str, Any]] = []
    if thought := draw(st.text(max_size=10)):
        content.append({"type": "thinking", "thinking": thought, "signature": ""})
    if words := draw(st.text(max_size=20)):
        content.append({"type": "text", "text": words})
    given_ = draw(st.lists(inputs, max_size=3))
    content += [
        {"type": "tool_use", "id": f"toolu_{i}", "name": f"f{i}", "input": input_}
        for i, input_ in enumerate(given_)
    ]
    return {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": content,
        "stop_reason": "tool_use" if given_ else "end_turn",
        "stop_sequence": None,
        "usage": MESSAGE_USAGE,
    }


def written(each: dict[str, Any]) -> tuple[dict[str, Any], str, str, str]:
    """Return a block as it starts, its deltas' type and field, and what they write."""
    if each["type"] == "tool_use":
        json_ = json.dumps(each["input"])
        return {**each, "input": {}}, "input_json_delta", "partial_json", json_
    kind = each["type"]
    return {**each, kind: ""}, f"{kind}_delta", kind, each[kind]


@given(replies(), sizes)
def test_however_messages_are_cut_the_chat_reply_is_the_same(
    reply: dict[str, Any], cuts: list[int]
) -> None:
    events = [message_start(cache_creation_input_tokens=7)]
    for i, each in enumerate(reply["content"]):
        start, kind, name, whole = written(each)
        events += block(i, start, *({"type": kind, name: part} for part in cut(whole, cuts)))
    _, chunks = chat_stream([*events, *end(reply["stop_reason"])], include_usage=True)
    expected = completion_from_message(reply, model="auto")
    said, streamed = expected["choices"][0]["message"], chat_message(chunks)
    assert streamed["content"] == (said["content"] or "")
    assert streamed["reasoning_content"] == said.get("reasoning_content", "")
    assert loaded(streamed["tool_calls"]) == loaded(said.get("tool_calls", []))
    assert chunks[-2]["choices"][0]["finish_reason"] == expected["choices"][0]["finish_reason"]
    assert chunks[-1]["usage"] == expected["usage"]


def loaded(calls: Iterable[dict[str, Any]]) -> list[Any]:
    return [
        (each["id"], each["function"]["name"], json.loads(each["function"]["arguments"]))
        for each in calls
    ]


@given(replies(), sizes, st.randoms())
def test_however_chunks_are_cut_and_mixed_the_message_is_the_same(
    reply: dict[str, Any], cuts: list[int], random: Any
) -> None:
    chat = completion_from_message(reply, model="auto")
    said = chat["choices"][0]["message"]
    whole = message_from_completion(chat, model="claude")
    chunks = [ROLE]
    for name in ("reasoning_content", "content"):
        chunks += [chunk({name: part}) for part in cut(said.get(name) or "", cuts)]
    pieces = [
        [piece(i, "", name=each["function"]["name"], id=each["id"])]
        + [piece(i, part) for part in cut(each["function"]["arguments"], cuts)]
        for i, each in enumerate(said.get("tool_calls", []))
    ]
    chunks += [chunk(first.pop(0)) for first in pieces]
    while pieces := [each for each in pieces if each]:
        chunks.append(chunk(random.choice(pieces).pop(0)))
    chunks += [chunk({}, finish=chat["choices"][0]["finish_reason"]), USAGE_CHUNK, DONE]
    assert message_of(messages_stream(chunks)) == whole


@given(replies(), sizes)
def test_a_stream_comes_back_from_chat_as_it_went(reply: dict[str, Any], cuts: list[int]) -> None:
    there = ChunksFromMessages(model="auto", include_usage=True)
    back = MessagesFromChunks(model="claude", input_tokens=1)
    events = [message_start(cache_creation_input_tokens=7)]
    for i, each in enumerate(reply["content"]):
        start, kind, name, whole = written(each)
        events += block(i, start, *({"type": kind, name: part} for part in cut(whole, cuts)))
    events += end(reply["stop_reason"])
    chunks = b"".join(there.feed(*each) for each in events)
    returned = b"".join(back.feed(payload) for payload in data_lines(chunks))
    assert message_of(parsed(returned)) == reply


def test_anthropics_client_puts_the_message_together() -> None:
    anthropic = pytest.importorskip("anthropic")
    from pydantic import TypeAdapter

    httpx = pytest.importorskip("httpx2")
    chunks = [
        ROLE,
        chunk({"reasoning_content": "Hm."}),
        chunk({"content": "I look."}),
        chunk(piece(0, '{"city":', name="weather")),
        chunk(piece(0, ' "Köln"}')),
        chunk(piece(1, "", name="time")),
        chunk({}, finish="tool_calls"),
        USAGE_CHUNK,
    ]
    stream = MessagesFromChunks(model="claude", input_tokens=40)
    body = b"".join(map(stream.feed, chunks))
    known = TypeAdapter(anthropic.types.RawMessageStreamEvent)
    for each in parsed(body):
        known.validate_python(each)
    answer = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=body)
    http = httpx.Client(transport=httpx.MockTransport(lambda _: answer))
    client = anthropic.Anthropic(api_key="none", base_url="http://test", http_client=http)
    with (
        client,
        client.messages.stream(
            model="claude", max_tokens=9, messages=[{"role": "user", "content": "Hi"}]
        ) as events,
    ):
        message = events.get_final_message().to_dict()
    assert [each["type"] for each in message["content"]] == [
        "thinking",
        "text",
        "tool_use",
        "tool_use",
    ]
    assert [each["input"] for each in message["content"][2:]] == [{"city": "Köln"}, {}]
    assert (message["stop_reason"], message["usage"]) == ("tool_use", MESSAGE_USAGE)
