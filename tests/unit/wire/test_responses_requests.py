"""Requests in the Responses format: the same asked of chat completions, or refused by name."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from pydantic import TypeAdapter

from turnout.api.openai import parse_chat
from turnout.errors import InvalidRequest
from turnout.wire.responses_requests import chat_from_response_request

CHAT_PARAMS = TypeAdapter(CompletionCreateParamsNonStreaming)
WEATHER = {
    "type": "function",
    "name": "weather",
    "description": "Tells the weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": True,
}
CLOCK = {"type": "function", "name": "clock", "parameters": None, "strict": None}


def ask(**fields: Any) -> dict[str, Any]:
    return chat_from_response_request({"model": "auto", "input": "Hi", **fields})


def messages(*items: Any) -> Any:
    return ask(input=list(items))["messages"]


def test_a_string_is_one_user_message_after_the_instructions() -> None:
    assert ask(instructions="Be brief.") == {
        "model": "auto",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
        ],
    }


def test_options_go_by_their_names_in_chat_completions() -> None:
    chat = ask(
        temperature=0.2,
        top_p=0.9,
        max_output_tokens=77,
        reasoning={"effort": "low", "summary": "auto"},
        text={"verbosity": "low"},
        metadata={"session_id": "s"},
        user="u",
        service_tier="flex",
        prompt_cache_key="k",
        safety_identifier="i",
        store=True,
        include=["reasoning.encrypted_content"],
        truncation="auto",
    )
    del chat["messages"]
    assert chat == {
        "model": "auto",
        "temperature": 0.2,
        "top_p": 0.9,
        "max_completion_tokens": 77,
        "reasoning_effort": "low",
        "verbosity": "low",
        "metadata": {"session_id": "s"},
        "user": "u",
        "service_tier": "flex",
        "prompt_cache_key": "k",
        "safety_identifier": "i",
    }


def test_a_stream_asks_for_its_usage() -> None:
    chat = ask(stream=True, stream_options={"include_obfuscation": False})
    assert chat["stream"] is True
    assert chat["stream_options"] == {"include_usage": True}
    assert "stream" not in ask(stream=False)


def test_messages_of_every_role_and_content() -> None:
    assert messages(
        {"role": "developer", "content": "Rules."},
        {"role": "system", "content": [{"type": "input_text", "text": "More."}]},
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "What is this?"},
                {"type": "input_image", "image_url": "data:image/png;base64,eA==", "detail": "low"},
                {"type": "input_file", "file_data": "data:text/plain;base64,eA==", "filename": "a"},
            ],
        },
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [
                {"type": "output_text", "text": "A cat", "annotations": []},
                {"type": "output_text", "text": ".", "annotations": []},
            ],
        },
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
    ) == [
        {"role": "system", "content": "Rules."},
        {"role": "system", "content": "More."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {
                    "type": "image_url",
                    "image_url": {"url": "data:image/png;base64,eA==", "detail": "low"},
                },
                {
                    "type": "file",
                    "file": {"file_data": "data:text/plain;base64,eA==", "filename": "a"},
                },
            ],
        },
        {"role": "assistant", "content": "A cat."},
        {"role": "assistant", "content": "", "refusal": "No."},
    ]


def call(call_id: str, arguments: str = "{}") -> dict[str, str]:
    return {"type": "function_call", "call_id": call_id, "name": "weather", "arguments": arguments}


def called(call_id: str, arguments: str = "{}") -> dict[str, Any]:
    function = {"name": "weather", "arguments": arguments}
    return {"id": call_id, "type": "function", "function": function}


def output(call_id: str, output: Any) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def test_what_an_assistant_turn_says_and_calls_becomes_one_message() -> None:
    assert messages(
        {"role": "user", "content": "Weather?"},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"role": "assistant", "content": "I look."},
        call("a", '{"city":"Rome"}'),
        {"type": "reasoning", "id": "rs_2", "summary": []},
        call("b"),
        output("a", "sunny"),
        output("b", [{"type": "input_text", "text": "rain"}]),
        {"role": "assistant", "content": "Sun and rain."},
    ) == [
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [called("a", '{"city":"Rome"}'), called("b")],
        },
        {"role": "tool", "tool_call_id": "a", "content": "sunny"},
        {"role": "tool", "tool_call_id": "b", "content": "rain"},
        {"role": "assistant", "content": "Sun and rain."},
    ]


def test_nothing_comes_between_calls_and_their_results() -> None:
    said = [call("a"), {"role": "assistant", "content": "One."}, call("b")]
    assert messages(*said, {"role": "assistant", "content": "Two."}, output("a", "x")) == [
        {
            "role": "assistant",
            "content": "One.\nTwo.",
            "tool_calls": [called("a"), called("b")],
        },
        {"role": "tool", "tool_call_id": "a", "content": "x"},
    ]


def test_an_image_that_a_tool_gave_is_carried_over() -> None:
    image = {"type": "input_image", "image_url": "data:image/png;base64,eA=="}
    assert messages(call("a"), output("a", [image]))[-1]["content"] == [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,eA=="}}
    ]


def test_functions_and_the_choice_between_them() -> None:
    chat = ask(
        tools=[WEATHER, CLOCK],
        tool_choice={"type": "function", "name": "clock"},
        parallel_tool_calls=False,
    )
    function = {name: value for name, value in WEATHER.items() if name != "type"}
    assert chat["tools"] == [
        {"type": "function", "function": function},
        {"type": "function", "function": {"name": "clock"}},
    ]
    assert chat["tool_choice"] == {"type": "function", "function": {"name": "clock"}}
    assert chat["parallel_tool_calls"] is False


@pytest.mark.parametrize("mode", ["none", "auto", "required"])
def test_modes_of_choice_stay_words(mode: str) -> None:
    assert ask(tools=[WEATHER], tool_choice=mode)["tool_choice"] == mode


def test_allowed_tools_leave_the_others_out() -> None:
    allowed = [{"type": "function", "name": "clock"}]
    choice = {"type": "allowed_tools", "mode": "required", "tools": allowed}
    chat = ask(tools=[WEATHER, CLOCK], tool_choice=choice)
    assert chat["tools"] == [{"type": "function", "function": {"name": "clock"}}]
    assert chat["tool_choice"] == "required"


def test_without_tools_there_is_no_choice_to_send() -> None:
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & set(
        ask(tools=[], tool_choice="auto", parallel_tool_calls=True)
    )


def test_formats_of_the_answer() -> None:
    schema = {"name": "n", "schema": {"type": "object"}, "strict": True}
    wanted = {"type": "json_schema", **schema}
    assert ask(text={"format": wanted})["response_format"] == {
        "type": "json_schema",
        "json_schema": schema,
    }
    assert ask(text={"format": {"type": "json_object"}})["response_format"] == {
        "type": "json_object"
    }
    assert "response_format" not in ask(text={"format": {"type": "text"}})


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": {"id": "conv_1"}}, "conversation"),
        ({"background": True}, "background"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"context_management": [{"type": "compaction"}]}, "context_management"),
        ({"moderation": {"model": "m"}}, "moderation"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"model": ""}, "model"),
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": [{"type": "reasoning", "summary": []}]}, "input"),
        ({"input": [{"role": "developer", "content": "Rules alone."}]}, "input"),
        ({"input": [{"role": "critic", "content": "x"}]}, "input.0.role"),
        ({"input": [{"role": "user"}]}, "input.0.content"),
        ({"input": [{"role": "user", "content": [{}]}]}, "input.0.content.0.type"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_text"}]}]},
            "input.0.content.0.text",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
            "input.0.content.0",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_audio"}]}]},
            "input.0.content.0.type",
        ),
        (
            {"input": [{"role": "assistant", "content": [{"type": "input_image"}]}]},
            "input.0.content.0.type",
        ),
        ({"input": ["Hi"]}, "input.0"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input.0"),
        ({"input": [{"type": "web_search_call", "id": "ws_1"}]}, "input.0.type"),
        ({"input": [{"type": "function_call", "name": "n"}]}, "input.0.arguments"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "input.0.call_id"),
        ({"input": [{"type": "function_call_output", "call_id": "x"}]}, "input.0.output"),
        ({"tools": [WEATHER, {"type": "web_search"}]}, "tools.1.type"),
        ({"tools": [{"type": "custom", "name": "n"}]}, "tools.0.type"),
        ({"tools": [{"type": "function"}]}, "tools.0.name"),
        ({"tool_choice": {"type": "web_search_preview"}}, "tool_choice"),
        ({"tool_choice": {"type": "allowed_tools", "tools": []}}, "tool_choice.tools"),
        ({"tool_choice": 1}, "tool_choice"),
        ({"text": {"format": {"type": "grammar"}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"temperature": "warm"}, "temperature"),
        ({"metadata": {"a": 1}}, "metadata.a"),
    ],
)
def test_what_cannot_be_served_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        ask(**fields)
    assert refused.value.param == param
    assert str(refused.value).startswith(f"{param}: ")


def test_state_that_was_not_asked_for_is_no_fault() -> None:
    silent = dict.fromkeys(["previous_response_id", "conversation", "prompt"], None)
    assert ask(**silent, background=False, store=False, top_logprobs=0) == ask()


NAMES = """model input instructions tools tool_choice text reasoning max_output_tokens stream
metadata type role content call_id name arguments output format schema parameters mode image_url
file_data detail summary strict"""
WORDS = """message user assistant function function_call function_call_output reasoning input_text
output_text input_image json_schema json_object allowed_tools auto required"""
names, words = st.sampled_from(NAMES.split()), st.sampled_from(WORDS.split())
values = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 9) | st.text(max_size=3) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5),
    max_leaves=12,
)


@given(st.fixed_dictionaries({"model": st.just("auto"), "input": values}), values)
def test_any_body_is_translated_or_refused(body: dict[str, Any], more: Any) -> None:
    try:
        chat = chat_from_response_request((more if isinstance(more, dict) else {}) | body)
    except InvalidRequest:
        return
    parse_chat(chat)


texts = st.text(min_size=1, max_size=5)
parts = st.lists(st.fixed_dictionaries({"type": st.just("input_text"), "text": texts}), min_size=1)
items = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {"role": st.sampled_from(["user", "assistant", "system"]), "content": texts | parts}
        ),
        st.builds(call, texts, texts),
        st.builds(output, texts, texts | parts),
        st.just({"type": "reasoning", "id": "rs_1", "summary": []}),
    ),
    max_size=8,
)


@given(items)
def test_chat_completions_take_what_comes_of_any_conversation(input_: list[Any]) -> None:
    chat = ask(input=[{"role": "user", "content": "Hi"}, *input_])
    CHAT_PARAMS.validate_python(chat)
    parse_chat(chat)
    calls = [made["id"] for message in chat["messages"] for made in message.get("tool_calls", [])]
    results = [message["tool_call_id"] for message in chat["messages"] if message["role"] == "tool"]
    assert calls == [item["call_id"] for item in input_ if item.get("type") == "function_call"]
    assert results == [item["call_id"] for item in input_ if "output" in item]
