"""Requests between Anthropic Messages and chat completions, both ways."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.api.openai import parse_chat
from turnout.errors import InvalidRequest
from turnout.wire.anthropic_replies import UNPARSED
from turnout.wire.chat_to_messages import DEFAULT_MAX_TOKENS, messages_from_chat
from turnout.wire.claude import BUDGETS
from turnout.wire.messages_to_chat import chat_from_messages

PNG = "iVBORw0KGgo="
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
CHAT_IMAGE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
LINKED = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
CHAT_LINKED = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Köln"}}
CHAT_CALL = {
    "id": "toolu_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city":"Köln"}'},
}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"name": "weather", "description": "Tells it.", "input_schema": SCHEMA}
CHAT_TOOL = {
    "type": "function",
    "function": {"name": "weather", "description": "Tells it.", "parameters": SCHEMA},
}
OLD, ADAPTIVE, NEW = "claude-sonnet-4-5-20250929", "claude-opus-4-6", "claude-opus-5-5"


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def result(*blocks: Any, tool_use_id: str = "toolu_1", **fields: Any) -> dict[str, Any]:
    return {
        "type": "tool_result",
        "tool_use_id": tool_use_id,
        "content": list(blocks),
        **fields,
    }


def body_of(*turns: Any, **fields: Any) -> dict[str, Any]:
    messages = list(turns) or [{"role": "user", "content": "Hi"}]
    return {"model": "auto", "max_tokens": 100, "messages": messages, **fields}


def chat(*turns: Any, **fields: Any) -> dict[str, Any]:
    return chat_from_messages(body_of(*turns, **fields))


def chat_messages(*turns: Any, **fields: Any) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = chat(*turns, **fields)["messages"]
    return messages


def messages(*said: Any, model: str = OLD, **fields: Any) -> dict[str, Any]:
    default = [{"role": "user", "content": "Hi"}]
    return messages_from_chat({"model": model, "messages": list(said) or default, **fields})


def turns(*said: Any, **fields: Any) -> list[dict[str, Any]]:
    given_: list[dict[str, Any]] = messages(*said, **fields)["messages"]
    return given_


def fault(error: pytest.ExceptionInfo[InvalidRequest]) -> str | None:
    assert error.value.param is None or str(error.value).startswith(error.value.param)
    return error.value.param


def test_a_plain_messages_body_becomes_a_chat_body_and_no_more() -> None:
    assert chat() == {
        "model": "auto",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "Hi"}],
    }


def test_every_field_that_chat_knows_is_carried() -> None:
    fields = {
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 40,
        "stop_sequences": ["END"],
        "stream": True,
        "metadata": {"user_id": "u-1"},
        "service_tier": "auto",
    }
    told = chat(**fields)
    assert told == {
        **chat(),
        "temperature": 0.5,
        "top_p": 0.9,
        "stop": ["END"],
        "stream": True,
        "stream_options": {"include_usage": True},
        "user": "u-1",
    }
    assert parse_chat(told).stream


def test_a_long_user_id_is_told_by_its_hash() -> None:
    first, second = (chat(metadata={"user_id": "u" * 64 + end})["user"] for end in "ab")
    assert len(first) == 64
    assert first != second


@pytest.mark.parametrize("system", ["Be brief.", [text("Be"), text("brief.")]])
def test_system_is_the_first_message(system: Any) -> None:
    told = chat_messages(system=system)[0]
    assert told["role"] == "system"
    assert told["content"].split() == ["Be", "brief."]


def test_a_system_turn_stays_where_it_stands() -> None:
    told = chat_messages(user(text("Hi")), {"role": "system", "content": "Be brief."})
    assert [message["role"] for message in told] == ["user", "system"]


def test_a_conversation_keeps_its_turns() -> None:
    told = chat_messages(
        user(text("One?"), text("Two?")), assistant(text("Yes"), text(".")), user(text("Why?"))
    )
    assert told == [
        {"role": "user", "content": "One?\n\nTwo?"},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": "Why?"},
    ]


def test_images_become_image_urls() -> None:
    assert chat_messages(user(text("What?"), IMAGE, LINKED)) == [
        {"role": "user", "content": [text("What?"), CHAT_IMAGE, CHAT_LINKED]}
    ]


def test_documents_of_text_become_text_under_their_titles() -> None:
    plain = {
        "type": "document",
        "title": "Notes",
        "source": {"type": "text", "media_type": "text/plain", "data": "Words."},
    }
    blocks = {"type": "document", "source": {"type": "content", "content": [text("More.")]}}
    assert chat_messages(user(plain, blocks))[0]["content"] == "Notes\n\nWords.\n\nMore."


def test_calls_and_results_become_chats() -> None:
    told = chat_messages(
        user(text("Weather?")),
        assistant(text("I look."), CALL),
        user(result(text("12"), text("rain")), text("Well?")),
    )
    assert told[1:] == [
        {"role": "assistant", "content": "I look.", "tool_calls": [CHAT_CALL]},
        {"role": "tool", "tool_call_id": "toolu_1", "content": "12\n\nrain"},
        {"role": "user", "content": "Well?"},
    ]


def test_results_go_before_what_the_user_says_wherever_they_stand() -> None:
    told = chat_messages(user(text("Well?"), result(text("12")), result(tool_use_id="b")))
    assert [message["role"] for message in told] == ["tool", "tool", "user"]
    assert told[1]["content"] == ""


def test_a_call_alone_has_no_content() -> None:
    assert chat_messages(assistant(CALL)) == [
        {"role": "assistant", "content": None, "tool_calls": [CHAT_CALL]}
    ]


def test_a_failed_result_says_so() -> None:
    told = chat_messages(user(result(text("no such city"), is_error=True)))
    assert told[0]["content"] == "Error: no such city"


def test_images_of_a_result_go_into_the_users_message() -> None:
    told = chat_messages(user(result(text("A map."), IMAGE), text("Where?")))
    assert told == [
        {"role": "tool", "tool_call_id": "toolu_1", "content": "A map."},
        {
            "role": "user",
            "content": [text("Images from tool call toolu_1:"), CHAT_IMAGE, text("Where?")],
        },
    ]


def test_thinking_is_kept_out_of_the_history() -> None:
    thinking = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
    redacted = {"type": "redacted_thinking", "data": "…"}
    assert chat_messages(assistant(thinking, redacted, text("Yes."))) == [
        {"role": "assistant", "content": "Yes."}
    ]


def test_tools_become_functions() -> None:
    strict = {"type": "custom", "name": "f", "input_schema": {}, "strict": True}
    told = chat(tools=[TOOL, strict])
    function = {"name": "f", "parameters": {}, "strict": True}
    assert told["tools"] == [CHAT_TOOL, {"type": "function", "function": function}]
    assert "tool_choice" not in told
    assert parse_chat(told).needs == {"tools"}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "auto"}, {"tool_choice": "auto"}),
        ({"type": "any"}, {"tool_choice": "required"}),
        ({"type": "none"}, {"tool_choice": "none"}),
        (
            {"type": "tool", "name": "weather"},
            {"tool_choice": {"type": "function", "function": {"name": "weather"}}},
        ),
        (
            {"type": "any", "disable_parallel_tool_use": True},
            {"tool_choice": "required", "parallel_tool_calls": False},
        ),
    ],
)
def test_a_tool_choice_becomes_chats(choice: dict[str, Any], expected: dict[str, Any]) -> None:
    told = chat(tools=[TOOL], tool_choice=choice)
    names = ("tool_choice", "parallel_tool_calls")
    assert {name: told[name] for name in names if name in told} == expected


def test_a_choice_without_tools_does_not_reach_chat() -> None:
    assert chat(tools=[], tool_choice={"type": "auto"}) == chat()


@pytest.mark.parametrize(
    ("budget", "effort"),
    [(1024, "low"), (8191, "low"), (8192, "medium"), (16383, "medium"), (16384, "high")],
)
def test_a_budget_becomes_an_effort(budget: int, effort: str) -> None:
    told = chat(thinking={"type": "enabled", "budget_tokens": budget})
    assert told["reasoning_effort"] == effort
    assert parse_chat(told).needs == {"reasoning"}


@pytest.mark.parametrize(
    ("thinking", "config", "effort"),
    [
        ({"type": "adaptive"}, None, None),
        ({"type": "adaptive"}, {"effort": "xhigh"}, "xhigh"),
        (None, {"effort": "low"}, "low"),
        ({"type": "disabled"}, {"effort": "high"}, None),
        ({"type": "enabled", "budget_tokens": 2000}, {"effort": "high"}, "low"),
    ],
)
def test_adaptive_thinking_asks_for_the_effort_that_is_given(
    thinking: Any, config: Any, effort: str | None
) -> None:
    assert chat(thinking=thinking, output_config=config).get("reasoning_effort") == effort


@pytest.mark.parametrize(
    "fields",
    [
        {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        {"output_format": {"type": "json_schema", "schema": SCHEMA}},
    ],
)
def test_a_schema_becomes_a_response_format(fields: dict[str, Any]) -> None:
    told = chat(**fields)
    assert told["response_format"]["json_schema"]["schema"] == SCHEMA
    assert parse_chat(told).needs == {"json_schema"}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "model"),
        (body_of() | {"messages": []}, "messages"),
        ({"model": "m", "messages": [user()]}, "max_tokens"),
        (body_of(max_tokens=0), "max_tokens"),
        (body_of(temperature=1.5), "temperature"),
        (body_of(temperature="hot"), "temperature"),
        (body_of({"role": "tool", "content": "x"}), "messages.0.role"),
        (body_of({"role": "user"}), "messages.0.content"),
        (body_of({"role": "user", "content": 5}), "messages.0.content"),
        (body_of(user("x")), "messages.0.content.0"),
        (body_of(user({"type": "text"})), "messages.0.content.0.text"),
        (body_of(user({"no": "type"})), "messages.0.content.0"),
        (body_of(user(text("a"), {"type": "image"})), "messages.0.content.1.source"),
        (body_of(user(text("a")), assistant(IMAGE)), "messages.1.content.0"),
        (body_of(assistant({"type": "tool_use"})), "messages.0.content.0.id"),
        (body_of(user({"type": "tool_result"})), "messages.0.content.0.tool_use_id"),
        (body_of(user(result({"type": "x"}))), "messages.0.content.0.content.0"),
        (body_of(user({"type": "search_result"})), "messages.0.content.0"),
        (body_of(system=[IMAGE]), "system"),
        (body_of(tools=[{"input_schema": {}}]), "tools.0.name"),
        (body_of(tools=[{"name": "f"}]), "tools.0.input_schema"),
        (body_of(tools=[TOOL], tool_choice={"type": "tool"}), "tool_choice.name"),
        (body_of(tools=[TOOL], tool_choice={"type": "x"}), "tool_choice.type"),
        (body_of(thinking={"type": "enabled", "budget_tokens": 1}), "thinking.budget_tokens"),
        (body_of(output_config={"format": {"type": "x"}}), "output_config.format.type"),
    ],
)
def test_a_fault_is_named_by_its_place(body: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        chat_from_messages(body)
    assert fault(error) == param


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        ("document", {"type": "base64", "media_type": "application/pdf", "data": "x"}),
        ("document", {"type": "url", "url": "https://example.com/a.pdf"}),
        ("document", {"type": "file", "file_id": "file_1"}),
        ("image", {"type": "file", "file_id": "file_1"}),
    ],
)
def test_what_only_anthropic_can_read_is_refused(kind: str, source: Any) -> None:
    with pytest.raises(InvalidRequest, match=f"an? {kind}'s {source['type']}") as error:
        chat(user(text("Read"), {"type": kind, "source": source}))
    assert fault(error) == "messages.0.content.1.source"


def test_server_tools_are_refused_by_name() -> None:
    with pytest.raises(InvalidRequest, match="web_search_20250305") as error:
        chat(tools=[TOOL, {"type": "web_search_20250305", "name": "web_search"}])
    assert fault(error) == "tools.1.type"


def test_a_plain_chat_body_becomes_a_messages_body_with_a_limit() -> None:
    assert messages() == {
        "model": OLD,
        "max_tokens": DEFAULT_MAX_TOKENS,
        "messages": [user(text("Hi"))],
    }


def test_every_field_that_anthropic_knows_is_carried_and_the_others_are_not() -> None:
    told = messages(
        max_completion_tokens=50,
        max_tokens=60,
        temperature=0.5,
        stop="END",
        stream=True,
        stream_options={"include_usage": True},
        user="u-1",
        seed=1,
        n=1,
        frequency_penalty=0.1,
        response_format={"type": "json_object"},
        metadata={"a": "b"},
    )
    assert told == {
        **messages(),
        "max_tokens": 50,
        "temperature": 0.5,
        "stop_sequences": ["END"],
        "stream": True,
        "metadata": {"user_id": "u-1"},
    }


@pytest.mark.parametrize(
    ("model", "given_", "sent"),
    [
        (OLD, {"temperature": 1.7}, {"temperature": 1.0}),
        (OLD, {"temperature": 0, "top_p": 0.5}, {"temperature": 0.0}),
        (OLD, {"top_p": 0.5}, {"top_p": 0.5}),
        (OLD, {"temperature": 0.3, "reasoning_effort": "low"}, {}),
        (ADAPTIVE, {"temperature": 0.3}, {"temperature": 0.3}),
        (NEW, {"temperature": 0.3}, {}),
        (NEW, {"top_p": 0.3}, {}),
        ("kimi-k2", {"temperature": 0.3}, {"temperature": 0.3}),
    ],
)
def test_sampling_is_what_the_model_takes(model: str, given_: Any, sent: Any) -> None:
    told = messages(model=model, **given_)
    assert {name: told[name] for name in ("temperature", "top_p") if name in told} == sent


def test_blank_stop_sequences_are_left_behind() -> None:
    assert messages(stop=["\n", "END", ""])["stop_sequences"] == ["END"]
    assert "stop_sequences" not in messages(stop=["\n"])


def test_system_messages_are_joined_wherever_they_stand() -> None:
    told = messages(
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "developer", "content": [text("Be"), text("kind.")]},
        {"role": "user", "content": "You there?"},
    )
    assert told["system"] == "Be brief.\n\nBe\n\nkind."
    assert told["messages"] == [user(text("Hi"), text("You there?"))]


def test_system_alone_becomes_what_the_user_says() -> None:
    told = messages({"role": "system", "content": "Tell a joke."})
    assert told["messages"] == [user(text("Tell a joke."))]
    assert "system" not in told


def test_a_greeting_gets_a_user_before_it() -> None:
    told = turns({"role": "assistant", "content": "Hello!"}, {"role": "user", "content": "Hi"})
    assert [turn["role"] for turn in told] == ["user", "assistant", "user"]
    assert told[1:] == [assistant(text("Hello!")), user(text("Hi"))]


def test_blank_text_is_left_behind_and_turns_still_alternate() -> None:
    told = turns(
        {"role": "user", "content": "One"},
        {"role": "assistant", "content": ""},
        {"role": "user", "content": [text(" "), text("Two")]},
    )
    assert told == [user(text("One"), text("Two"))]


def test_images_become_sources() -> None:
    jpg = {
        "type": "image_url",
        "image_url": {"url": "data:image/jpg;base64,eA==", "detail": "x"},
    }
    told = turns({"role": "user", "content": [CHAT_IMAGE, CHAT_LINKED, jpg]})
    source = {"type": "base64", "media_type": "image/jpeg", "data": "eA=="}
    assert told == [user(IMAGE, LINKED, {"type": "image", "source": source})]


def test_calls_and_results_become_blocks_and_results_share_a_turn() -> None:
    other = {**CHAT_CALL, "id": "functions.weather:1"}
    told = turns(
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": "I look.", "tool_calls": [CHAT_CALL, other]},
        {"role": "tool", "tool_call_id": "toolu_1", "content": "12"},
        {"role": "tool", "tool_call_id": "functions.weather:1", "content": ""},
        {"role": "user", "content": "Well?"},
    )
    assert told[1:] == [
        assistant(text("I look."), CALL, {**CALL, "id": "functions_weather_1"}),
        user(
            result(text("12")),
            {"type": "tool_result", "tool_use_id": "functions_weather_1"},
            text("Well?"),
        ),
    ]


def test_functions_of_old_become_tools_calls_and_results() -> None:
    told = messages(
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "function_call": CHAT_CALL["function"]},
        {"role": "function", "name": "weather", "content": "12"},
        functions=[CHAT_TOOL["function"]],
        function_call={"name": "weather"},
    )
    assert told["tools"] == [TOOL]
    assert told["tool_choice"] == {"type": "tool", "name": "weather"}
    asked, answered = told["messages"][1]["content"][0], told["messages"][2]["content"][0]
    assert asked["id"] == answered["tool_use_id"]


@pytest.mark.parametrize(
    ("arguments", "given_"),
    [("", {}), ("{}", {}), ('{"a": [1', {UNPARSED: '{"a": [1'}), ("7", {UNPARSED: "7"})],
)
def test_arguments_that_are_no_object_are_not_lost(arguments: str, given_: Any) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    told = turns(
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
    )
    assert told[1]["content"][0]["input"] == given_


def test_a_refusal_in_the_history_is_text() -> None:
    part = {"type": "refusal", "refusal": "No."}
    told = turns(
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [part]},
        {"role": "user", "content": "Please"},
        {"role": "assistant", "content": None, "refusal": "Still no."},
    )
    assert [turn["content"] for turn in told[1::2]] == [[text("No.")], [text("Still no.")]]


def test_functions_become_tools_with_a_schema() -> None:
    bare = {"type": "function", "function": {"name": "f", "strict": True}}
    schema = {"type": "object", "properties": {}}
    told = messages(tools=[CHAT_TOOL, bare])
    assert told["tools"] == [TOOL, {"name": "f", "input_schema": schema}]
    assert "tool_choice" not in told


@pytest.mark.parametrize(
    ("fields", "choice"),
    [
        ({"tool_choice": "auto"}, {"type": "auto"}),
        ({"tool_choice": "none"}, {"type": "none"}),
        ({"tool_choice": "required"}, {"type": "any"}),
        (
            {"tool_choice": {"type": "function", "function": {"name": "weather"}}},
            {"type": "tool", "name": "weather"},
        ),
        (
            {"parallel_tool_calls": False},
            {"type": "auto", "disable_parallel_tool_use": True},
        ),
        (
            {"tool_choice": "required", "parallel_tool_calls": False},
            {"type": "any", "disable_parallel_tool_use": True},
        ),
        ({"tool_choice": "none", "parallel_tool_calls": False}, {"type": "none"}),
        ({"parallel_tool_calls": True}, None),
    ],
)
def test_chats_tool_choice_becomes_anthropics(fields: dict[str, Any], choice: Any) -> None:
    assert messages(tools=[CHAT_TOOL], **fields).get("tool_choice") == choice


def test_a_choice_without_tools_does_not_reach_anthropic() -> None:
    assert messages(tool_choice="auto", parallel_tool_calls=False) == messages()


def test_a_schema_becomes_an_output_format() -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
    told = messages(response_format=wanted, reasoning_effort="low", model=NEW)
    assert told["output_config"] == {
        "effort": "low",
        "format": {"type": "json_schema", "schema": SCHEMA},
    }


@pytest.mark.parametrize(
    ("effort", "most", "budget", "limit"),
    [
        ("minimal", None, 1024, DEFAULT_MAX_TOKENS),
        ("low", 4096, 2048, 4096),
        ("low", 2048, 2048, 4096),
        ("medium", 100, 8192, 8292),
        ("high", None, 16384, 16384 + DEFAULT_MAX_TOKENS),
        ("xhigh", 64000, 16384, 64000),
    ],
)
def test_an_effort_becomes_a_budget_below_the_limit(
    effort: str, most: int | None, budget: int, limit: int
) -> None:
    told = messages(reasoning_effort=effort, max_tokens=most)
    assert told["thinking"] == {"type": "enabled", "budget_tokens": budget}
    assert told["max_tokens"] == limit


@pytest.mark.parametrize(
    ("model", "effort", "thinking", "config"),
    [
        (ADAPTIVE, "medium", {"type": "adaptive"}, {"effort": "medium"}),
        (ADAPTIVE, "xhigh", {"type": "adaptive"}, {"effort": "high"}),
        (ADAPTIVE, "max", {"type": "adaptive"}, {"effort": "max"}),
        (NEW, "xhigh", {"type": "adaptive", "display": "summarized"}, {"effort": "xhigh"}),
        (NEW, "minimal", {"type": "adaptive", "display": "summarized"}, {"effort": "low"}),
        (NEW, "none", None, {"effort": "low"}),
        (OLD, "none", None, None),
        (OLD, "whatever", None, None),
        ("claude-3-5-haiku-20241022", "high", None, None),
        (NEW, None, None, None),
    ],
)
def test_an_effort_is_told_as_the_model_wants_it(
    model: str, effort: Any, thinking: Any, config: Any
) -> None:
    told = messages(model=model, reasoning_effort=effort)
    assert (told.get("thinking"), told.get("output_config")) == (thinking, config)


@pytest.mark.parametrize(
    ("model", "adaptive"),
    [
        ("claude-3-7-sonnet-20250219", False),
        ("claude-opus-4-20250514", False),
        ("claude-sonnet-4@20250514", False),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", False),
        ("anthropic.claude-opus-4-6-v1", True),
        ("claude-sonnet-4.6", True),
        ("claude-fable-5", True),
        ("claude-haiku-5-5-20261001", True),
        ("glm-4.6", False),
    ],
)
def test_the_form_goes_by_the_version_in_the_id(model: str, adaptive: bool) -> None:
    thinking = messages(model=model, reasoning_effort="high")["thinking"]
    assert (thinking["type"] == "adaptive") is adaptive


@pytest.mark.parametrize("model", [OLD, NEW])
def test_no_thinking_where_a_tool_is_forced(model: str) -> None:
    told = messages(model=model, tools=[CHAT_TOOL], tool_choice="required", reasoning_effort="low")
    assert "thinking" not in told


def test_a_budget_is_not_given_where_a_turn_goes_on() -> None:
    history = [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": None, "tool_calls": [CHAT_CALL]},
        {"role": "tool", "tool_call_id": "toolu_1", "content": "12"},
    ]
    assert "thinking" not in messages(*history, reasoning_effort="low")
    assert "thinking" not in messages(*history[:2], reasoning_effort="low")
    assert "thinking" in messages(*history, reasoning_effort="low", model=NEW)


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "tool", "content": "x"}, "messages.0.tool_call_id"),
        ({"role": "user", "content": [{"type": "input_audio"}]}, "messages.0.content.0"),
        ({"role": "user", "content": [{"type": "file"}]}, "messages.0.content.0"),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "ftp:x"}}]},
            "messages.0.content.0.image_url.url",
        ),
        (
            {"role": "user", "content": [{"type": "image_url"}]},
            "messages.0.content.0.image_url",
        ),
        ({"role": "user", "content": [{"type": "text"}]}, "messages.0.content.0.text"),
        ({"role": "system", "content": [CHAT_IMAGE]}, "messages.0.content"),
        ({"role": "user", "content": " "}, "messages"),
        (
            {"role": "assistant", "tool_calls": [{"id": "c", "type": "custom"}]},
            "messages.0.tool_calls.0.function",
        ),
    ],
)
def test_a_fault_in_a_message_is_named_by_its_place(message: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        messages(message)
    assert fault(error) == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"type": "custom", "custom": {"name": "f"}}]}, "tools.0.type"),
        ({"tools": [CHAT_TOOL], "tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
        ({"tools": [CHAT_TOOL], "tool_choice": 5}, "tool_choice"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"max_tokens": 0}, "max_tokens"),
    ],
)
def test_a_fault_in_a_field_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        messages(**fields)
    assert fault(error) == param


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
inputs = st.dictionaries(st.text(max_size=5), json_values, max_size=3)
words = st.text(min_size=1, max_size=20).filter(str.strip)
images = st.sampled_from([IMAGE, LINKED])


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Turns as a client sends them: every call is answered, with the result first."""
    turns_: list[dict[str, Any]] = []
    calls = 0
    pending: list[str] = []
    for _ in range(draw(st.integers(1, 4))):
        results = [result(text(draw(words)), tool_use_id=each) for each in pending]
        turns_.append(user(*results, *draw(st.lists(images, max_size=2)), text(draw(words))))
        given_ = draw(st.lists(inputs, max_size=2))
        pending = [f"toolu_{calls + i}" for i in range(len(given_))]
        calls += len(given_)
        uses = [{**CALL, "id": id_, "input": in_} for id_, in_ in zip(pending, given_, strict=True)]
        turns_.append(assistant(text(draw(words)), *uses))
    turns_.append(user(*(result(text(draw(words)), tool_use_id=each) for each in pending), IMAGE))
    return turns_


