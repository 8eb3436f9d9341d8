"""Chat completion requests as Converse's arguments, each checked against botocore's own model."""

import base64
import json
from contextlib import suppress
from itertools import pairwise
from typing import Any

import botocore.session
import pytest
from botocore.serialize import create_serializer
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from turnout.errors import InvalidRequest
from turnout.wire.bedrock_requests import converse_from_chat

SERVICE = botocore.session.get_session().get_service_model("bedrock-runtime")
OPERATIONS = [SERVICE.operation_model(name) for name in ("Converse", "ConverseStream")]
PIXEL = base64.b64encode(b"pixel").decode()
NOVA = "eu.amazon.nova-2-lite-v1:0"
SONNET_4_5 = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
OPUS_4_6 = "anthropic.claude-opus-4-6-v1"
OPUS_5 = "global.anthropic.claude-opus-5"
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tells the weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        "strict": True,
    },
}
CLOCK = {"type": "function", "function": {"name": "clock"}}


def converse(model: str = "amazon.nova-pro-v1:0", **fields: Any) -> dict[str, Any]:
    """Return the arguments, which botocore takes and can send."""
    body = {"model": model, "messages": [{"role": "user", "content": "Hi"}], **fields}
    arguments = converse_from_chat(body)
    for operation in OPERATIONS:
        report = ParamValidator().validate(arguments, operation.input_shape)
        assert not report.has_errors(), report.generate_report()
        create_serializer("rest-json").serialize_to_request(arguments, operation)
    return arguments


