"""Streams told in the Responses format's events: numbered, balanced, and the same whatever the chunks."""

import json
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import OpenAI
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from support.mock_upstream import FELL_OVER, USAGE, USAGE_CHUNK, event
from turnout.upstream.sse import data_lines
from turnout.wire.responses_replies import response_from_completion
from turnout.wire.responses_streams import ResponseEventsFromChunks

REQUEST = {"model": "auto", "input": "Hi", "stream": True}
EVENT = TypeAdapter[Any](ResponseStreamEvent)
DONE = b"data: [DONE]\n\n"
Events = list[dict[str, Any]]


def translate(*chunks: bytes) -> bytes:
    """Return what the payloads of these chat completion events become."""
    translation = ResponseEventsFromChunks(request=REQUEST)
    return b"".join(translation.feed(data) for data in data_lines(b"".join(chunks)))


def parse(stream: bytes) -> Events:
    """Return the events, each of them as the SDK knows it."""
    events = []
    for block in stream.decode().split("\n\n")[:-1]:
        name, data = block.split("\n")
        parsed = json.loads(data.removeprefix("data: "))
        assert name == f"event: {parsed['type']}"
        assert EVENT.validate_python(parsed).type == parsed["type"]
        events.append(parsed)
    return events


def kinds(events: Events) -> list[str]:
    return [each["type"].removeprefix("response.") for each in events]


def call(index: int, **fields: Any) -> dict[str, Any]:
    function = {name: fields.pop(name) for name in ("name", "arguments") if name in fields}
    return {"tool_calls": [{"index": index, **fields, "function": function}]}


def check(events: Events, *, whole: bool = True) -> None:
    """Assert what holds of every stream: numbers without gaps, everything added once and done once,
    deltas that add up, and a last event that repeats it all."""
    assert [each["sequence_number"] for each in events] == list(range(len(events)))
    assert kinds(events)[:2] == ["created", "in_progress"]
    response = events[-1]["response"]
    assert {each["response"]["id"] for each in events if "response" in each} == {response["id"]}
    added = [each for each in events if each["type"] == "response.output_item.added"]
    assert [each["output_index"] for each in added] == list(range(len(added)))
    assert [each["item"]["id"] for each in added] == [item["id"] for item in response["output"]]
    done = {
        each["output_index"]: each["item"]
        for each in events
        if each["type"] == "response.output_item.done"
    }
    assert len(done) == kinds(events).count("output_item.done")
    assert all(response["output"][index] == item for index, item in done.items())
    if whole:
        assert len(done) == len(added)
        check_texts(events)
    Response.model_validate(response)


def check_texts(events: Events) -> None:
    texts: dict[tuple[Any, ...], str] = {}
    opened: set[tuple[Any, ...]] = set()
    for each in events:
        place = tuple(
            each.get(name) for name in ("item_id", "content_index", "summary_index", "output_index")
        )
        match each["type"].rsplit(".", 1):
            case ["response.content_part" | "response.reasoning_summary_part", "added"]:
                assert place not in texts | dict.fromkeys(opened)
                opened.add(place)
            case ["response.content_part" | "response.reasoning_summary_part", "done"]:
                opened.remove(place)
                part = each["part"]
                assert texts[place] == part.get("text", part.get("refusal"))
            case [_, "delta"]:
                assert place in opened or each["type"].startswith("response.function_call")
                texts[place] = texts.get(place, "") + each["delta"]
            case [text_kind, "done"] if text_kind != "response.output_item":
                told = next(each[name] for name in ("text", "refusal", "arguments") if name in each)
                assert texts.get(place, "") == told
    assert not opened


def test_a_text_goes_out_word_by_word() -> None:
    stream = translate(
        event({"role": "assistant", "content": ""}),
        event({"content": "Hel"}),
        event({"content": "lo"}),
        event({}, finish="stop"),
        USAGE_CHUNK,
        DONE,
    )
    events = parse(stream)
    check(events)
    assert kinds(events) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert events[0]["response"]["status"] == "in_progress"
    final = events[-1]["response"]
    assert (final["id"], final["model"], final["status"]) == ("resp_mock", "mock", "completed")
    assert final["output"][0]["content"][0]["text"] == "Hello"
    assert final["usage"]["input_tokens"] == USAGE["prompt_tokens"]
    assert final["usage"]["input_tokens_details"]["cached_tokens"] == 3


def test_reasoning_goes_out_as_a_summary_before_the_text() -> None:
    events = parse(
        translate(
            event({"reasoning_content": "Hm"}),
            event({"reasoning": "."}),
            event({"content": "Hi"}),
            event({}, finish="stop"),
            DONE,
        )
    )
    check(events)
    assert kinds(events)[2:9] == [
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
    ]
    assert events[-1]["response"]["output"][0]["summary"][0]["text"] == "Hm."


