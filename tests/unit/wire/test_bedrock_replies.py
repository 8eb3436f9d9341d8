"""What Converse and ConverseStream reply, told as chat completions and their chunks."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from turnout.cost import Usage
from turnout.upstream.chat_form import ChatStream, ChatStreamWatch, usage_of
from turnout.upstream.sse import data_lines
from turnout.wire.bedrock_replies import ChunksFromConverse, completion_from_converse
from turnout.wire.responses_streams import ResponseEventsFromChunks

SERVICE = botocore.session.get_session().get_service_model("bedrock-runtime")
REPLY_SHAPE = SERVICE.operation_model("Converse").output_shape
EVENT_SHAPE = SERVICE.operation_model("ConverseStream").output_shape.members["stream"]
USAGE = {
    "inputTokens": 5,
    "outputTokens": 7,
    "totalTokens": 18,
    "cacheReadInputTokens": 4,
    "cacheWriteInputTokens": 2,
}
STOP_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "malformed_model_output": "stop",
    "malformed_tool_use": "stop",
}
THOUGHT = {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "sig"}}}
LOOK_UP = {"toolUse": {"toolUseId": "tooluse_1", "name": "weather", "input": {"city": "Rome"}}}


def assert_botocore_knows(value: Any, shape: Any) -> None:
    report = ParamValidator().validate(value, shape)
    assert not report.has_errors(), report.generate_report()


def complete(*blocks: dict[str, Any], stop: str = "end_turn", **usage: int) -> dict[str, Any]:
    reply = {
        "output": {"message": {"role": "assistant", "content": list(blocks)}},
        "stopReason": stop,
        "usage": usage or USAGE,
        "metrics": {"latencyMs": 1},
    }
    assert_botocore_knows(reply, REPLY_SHAPE)
    completion = completion_from_converse(reply, model="m", request_id="r", created=3)
    ChatCompletion.model_validate(completion)
    return completion


def message(*blocks: dict[str, Any]) -> Any:
    return complete(*blocks)["choices"][0]["message"]


def test_a_text_reply() -> None:
    completion = complete({"text": "Hel"}, {"text": "lo"})
    usage = completion.pop("usage")
    assert completion == {
        "id": "chatcmpl-r",
        "object": "chat.completion",
        "created": 3,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
    }
    assert usage == {
        "prompt_tokens": 11,
        "completion_tokens": 7,
        "total_tokens": 18,
        "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
    }


def test_usage_is_counted_as_the_router_counts_it() -> None:
    assert usage_of(complete({"text": "x"})) == Usage(11, 7, 4)
    plain = complete({"text": "x"}, inputTokens=5, outputTokens=7, totalTokens=12)
    assert usage_of(plain) == Usage(5, 7, 0)


def test_reasoning_text_and_calls() -> None:
    assert message(THOUGHT, {"text": "I look."}, LOOK_UP) == {
        "role": "assistant",
        "content": "I look.",
        "refusal": None,
        "reasoning_content": "Hm.",
        "tool_calls": [
            {
                "id": "tooluse_1",
                "type": "function",
                "function": {"name": "weather", "arguments": '{"city":"Rome"}'},
            }
        ],
    }


def test_cited_text_stays_and_what_chat_cannot_hold_is_left_behind() -> None:
    cited = {"citationsContent": {"content": [{"text": "Sky."}], "citations": []}}
    redacted = {"reasoningContent": {"redactedContent": b"x"}}
    image = {"image": {"format": "png", "source": {"bytes": b"x"}}}
    told = message(redacted, {"text": "Blue "}, cited, image)
    assert told == {"role": "assistant", "content": "Blue Sky.", "refusal": None}
    assert message(LOOK_UP)["content"] is None


def test_every_stop_reason_that_botocore_knows_has_its_finish_reason() -> None:
    assert set(STOP_REASONS) == set(REPLY_SHAPE.members["stopReason"].enum)
    for stop, finish in STOP_REASONS.items():
        assert complete({"text": "x"}, stop=stop)["choices"][0]["finish_reason"] == finish


START: dict[str, Any] = {"messageStart": {"role": "assistant"}}
METADATA: dict[str, Any] = {"metadata": {"usage": USAGE, "metrics": {"latencyMs": 1}}}


def delta(index: int, **fields: Any) -> dict[str, Any]:
    return {"contentBlockDelta": {"contentBlockIndex": index, "delta": fields}}


def tool_start(index: int, call_id: str, name: str = "weather") -> dict[str, Any]:
    start = {"toolUse": {"toolUseId": call_id, "name": name}}
    return {"contentBlockStart": {"contentBlockIndex": index, "start": start}}


def stop(index: int) -> dict[str, Any]:
    return {"contentBlockStop": {"contentBlockIndex": index}}


def message_stop(reason: str = "end_turn") -> dict[str, Any]:
    return {"messageStop": {"stopReason": reason}}


def stream(*events: dict[str, Any], include_usage: bool = True) -> bytes:
    """Return the chunks that the events become, each of them as the SDK knows it."""
    chunks = ChunksFromConverse(model="m", include_usage=include_usage, request_id="r", created=3)
    out = b""
    for event in events:
        assert_botocore_knows(event, EVENT_SHAPE)
        out += chunks.feed(event)
    for payload in data_lines(out):
        if payload.startswith(b'{"id"'):
            ChatCompletionChunk.model_validate_json(payload)
    return out


def payloads(out: bytes) -> list[Any]:
    return [json.loads(payload) for payload in data_lines(out) if payload != b"[DONE]"]


def deltas(out: bytes) -> list[Any]:
    return [choice["delta"] for chunk in payloads(out) for choice in chunk["choices"]]


def test_a_stream_of_text() -> None:
    out = stream(
        START,
        delta(0, text="Hel"),
        delta(0, text=""),
        delta(0, text="lo"),
        stop(0),
        message_stop(),
        METADATA,
    )
    assert deltas(out) == [
        {"role": "assistant", "content": ""},
        {"content": "Hel"},
        {"content": "lo"},
        {},
    ]
    *_, finish, usage = payloads(out)
    assert finish["choices"][0]["finish_reason"] == "stop"
    assert (usage["choices"], usage["usage"]["prompt_tokens"]) == ([], 11)
    assert {chunk["id"] for chunk in payloads(out)} == {"chatcmpl-r"}
    assert out.endswith(b"\n\ndata: [DONE]\n\n")


def test_the_relay_understands_the_stream() -> None:
    out = stream(START, delta(0, text="Hi"), stop(0), message_stop(), METADATA)
    watch = ChatStreamWatch()
    assert watch.see(out) == out
    assert (watch.done, watch.error, watch.usage) == (True, None, Usage(11, 7, 4))
    assert ChatStream().has_content(out)
    assert not ChatStream().has_content(out[: out.index(b"\n\n") + 2])


def test_usage_goes_out_where_it_was_asked_for() -> None:
    out = stream(START, message_stop(), METADATA, include_usage=False)
    assert b"usage" not in out
    assert out.endswith(b"data: [DONE]\n\n")


def test_calls_are_numbered_among_themselves() -> None:
    out = stream(
        START,
        delta(0, reasoningContent={"text": "Hm."}),
        delta(0, reasoningContent={"signature": "sig"}),
        delta(0, reasoningContent={"redactedContent": b"x"}),
        stop(0),
        tool_start(1, "a"),
        delta(1, toolUse={"input": '{"city"'}),
        delta(1, toolUse={"input": ':"Rome"}'}),
        stop(1),
        tool_start(2, "b", "clock"),
        delta(2, toolUse={"input": ""}),
        stop(2),
        message_stop("tool_use"),
        METADATA,
    )
    assert deltas(out)[1:-1] == [
        {"reasoning_content": "Hm."},
        {
            "tool_calls": [
                {
                    "index": 0,
                    "id": "a",
                    "type": "function",
                    "function": {"name": "weather", "arguments": ""},
                }
            ]
        },
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"city"'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ':"Rome"}'}}]},
        {
            "tool_calls": [
                {
                    "index": 1,
                    "id": "b",
                    "type": "function",
                    "function": {"name": "clock", "arguments": ""},
                }
            ]
        },
        {"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}]},
    ]
    assert payloads(out)[-2]["choices"][0]["finish_reason"] == "tool_calls"


EXCEPTIONS = [name for name in EVENT_SHAPE.members if name.endswith("Exception")]


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_an_exception_in_the_stream_is_an_error_event_and_the_last(name: str) -> None:
    failure = {name: {"message": "too much"}}
    out = stream(START, delta(0, text="Hi"), failure, message_stop(), METADATA)
    kinds = {
        "throttlingException": "rate_limit_error",
        "validationException": "invalid_request_error",
    }
    assert payloads(out)[-1] == {
        "error": {
            "message": "too much",
            "type": kinds.get(name, "upstream_error"),
            "param": None,
            "code": name,
        }
    }
    watch = ChatStreamWatch()
    watch.see(out)
    assert (watch.error, watch.done) == ("too much", False)


def test_an_exception_without_a_message_is_told_by_what_there_is() -> None:
    original = stream({"modelStreamErrorException": {"originalMessage": "the model fell over"}})
    assert payloads(original)[0]["error"]["message"] == "the model fell over"
    bare = stream({"internalServerException": {}})
    assert payloads(bare)[0]["error"]["message"] == "internalServerException"


def test_events_that_chat_has_no_chunk_for_bring_nothing() -> None:
    image = {"contentBlockStart": {"contentBlockIndex": 0, "start": {"image": {"format": "png"}}}}
    citation = delta(0, citation={"title": "t"})
    assert stream(image, citation, stop(0)) == b""
    assert ChunksFromConverse(model="m", include_usage=True).feed({"eventToCome": {}}) == b""


text = st.text(min_size=1, max_size=12)
arguments = st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3), max_size=3)
blocks = st.lists(
    st.one_of(
        st.tuples(st.just("text"), text),
        st.tuples(st.just("reasoning"), text),
        st.tuples(st.just("call"), arguments),
    ),
    max_size=5,
)
cuts = st.lists(st.integers(1, 4), min_size=1, max_size=4)


def split(whole: str, sizes: Sequence[int]) -> Iterator[str]:
    step = 0
    while whole:
        size = sizes[step % len(sizes)]
        yield whole[:size]
        whole, step = whole[size:], step + 1


def as_block(index: int, kind: str, content: Any) -> dict[str, Any]:
    if kind == "text":
        return {"text": content}
    if kind == "reasoning":
        return {"reasoningContent": {"reasoningText": {"text": content}}}
    return {"toolUse": {"toolUseId": f"id_{index}", "name": "n", "input": content}}


def as_events(index: int, kind: str, content: Any, sizes: Sequence[int]) -> Iterator[Any]:
    if kind == "call":
        yield tool_start(index, f"id_{index}", "n")
        content = json.dumps(content) if content else ""
    for piece in split(content, sizes):
        if kind == "text":
            yield delta(index, text=piece)
        elif kind == "reasoning":
            yield delta(index, reasoningContent={"text": piece})
        else:
            yield delta(index, toolUse={"input": piece})
    yield stop(index)


def accumulated(out: bytes) -> dict[str, Any]:
    """Return the message that a client makes of the chunks."""
    made: dict[str, Any] = {"content": "", "reasoning_content": "", "tool_calls": []}
    for each in deltas(out):
        for name in ("content", "reasoning_content"):
            made[name] += each.get(name, "")
        for call in each.get("tool_calls", ()):
            if "id" in call:
                assert call["index"] == len(made["tool_calls"])
                made["tool_calls"].append({"id": call["id"], "arguments": ""})
            made["tool_calls"][call["index"]]["arguments"] += call["function"]["arguments"]
    return made


@given(blocks, st.sampled_from(sorted(STOP_REASONS)), cuts)
def test_any_split_of_a_stream_adds_up_to_the_whole_reply(
    said: list[tuple[str, Any]], reason: str, sizes: list[int]
) -> None:
    whole = complete(*(as_block(i, *each) for i, each in enumerate(said)), stop=reason)
    events = [event for i, each in enumerate(said) for event in as_events(i, *each, sizes)]
    out = stream(START, *events, message_stop(reason), METADATA)
    told, made = whole["choices"][0]["message"], accumulated(out)
    assert made["content"] == (told["content"] or "")
    assert made["reasoning_content"] == told.get("reasoning_content", "")
    calls = told.get("tool_calls", [])
    assert [call["id"] for call in made["tool_calls"]] == [call["id"] for call in calls]
    assert [json.loads(call["arguments"]) for call in made["tool_calls"]] == [
        json.loads(call["function"]["arguments"]) for call in calls
    ]
    *_, finish, usage = payloads(out)
    assert finish["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"]
    assert usage["usage"] == whole["usage"]


def test_a_converse_stream_can_go_on_as_a_response() -> None:
    events = [START, delta(0, text="Hi"), stop(0), message_stop("max_tokens"), METADATA]
    translation = ResponseEventsFromChunks(request={"model": "auto", "input": "Hi"})
    out = b"".join(translation.feed(payload) for payload in data_lines(stream(*events)))
    last = json.loads(out.split(b"data: ")[-1])
    assert last["type"] == "response.incomplete"
    assert last["response"]["usage"]["input_tokens"] == 11