def turns(*messages: dict[str, Any]) -> Any:
    return converse(messages=list(messages))["messages"]


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def call(call_id: str, arguments: str = "{}", name: str = "weather") -> dict[str, Any]:
    return {
        "id": call_id,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


def calls(*made: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": list(made)}


def result(call_id: str, content: Any = "sunny") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def test_a_text_and_nothing_else() -> None:
    assert converse("m.id", stream=True, user="u", seed=1, n=1, logprobs=False) == {
        "modelId": "m.id",
        "messages": [user({"text": "Hi"})],
    }


def test_system_messages_stand_apart_wherever_they_were() -> None:
    arguments = converse(
        messages=[
            {"role": "system", "content": "Rules."},
            {"role": "user", "content": "Hi"},
            {"role": "developer", "content": [{"type": "text", "text": "More."}]},
        ]
    )
    assert arguments["system"] == [{"text": "Rules."}, {"text": "More."}]
    assert arguments["messages"] == [user({"text": "Hi"})]


def test_a_system_message_alone_is_the_users() -> None:
    arguments = converse(messages=[{"role": "system", "content": "Say hi."}])
    assert arguments["messages"] == [user({"text": "Say hi."})]
    assert "system" not in arguments


def test_a_conversation_that_the_assistant_begins_is_given_a_beginning() -> None:
    roles = [turn["role"] for turn in turns({"role": "assistant", "content": "Hello!"})]
    assert roles == ["user", "assistant"]


def test_images_in_data_urls_stay_base64() -> None:
    for kind, name in {"png": "png", "jpeg": "jpeg", "JPG": "jpeg", "webp": "webp"}.items():
        url = f"data:image/{kind};base64,{PIXEL}"
        parts = [{"type": "image_url", "image_url": {"url": url, "detail": "low"}}]
        image = {"format": name, "source": {"bytes": PIXEL}}
        assert turns({"role": "user", "content": parts}) == [user({"image": image})]


def test_calls_and_results_joined_into_the_turns_of_two_sides() -> None:
    assert turns(
        {"role": "user", "content": "Weather?"},
        {**calls(call("a", '{"city":"Rome"}'), call("b", "")), "content": "I look."},
        result("a"),
        result("b", [{"type": "text", "text": "rain"}]),
        {"role": "user", "content": "And?"},
    ) == [
        user({"text": "Weather?"}),
        {
            "role": "assistant",
            "content": [
                {"text": "I look."},
                {"toolUse": {"toolUseId": "a", "name": "weather", "input": {"city": "Rome"}}},
                {"toolUse": {"toolUseId": "b", "name": "weather", "input": {}}},
            ],
        },
        user(
            {"toolResult": {"toolUseId": "a", "content": [{"text": "sunny"}]}},
            {"toolResult": {"toolUseId": "b", "content": [{"text": "rain"}]}},
            {"text": "And?"},
        ),
    ]


@pytest.mark.parametrize("arguments", ["oops", "[1]", "null", '{"a":'])
def test_arguments_that_are_no_object_are_kept_whole(arguments: str) -> None:
    _, turn = turns({"role": "user", "content": "?"}, calls(call("a", arguments)))
    assert turn["content"][0]["toolUse"]["input"] == {"unparsed_arguments": arguments}


def test_ids_that_bedrock_refuses_are_replaced_alike_in_call_and_result() -> None:
    long = "call_" + "x" * 80
    made, given_back = turns(
        {"role": "user", "content": "?"}, calls(call(long), call("ä")), result(long), result("ä")
    )[1:]
    ids = [block["toolUse"]["toolUseId"] for block in made["content"]]
    assert ids == [block["toolResult"]["toolUseId"] for block in given_back["content"]]
    assert len(set(ids)) == 2
    assert all(len(id_) <= 64 and id_.isalnum() for id_ in ids)


def test_blank_texts_are_left_out_and_an_empty_result_says_so() -> None:
    assert turns(
        {"role": "user", "content": " \n"},
        {"role": "user", "content": "?"},
        {"role": "assistant", "content": ""},
        calls(call("a")),
        result("a", ""),
    ) == [
        user({"text": "?"}),
        {
            "role": "assistant",
            "content": [{"toolUse": {"toolUseId": "a", "name": "weather", "input": {}}}],
        },
        user({"toolResult": {"toolUseId": "a", "content": [{"text": "(empty)"}]}}),
    ]


def test_a_refusal_is_what_the_assistant_said() -> None:
    said = {"role": "assistant", "content": None, "refusal": "No."}
    parts = {"role": "assistant", "content": [{"type": "refusal", "refusal": "Never."}]}
    assert turns({"role": "user", "content": "?"}, said, parts)[1]["content"] == [
        {"text": "No."},
        {"text": "Never."},
    ]


def test_tools_and_the_choice_between_them() -> None:
    spec = {
        "name": "weather",
        "description": "Tells the weather",
        "inputSchema": {"json": WEATHER["function"]["parameters"]},  # type: ignore[index]
    }
    bare = {"name": "clock", "inputSchema": {"json": {"type": "object", "properties": {}}}}
    declared = [{"toolSpec": spec}, {"toolSpec": bare}]
    named = {"type": "function", "function": {"name": "clock"}}
    for choice, chosen in [
        (None, None),
        ("auto", None),
        ("required", {"any": {}}),
        (named, {"tool": {"name": "clock"}}),
    ]:
        config = converse(tools=[WEATHER, CLOCK], tool_choice=choice)["toolConfig"]
        assert config["tools"] == declared
        assert config.get("toolChoice") == chosen


def test_allowed_tools_leave_the_others_out() -> None:
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [CLOCK]}}
    config = converse(tools=[WEATHER, CLOCK], tool_choice=choice)["toolConfig"]
    assert [tool["toolSpec"]["name"] for tool in config["tools"]] == ["clock"]
    assert config["toolChoice"] == {"any": {}}


def test_a_choice_of_none_withholds_the_tools() -> None:
    assert set(converse(tools=[WEATHER], tool_choice="none")) == {"modelId", "messages"}