def test_calls_grow_side_by_side() -> None:
    events = parse(
        translate(
            event({"content": "I look."}),
            event(call(0, id="a", name="weather", arguments="")),
            event(call(0, arguments='{"city"')),
            event(call(1, id="b", name="clock")),
            event(call(0, arguments=':"Rome"}')),
            event(call(1, arguments="{}")),
            event({}, finish="tool_calls"),
            DONE,
        )
    )
    check(events)
    assert [
        (item["call_id"], item["name"], item["arguments"], item["status"])
        for item in events[-1]["response"]["output"][1:]
    ] == [
        ("a", "weather", '{"city":"Rome"}', "completed"),
        ("b", "clock", "{}", "completed"),
    ]
    assert events[-1]["response"]["status"] == "completed"


def test_calls_that_are_all_numbered_0_are_told_apart_by_their_ids() -> None:
    chunks = [event(call(0, id=id_, name="n", arguments=f'"{id_}"')) for id_ in ("a", "b")]
    events = parse(translate(*chunks, event({}, finish="tool_calls"), DONE))
    check(events)
    assert [item["arguments"] for item in events[-1]["response"]["output"]] == ['"a"', '"b"']


def test_an_id_that_every_delta_repeats_begins_no_new_call() -> None:
    chunks = [event(call(0, id="a", name="n", arguments=piece)) for piece in ("{", "}")]
    events = parse(translate(*chunks, event({}, finish="tool_calls"), DONE))
    check(events)
    assert [item["arguments"] for item in events[-1]["response"]["output"]] == ["{}"]


@pytest.mark.parametrize(
    ("finish", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter")]
)
def test_a_stream_cut_short_is_incomplete(finish: str, reason: str) -> None:
    events = parse(translate(event({"content": "I"}), event({}, finish=finish), DONE))
    check(events)
    assert kinds(events)[-1] == "incomplete"
    assert events[-1]["response"]["incomplete_details"] == {"reason": reason}
    assert events[-1]["response"]["output"][0]["status"] == "incomplete"


def test_items_are_done_as_soon_as_the_finish_reason_is_known() -> None:
    events = parse(translate(event({"content": "Hi"}), event({}, finish="stop")))
    assert kinds(events)[-1] == "output_item.done"


def test_nothing_goes_out_before_a_chunk_with_a_choice() -> None:
    assert translate(b'data: {"id": "", "model": "", "choices": []}\n\n', USAGE_CHUNK) == b""


def test_nothing_follows_the_end() -> None:
    translation = ResponseEventsFromChunks(request=REQUEST)
    for data in data_lines(event({"content": "Hi"}, finish="stop") + DONE):
        assert translation.feed(data)
    assert translation.feed(b"[DONE]") == b""
    assert translation.feed(next(data_lines(event({"content": "more"})))) == b""
    assert translation.broken("too late") == b""


@pytest.mark.parametrize("payload", ["oops", "[1]", "null", "{}", '{"choices": [5]}'])
def test_what_is_no_chunk_is_passed_over(payload: str) -> None:
    noise = f"data: {payload}\n\n".encode()
    events = parse(translate(event({"content": "Hi"}), noise, event({}, finish="stop"), DONE))
    check(events)


def test_done_without_a_finish_reason_is_a_failure() -> None:
    events = parse(translate(event({"content": "Hi"}), DONE))
    check(events, whole=False)
    assert kinds(events)[-1] == "failed"
    assert events[-1]["response"]["error"]["message"] == "the stream ended without a finish reason"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (FELL_OVER, "mock fell over"),
        (b'data: {"error": "overloaded"}\n\n', "overloaded"),
        (b'data: {"error": {"code": 1}}\n\n', "an error without a message"),
    ],
)
def test_an_error_in_the_stream_is_a_failure_with_what_there_was(
    error: bytes, message: str
) -> None:
    chunks = [event({"content": "Hi"}), event(call(0, id="a", name="n", arguments="{")), error]
    events = parse(translate(*chunks, DONE))
    check(events, whole=False)
    final = events[-1]["response"]
    assert (final["status"], final["error"]["message"]) == ("failed", message)
    assert [item["status"] for item in final["output"]] == ["completed", "incomplete"]
    assert final["output"][1]["arguments"] == "{"
    # A client may act on a call that is said to be done.
    assert kinds(events).count("output_item.done") == 1


def test_a_stream_broken_before_its_first_chunk_is_a_response_all_the_same() -> None:
    events = parse(ResponseEventsFromChunks(request=REQUEST).broken("gone"))
    check(events)
    assert kinds(events) == ["created", "in_progress", "failed"]
    assert events[-1]["response"]["model"] == "auto"


