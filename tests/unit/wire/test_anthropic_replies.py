"""Whole replies and errors between Anthropic Messages and chat completions, both ways."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.wire.anthropic_replies import (
    UNPARSED,
    anthropic_error,
    anthropic_error_type,
    completion_from_message,
    error_from_anthropic,
    message_from_completion,
)

CALL = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Köln"}}
CHAT_CALL = {
    "id": "toolu_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city":"Köln"}'},
}
USAGE = {
    "input_tokens": 5,
    "cache_read_input_tokens": 30,
    "cache_creation_input_tokens": 7,
    "output_tokens": 11,
}


def message(*blocks: dict[str, Any], stop: str = "end_turn", **fields: Any) -> dict[str, Any]:
    return {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-5",
        "content": list(blocks),
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": USAGE,
        **fields,
    }


def completion(finish: str = "stop", **said: Any) -> dict[str, Any]:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": None, **said},
        "finish_reason": finish,
    }
    return {"id": "chatcmpl-01", "object": "chat.completion", "choices": [choice]}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def to_chat(*blocks: dict[str, Any], **fields: Any) -> dict[str, Any]:
    said: dict[str, Any] = completion_from_message(message(*blocks, **fields), model="m")[
        "choices"
    ][0]["message"]
    return said


def test_a_message_of_text_becomes_a_completion() -> None:
    assert completion_from_message(message(text("Hello")), model="auto", created=7) == {
        "id": "chatcmpl-01",
        "object": "chat.completion",
        "created": 7,
        "model": "auto",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 42,
            "completion_tokens": 11,
            "total_tokens": 53,
            "prompt_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 7},
        },
    }


def test_thinking_and_tool_calls_become_reasoning_and_chats_calls() -> None:
    thinking = {"type": "thinking", "thinking": "Hm.", "signature": "xyz"}
    redacted = {"type": "redacted_thinking", "data": "…"}
    assert to_chat(thinking, redacted, text("I "), text("look."), CALL, stop="tool_use") == {
        "role": "assistant",
        "content": "I look.",
        "refusal": None,
        "reasoning_content": "Hm.",
        "tool_calls": [CHAT_CALL],
    }


def test_a_call_alone_has_no_content_and_one_without_input_has_an_object() -> None:
    said = to_chat({**CALL, "input": {}})
    assert said["content"] is None
    assert said["tool_calls"][0]["function"]["arguments"] == "{}"


def test_blocks_of_server_tools_are_left_behind() -> None:
    search = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
    found = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
    assert to_chat(search, found, text("Found."))["content"] == "Found."


@pytest.mark.parametrize(
    ("stop", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        (None, "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
    ],
)
def test_stop_reasons_become_finish_reasons(stop: Any, finish: str) -> None:
    told = completion_from_message(message(text("x"), stop=stop), model="m")
    assert told["choices"][0]["finish_reason"] == finish


def test_thinking_tokens_are_told_and_missing_usage_is_not_made_up() -> None:
    usage = {**USAGE, "output_tokens_details": {"thinking_tokens": 9}}
    told = completion_from_message(message(usage=usage), model="m")
    assert told["usage"]["completion_tokens_details"] == {"reasoning_tokens": 9}
    assert "usage" not in completion_from_message(message(usage=None), model="m")


def test_counts_of_null_count_nothing() -> None:
    usage = {"input_tokens": 3, "cache_read_input_tokens": None, "output_tokens": 2}
    told = completion_from_message(message(usage=usage), model="m")["usage"]
    assert (told["prompt_tokens"], told["prompt_tokens_details"]["cached_tokens"]) == (3, 0)


def test_a_completion_becomes_a_message() -> None:
    chat = completion("tool_calls", content="I look.", tool_calls=[CHAT_CALL])
    usage = {
        "prompt_tokens": 42,
        "completion_tokens": 11,
        "prompt_tokens_details": {"cached_tokens": 30},
    }
    assert message_from_completion({**chat, "usage": usage}, model="claude") == {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [text("I look."), CALL],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 12,
            "cache_read_input_tokens": 30,
            "cache_creation_input_tokens": 0,
            "output_tokens": 11,
        },
    }


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_becomes_thinking_without_a_signature(name: str) -> None:
    told = message_from_completion(completion(content="Hi", **{name: "Hm."}), model="m")
    assert told["content"] == [
        {"type": "thinking", "thinking": "Hm.", "signature": ""},
        text("Hi"),
    ]


@pytest.mark.parametrize(
    ("finish", "said", "stop"),
    [
        ("stop", {}, "end_turn"),
        ("length", {}, "max_tokens"),
        ("content_filter", {}, "refusal"),
        ("tool_calls", {"tool_calls": [CHAT_CALL]}, "tool_use"),
        ("stop", {"tool_calls": [CHAT_CALL]}, "tool_use"),
        ("length", {"tool_calls": [CHAT_CALL]}, "max_tokens"),
        ("tool_calls", {}, "end_turn"),
        ("stop", {"refusal": "No."}, "refusal"),
        (None, {}, "end_turn"),
    ],
)
def test_finish_reasons_become_stop_reasons(finish: Any, said: dict[str, Any], stop: str) -> None:
    assert message_from_completion(completion(finish, **said), model="m")["stop_reason"] == stop


def test_a_refusal_is_told_in_its_words() -> None:
    assert message_from_completion(completion(refusal="No."), model="m")["content"] == [text("No.")]


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ('{"a": 1}', {"a": 1}),
        ("", {}),
        (" ", {}),
        ('{"a": ', {UNPARSED: '{"a": '}),
        ("[1]", {UNPARSED: "[1]"}),
        ("null", {UNPARSED: "null"}),
    ],
)
def test_arguments_that_are_no_object_are_kept_as_written(
    arguments: str, given: dict[str, Any]
) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    told = message_from_completion(completion(tool_calls=[call]), model="m")
    assert told["content"] == [
        {"type": "tool_use", "id": "call_1", "name": "f", "input": given},
    ]


def test_a_call_without_an_id_is_given_one_that_chat_takes_back() -> None:
    call = {"function": {"name": "f", "arguments": "{}"}}
    chat = completion(tool_calls=[call, call]) | {"id": "chatcmpl-" + "a" * 36}
    first, second = (block["id"] for block in message_from_completion(chat, model="m")["content"])
    assert first != second
    assert len(first) <= 40


@pytest.mark.parametrize(
    "body", [{}, {"choices": []}, {"choices": [None]}, {"choices": "x"}, {"usage": 5}]
)
def test_what_is_no_completion_is_an_empty_message(body: dict[str, Any]) -> None:
    assert message_from_completion(body, model="m")["content"] == []


counts = st.integers(0, 10**6)


@given(counts, counts, counts, counts)
def test_usage_comes_back_as_it_went(fresh: int, read: int, written: int, output: int) -> None:
    usage = {
        "input_tokens": fresh,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": written,
        "output_tokens": output,
    }
    chat = completion_from_message(message(usage=usage), model="m")
    assert chat["usage"]["prompt_tokens"] == fresh + read + written
    assert chat["usage"]["total_tokens"] == fresh + read + written + output
    assert message_from_completion(chat, model="m")["usage"] == usage


def test_cached_tokens_over_the_prompt_leave_no_negative_input() -> None:
    usage = {"prompt_tokens": 1, "prompt_tokens_details": {"cached_tokens": 5}}
    told = message_from_completion({**completion(), "usage": usage}, model="m")
    assert told["usage"]["input_tokens"] == 0


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
inputs = st.dictionaries(st.text(max_size=5), json_values, max_size=4)


@given(st.text(min_size=1), st.lists(inputs, max_size=3))
def test_a_message_comes_back_from_chat_as_it_went(words: str, given_: list[Any]) -> None:
    calls = [{**CALL, "id": f"toolu_{i}", "input": input_} for i, input_ in enumerate(given_)]
    sent = message(text(words), *calls, stop="tool_use" if calls else "end_turn")
    back = message_from_completion(completion_from_message(sent, model="m"), model=sent["model"])
    assert back == sent


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (402, "billing_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
        (422, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (502, "api_error"),
        (503, "overloaded_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
    ],
)
def test_an_error_is_named_for_its_status(status: int, kind: str) -> None:
    assert anthropic_error_type(status) == kind
    assert anthropic_error("No.", status=status) == {
        "type": "error",
        "error": {"type": kind, "message": "No."},
    }


def test_anthropics_error_becomes_openais() -> None:
    error = {"type": "rate_limit_error", "message": "Slow down."}
    assert error_from_anthropic({"type": "error", "error": error, "request_id": "req_1"}) == {
        "error": {"message": "Slow down.", "type": "rate_limit_error", "param": None, "code": None}
    }


@pytest.mark.parametrize("body", [{}, {"error": "x"}, {"error": {"message": 5}}])
def test_an_error_of_another_shape_is_told_without_a_message(body: dict[str, Any]) -> None:
    assert error_from_anthropic(body)["error"]["message"] == "an error without a message"


def test_messages_and_errors_are_what_the_sdk_takes() -> None:
    anthropic = pytest.importorskip("anthropic")
    chat = completion("tool_calls", content="I look.", reasoning="Hm.", tool_calls=[CHAT_CALL])
    for body in (message_from_completion(chat, model="m"), message_from_completion({}, model="m")):
        anthropic.types.Message.model_validate(body)
    error = anthropic_error("No.", status=529)
    anthropic.types.ErrorResponse.model_validate(error)