def test_amid_calls_tools_stay_declared_and_none_is_said_in_words() -> None:
    messages = [{"role": "user", "content": "?"}, calls(call("a")), result("a")]
    said = [{"text": "Answer without calling a tool."}]
    withheld = converse(messages=messages, tools=[CLOCK], tool_choice="none")
    assert withheld["system"] == said
    assert withheld["toolConfig"]["tools"][0]["toolSpec"]["name"] == "clock"
    undeclared = converse(messages=messages)
    assert "system" not in undeclared
    assert undeclared["toolConfig"]["tools"][0]["toolSpec"]["name"] == "weather"


def test_a_schema_is_an_output_format() -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    wanted = {"name": "n", "description": "d", "schema": schema, "strict": True}
    format_ = {"type": "json_schema", "json_schema": wanted}
    text_format = converse(response_format=format_)["outputConfig"]["textFormat"]
    told = text_format["structure"]["jsonSchema"]
    assert json.loads(told.pop("schema")) == schema
    assert text_format == {
        "type": "json_schema",
        "structure": {"jsonSchema": {"name": "n", "description": "d"}},
    }
    for other in ("text", "json_object"):
        assert "outputConfig" not in converse(response_format={"type": other})


def test_limits_and_sampling() -> None:
    arguments = converse(max_completion_tokens=9, temperature=1.4, top_p=0.9, stop=["a", " ", ""])
    assert arguments["inferenceConfig"] == {
        "maxTokens": 9,
        "temperature": 1.0,
        "topP": 0.9,
        "stopSequences": ["a"],
    }
    arguments = converse(max_tokens=7, stop="x")
    assert arguments["inferenceConfig"] == {"maxTokens": 7, "stopSequences": ["x"]}


@pytest.mark.parametrize(
    ("model", "kept"),
    [
        ("amazon.nova-pro-v1:0", {"temperature": 0.0, "topP": 0.9}),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", {"temperature": 0.0, "topP": 0.9}),
        ("anthropic.claude-opus-4-20250514-v1:0", {"temperature": 0.0, "topP": 0.9}),
        (SONNET_4_5, {"temperature": 0.0}),
        (OPUS_4_6, {"temperature": 0.0}),
        (OPUS_5, None),
    ],
)
def test_claudes_are_told_the_sampling_that_they_take(model: str, kept: Any) -> None:
    assert converse(model, temperature=0, top_p=0.9).get("inferenceConfig") == kept


def adaptive(effort: str, **shown: str) -> dict[str, Any]:
    return {"output_config": {"effort": effort}, "thinking": {"type": "adaptive", **shown}}


def budget(tokens: int) -> dict[str, Any]:
    return {"thinking": {"type": "enabled", "budget_tokens": tokens}}