@given(conversations(), words)
def test_a_conversation_comes_back_from_chat_as_it_went(
    conversation: list[dict[str, Any]], system: str
) -> None:
    sent = {
        "model": OLD,
        "max_tokens": 100,
        "system": system,
        "messages": conversation,
        "tools": [TOOL],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
        "temperature": 0.5,
        "stop_sequences": ["END"],
        "stream": True,
        "metadata": {"user_id": "u-1"},
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
    }
    there = chat_from_messages(sent)
    parse_chat(there)
    assert messages_from_chat(there) == sent


@given(st.sampled_from(["low", "medium", "high"]))
def test_an_effort_comes_back_from_a_budget(effort: str) -> None:
    sent = messages(reasoning_effort=effort)
    assert sent["thinking"]["budget_tokens"] == BUDGETS[effort]
    assert chat_from_messages(sent)["reasoning_effort"] == effort


def test_requests_are_what_the_sdk_sends() -> None:
    anthropic = pytest.importorskip("anthropic")
    from pydantic import TypeAdapter

    params = TypeAdapter(anthropic.types.message_create_params.MessageCreateParams)
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
    history = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [CHAT_IMAGE, CHAT_LINKED, text("Weather?")]},
        {"role": "assistant", "content": "I look.", "tool_calls": [CHAT_CALL]},
        {"role": "tool", "tool_call_id": "toolu_1", "content": "12"},
    ]
    for model in (OLD, ADAPTIVE, NEW):
        told = messages(
            *history,
            model=model,
            stream=True,
            tools=[CHAT_TOOL],
            tool_choice="auto",
            parallel_tool_calls=False,
            reasoning_effort="low",
            response_format=wanted,
            stop="END",
            user="u-1",
        )
        # Lists are validated as they are read.
        params.dump_json(params.validate_python(told))