def sdk(stream: bytes) -> OpenAI:
    """Return a client of OpenAI's that is answered with `stream`."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=stream)

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    return OpenAI(api_key="k", base_url="http://mock/v1", http_client=http, max_retries=0)


def test_the_sdk_adds_the_events_up_to_the_same_response() -> None:
    chunks = [
        event({"reasoning_content": "Hm."}),
        event({"content": "I "}),
        event({"content": "look."}),
        event(call(0, id="a", name="weather", arguments="{}")),
        event({}, finish="tool_calls"),
        USAGE_CHUNK,
        DONE,
    ]
    with (
        sdk(translate(*chunks)) as client,
        client.responses.stream(model="auto", input="Hi") as stream,
    ):
        snapshots = [each.snapshot for each in stream if each.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert snapshots == ["I ", "I look."]
    assert final.output_text == "I look."
    assert [item.type for item in final.output] == ["reasoning", "message", "function_call"]


def test_the_sdk_sees_a_failure() -> None:
    with (
        sdk(translate(event({"content": "I"}), FELL_OVER)) as client,
        client.responses.create(model="auto", input="Hi", stream=True) as stream,
    ):
        *_, last = stream
    assert last.type == "response.failed"
    assert last.response.error is not None
    assert last.response.error.message == "mock fell over"


text = st.text(min_size=1, max_size=12)
cuts = st.lists(st.integers(1, 4), min_size=1, max_size=4)
finishes = st.sampled_from(["stop", "length", "tool_calls", "content_filter"])


def split(whole: str, sizes: Sequence[int]) -> Iterator[str]:
    ends = accumulate(sizes[i % len(sizes)] for i in range(len(whole)))
    for start, end in pairwise([0, *(end for end in ends if end < len(whole)), len(whole)]):
        yield whole[start:end]


@given(
    st.tuples(st.none() | text, st.none() | text, st.none() | text),
    st.lists(st.tuples(text, text), max_size=3),
    finishes,
    cuts,
)
def test_any_split_gives_the_response_of_the_whole_completion(
    said: tuple[str | None, str | None, str | None],
    calls: list[tuple[str, str]],
    finish: str,
    sizes: list[int],
) -> None:
    names = ("reasoning_content", "content", "refusal")
    message: dict[str, Any] = dict(zip(names, said, strict=True))
    chunks = [event({name: piece}) for name in names for piece in split(message[name] or "", sizes)]
    made = []
    for i, (name, arguments) in enumerate(calls):
        chunks.append(event(call(i, id=f"call_{i}", name=name, arguments="")))
        chunks += [event(call(i, arguments=piece)) for piece in split(arguments, sizes)]
        made.append({"id": f"call_{i}", "function": {"name": name, "arguments": arguments}})
    events = parse(translate(*chunks, event({}, finish=finish), USAGE_CHUNK, DONE))
    check(events)
    choice = {"message": message | {"tool_calls": made}, "finish_reason": finish}
    completion = {
        "id": "chatcmpl-mock",
        "created": 1,
        "model": "mock",
        "choices": [choice],
        "usage": USAGE,
    }
    assert events[-1]["response"] == response_from_completion(completion, request=REQUEST)


deltas = st.one_of(
    st.dictionaries(
        st.sampled_from(["reasoning_content", "reasoning", "content", "refusal"]), st.text()
    ),
    st.builds(
        lambda index, id_, name, arguments: call(index, id=id_, name=name, arguments=arguments),
        st.integers(0, 2),
        st.sampled_from(["", "a", "b"]),
        text,
        st.text(),
    ),
)


@given(st.lists(deltas, max_size=12), st.lists(deltas, max_size=2), finishes)
def test_deltas_in_any_order_give_a_balanced_stream(
    before: list[Any], after: list[Any], finish: str
) -> None:
    chunks = [event({"role": "assistant"}), *map(event, before), event({}, finish=finish)]
    events = parse(translate(*chunks, *map(event, after), DONE))
    check(events)
    assert kinds(events)[-1] in ("completed", "incomplete")


@given(st.lists(deltas, max_size=12))
def test_a_stream_broken_anywhere_fails_with_what_there_was(before: list[Any]) -> None:
    translation = ResponseEventsFromChunks(request=REQUEST)
    chunks = data_lines(b"".join(map(event, before)))
    stream = b"".join(map(translation.feed, chunks)) + translation.broken("gone")
    events = parse(stream)
    check(events, whole=False)
    assert kinds(events)[-1] == "failed"


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "delta", "content", "tool_calls", "function", "index", "id", "usage"]
            ),
            inner,
        )
    ),
    max_leaves=15,
)


@given(st.lists(junk, max_size=4))
def test_chunks_that_make_no_sense_break_nothing(chunks: list[Any]) -> None:
    noise = [
        b"data: " + json.dumps({"choices": [{"delta": each}], "usage": each}).encode() + b"\n\n"
        for each in chunks
    ]
    check(parse(translate(*noise, event({"content": "Hi"}, finish="stop"), DONE)))