def nova(effort: str) -> dict[str, Any]:
    return {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": effort}}


@pytest.mark.parametrize(
    ("model", "effort", "fields"),
    [
        (OPUS_5, "xhigh", adaptive("xhigh", display="summarized")),
        (OPUS_5, "none", {"output_config": {"effort": "low"}}),
        (OPUS_4_6, "medium", adaptive("medium")),
        (OPUS_4_6, "minimal", adaptive("low")),
        (OPUS_4_6, "xhigh", adaptive("high")),
        (f"arn:aws:bedrock:us-east-1:1:inference-profile/us.{OPUS_4_6}", "low", adaptive("low")),
        (SONNET_4_5, "minimal", budget(1024)),
        (SONNET_4_5, "high", budget(16384)),
        (SONNET_4_5, "none", None),
        ("anthropic.claude-3-7-sonnet-20250219-v1:0", "low", budget(2048)),
        ("anthropic.claude-opus-4-20250514-v1:0", "low", budget(2048)),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", "high", None),
        (NOVA, "high", nova("high")),
        (NOVA, "max", nova("high")),
        (NOVA, "low", nova("low")),
        (NOVA, "minimal", None),
        ("amazon.nova-pro-v1:0", "high", None),
        ("openai.gpt-oss-120b-1:0", "max", {"reasoning_effort": "high"}),
        ("openai.gpt-oss-120b-1:0", "none", {"reasoning_effort": "low"}),
        ("moonshot.kimi-k2-thinking", "medium", {"reasoning_effort": "medium"}),
        ("meta.llama4-maverick-17b-instruct-v1:0", "high", None),
        (OPUS_5, None, None),
    ],
)
def test_an_effort_is_told_as_the_models_family_wants_it(
    model: str, effort: str | None, fields: Any
) -> None:
    arguments = converse(model, reasoning_effort=effort)
    assert arguments.get("additionalModelRequestFields") == fields


def test_a_budget_leaves_half_of_the_limit_for_the_answer() -> None:
    def fields(most: int) -> Any:
        arguments = converse(SONNET_4_5, reasoning_effort="high", max_completion_tokens=most)
        return arguments.get("additionalModelRequestFields")

    assert fields(64000) == budget(16384)
    assert fields(4000) == budget(2000)
    assert fields(2000) is None


def test_thinking_takes_no_sampling() -> None:
    arguments = converse(SONNET_4_5, reasoning_effort="low", temperature=0.5, top_p=0.5)
    assert "inferenceConfig" not in arguments


def test_claude_does_not_think_where_a_tool_is_forced_on_it() -> None:
    forced = {"tools": [WEATHER], "tool_choice": "required", "reasoning_effort": "high"}
    assert "additionalModelRequestFields" not in converse(SONNET_4_5, **forced)
    fields = converse(OPUS_5, **forced)["additionalModelRequestFields"]
    assert fields == {"output_config": {"effort": "high"}}


def test_claude_does_not_think_by_budget_where_it_is_to_go_on() -> None:
    asked = {"role": "user", "content": "?"}
    amid_calls = [asked, calls(call("a")), result("a")]
    prefilled = [asked, {"role": "assistant", "content": "It is"}]
    for messages in (amid_calls, prefilled):
        going_on = {"messages": messages, "reasoning_effort": "low"}
        assert "additionalModelRequestFields" not in converse(SONNET_4_5, **going_on)
        assert "additionalModelRequestFields" in converse(OPUS_4_6, **going_on)


def test_a_limit_is_worth_more_to_nova_than_the_last_of_the_effort() -> None:
    arguments = converse(NOVA, reasoning_effort="high", max_tokens=50, temperature=0.5)
    assert arguments["additionalModelRequestFields"] == nova("medium")
    assert arguments["inferenceConfig"] == {"maxTokens": 50, "temperature": 0.5}
    assert "inferenceConfig" not in converse(NOVA, reasoning_effort="high", temperature=0.5)


def image(url: str) -> list[dict[str, Any]]:
    return [{"type": "image_url", "image_url": {"url": url}}]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        (
            {"messages": [{"role": "user", "content": image("https://example.org/cat.png")}]},
            "messages.0.content.0.image_url.url",
        ),
        (
            {"messages": [{"role": "user", "content": image("data:image/tiff;base64,eA==")}]},
            "messages.0.content.0.image_url.url",
        ),
        (
            {"messages": [{"role": "user", "content": image("data:image/png;base64,!")}]},
            "messages.0.content.0.image_url.url",
        ),
        (
            {"messages": [{"role": "system", "content": image(f"data:image/png;base64,{PIXEL}")}]},
            "messages.0.content",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]},
            "messages.0.content.0.type",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "messages.0.content.0.type",
        ),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": " "}]}, "messages"),
        ({"messages": [{"role": "function", "name": "n", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.tool_call_id"),
        ({"messages": [calls({"id": "a"})]}, "messages.0.tool_calls.0.function"),
        ({"functions": [{"name": "n"}]}, "functions"),
        ({"logprobs": True}, "logprobs"),
        ({"n": 2}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": 3}, "temperature"),
        ({"stop": [1]}, "stop.0"),
        ({"tools": [{"type": "custom"}]}, "tools.0.type"),
        ({"tools": [{"type": "function"}]}, "tools.0.function"),
        ({"tool_choice": "some"}, "tool_choice.type"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.function"),
        ({"tool_choice": {"type": "allowed_tools"}}, "tool_choice.allowed_tools"),
        ({"response_format": {"type": "grammar"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n"}}},
            "response_format.json_schema.schema",
        ),
        ({"reasoning_effort": "utmost"}, "reasoning_effort"),
    ],
)
def test_what_bedrock_cannot_serve_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        converse(**fields)
    assert refused.value.param == param
    assert str(refused.value).startswith(f"{param}: ")


texts = st.text(max_size=6)
names = st.from_regex(r"[a-zA-Z0-9_-]{1,8}", fullmatch=True)
parts = st.lists(
    st.one_of(
        st.fixed_dictionaries({"type": st.just("text"), "text": texts}),
        st.just(image(f"data:image/png;base64,{PIXEL}")[0]),
    ),
    max_size=3,
)
ids = st.text(min_size=1, max_size=80)
messages = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {"role": st.sampled_from(["system", "developer"]), "content": texts | st.none()}
        ),
        st.fixed_dictionaries({"role": st.just("user"), "content": texts | parts}),
        st.fixed_dictionaries(
            {
                "role": st.just("assistant"),
                "content": texts | st.none(),
                "tool_calls": st.none() | st.lists(st.builds(call, ids, texts, names), max_size=3),
            }
        ),
        st.builds(result, ids, texts | parts),
    ),
    max_size=8,
)
models = st.sampled_from([NOVA, SONNET_4_5, OPUS_4_6, OPUS_5, "openai.gpt-oss-20b-1:0"])
options = st.fixed_dictionaries(
    {},
    optional={
        "tools": st.sampled_from([[], [WEATHER], [WEATHER, CLOCK]]),
        "tool_choice": st.sampled_from(["none", "auto", "required"]),
        "reasoning_effort": st.sampled_from(["none", "low", "high", "max"]),
        "max_completion_tokens": st.integers(1, 10000),
        "temperature": st.floats(0, 2),
        "top_p": st.floats(0, 1),
        "stop": texts | st.lists(texts, max_size=3),
    },
)


@given(models, messages, options)
def test_botocore_takes_what_comes_of_any_conversation(
    model: str, asked: list[Any], fields: dict[str, Any]
) -> None:
    arguments = converse(model, messages=[*asked, {"role": "user", "content": "Hi"}], **fields)
    roles = [turn["role"] for turn in arguments["messages"]]
    assert roles[0] == "user"
    assert all(role != following for role, following in pairwise(roles))
    blocks = [block for turn in arguments["messages"] for block in turn["content"]]
    assert all(block["text"].strip() for block in blocks if "text" in block)
    if any("toolUse" in block for block in blocks):
        assert "toolConfig" in arguments
    spent = arguments.get("additionalModelRequestFields", {}).get("thinking", {})
    most = arguments.get("inferenceConfig", {}).get("maxTokens", 64000)
    assert spent.get("budget_tokens", 0) < most


NAMES = """model messages tools tool_choice response_format stop n type role content text function
name arguments tool_calls id tool_call_id image_url url json_schema schema parameters mode
allowed_tools reasoning_effort max_tokens temperature"""
WORDS = """system user assistant tool function text image_url json_schema allowed_tools required
data:image/png;base64,eA=="""
junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-1, 9)
    | st.text(max_size=3)
    | st.sampled_from(WORDS.split()),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES.split()), inner, max_size=5)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(NAMES.split()), junk, max_size=5), st.lists(junk))
def test_any_body_is_translated_or_refused(body: dict[str, Any], asked: list[Any]) -> None:
    for messages_ in (asked, [{"role": "user", "content": asked}]):
        with suppress(InvalidRequest):
            converse(**({"model": "m", **body, "messages": messages_}))
