"""Chat completions told as responses, in the shape that OpenAI's SDK parses."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response

from support.mock_upstream import completion
from turnout.wire.responses_replies import response_from_completion

REQUEST = {
    "model": "auto",
    "input": "Hi",
    "instructions": "Be brief.",
    "max_output_tokens": 50,
    "metadata": {"a": "b"},
    "temperature": 0.5,
    "tools": [{"type": "function", "name": "weather", "parameters": {}, "strict": None}],
    "tool_choice": {"type": "function", "name": "weather"},
    "text": {"format": {"type": "json_object"}},
    "user": None,
}
CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city":"Rome"}'},
}


def reply(message: dict[str, Any], finish: Any = "stop", **fields: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return completion("m") | {"choices": [choice], "usage": None, **fields}


def respond(completion_: dict[str, Any]) -> tuple[Response, dict[str, Any]]:
    response = response_from_completion(completion_, request=REQUEST)
    return Response.model_validate(response), response


def test_a_text_reply() -> None:
    parsed, response = respond(completion("gpt"))
    assert parsed.output_text == "Hello from the mock upstream."
    assert (parsed.id, parsed.model, parsed.created_at) == ("resp_mock", "gpt", 1)
    assert (parsed.status, parsed.incomplete_details, parsed.error) == ("completed", None, None)
    assert response["output"] == [
        {
            "type": "message",
            "id": "msg_mock_0",
            "status": "completed",
            "role": "assistant",
            "content": [
                {
                    "type": "output_text",
                    "text": "Hello from the mock upstream.",
                    "annotations": [],
                    "logprobs": [],
                }
            ],
        }
    ]


def test_the_request_is_repeated_and_what_it_left_out_has_defaults() -> None:
    _, response = respond(completion("gpt"))
    for name in set(REQUEST) - {"model", "input", "user"}:
        assert response[name] == REQUEST[name]
    assert response["parallel_tool_calls"] is True
    assert response["store"] is False
    bare = response_from_completion(completion("gpt"), request={"model": "auto", "input": "Hi"})
    assert (bare["tools"], bare["tool_choice"], bare["metadata"]) == ([], "auto", {})
    assert bare["text"] == {"format": {"type": "text"}}
    Response.model_validate(bare)


def test_usage_is_counted_as_responses_do() -> None:
    usage = {
        "prompt_tokens": 11,
        "completion_tokens": 6,
        "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 4},
    }
    parsed, _ = respond(reply({"content": "x"}, usage=usage))
    assert parsed.usage is not None
    assert parsed.usage.model_dump(exclude_none=True) == {
        "input_tokens": 11,
        "input_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 2},
        "output_tokens": 6,
        "output_tokens_details": {"reasoning_tokens": 4},
        "total_tokens": 17,
    }
    assert respond(reply({"content": "x"}))[0].usage is None


def test_reasoning_text_and_calls_are_items_in_this_order() -> None:
    message = {"reasoning_content": "Hm.", "content": "I look.", "tool_calls": [CALL, CALL]}
    parsed, response = respond(reply(message, "tool_calls"))
    assert [item.type for item in parsed.output] == [
        "reasoning",
        "message",
        "function_call",
        "function_call",
    ]
    assert len({item["id"] for item in response["output"]}) == 4
    assert response["output"][0]["summary"] == [{"type": "summary_text", "text": "Hm."}]
    assert response["output"][3] == {
        "type": "function_call",
        "id": "fc_mock_3",
        "status": "completed",
        "call_id": "call_1",
        "name": "weather",
        "arguments": '{"city":"Rome"}',
    }


def test_reasoning_by_its_other_name() -> None:
    _, response = respond(reply({"reasoning": "Hm.", "content": "x"}))
    assert response["output"][0]["summary"][0]["text"] == "Hm."


def test_a_refusal_is_a_part_of_the_message() -> None:
    _, response = respond(reply({"content": None, "refusal": "No."}))
    assert response["output"][0]["content"] == [{"type": "refusal", "refusal": "No."}]


@pytest.mark.parametrize(
    ("finish", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter")]
)
def test_a_reply_cut_short_is_incomplete_at_its_last_item(finish: str, reason: str) -> None:
    parsed, response = respond(reply({"reasoning_content": "Hm.", "content": "I"}, finish))
    assert parsed.status == "incomplete"
    assert parsed.incomplete_details is not None
    assert parsed.incomplete_details.reason == reason
    assert [item["status"] for item in response["output"]] == ["completed", "incomplete"]


def test_a_reply_without_content_is_a_response_without_output() -> None:
    for empty in (reply({"content": ""}), reply({}, "length"), completion("m") | {"choices": []}):
        parsed, _ = respond(empty)
        assert parsed.output == []
        assert parsed.output_text == ""


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@given(st.fixed_dictionaries(dict.fromkeys(("content", "refusal", "tool_calls"), json)), json, json)
def test_fields_of_a_wrong_type_are_passed_over(message: Any, finish: Any, usage: Any) -> None:
    calls = [{"id": finish, "function": usage}, message]
    for made in (message, message | {"tool_calls": calls}):
        respond(reply(made, finish, usage=usage, id=usage, created=finish, model=usage))
