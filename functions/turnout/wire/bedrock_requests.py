"""A chat completion request becomes the arguments of Amazon Bedrock's Converse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import to_json

from turnout.wire.bedrock_blocks import Message, blocks, message_blocks
from turnout.wire.bedrock_reasoning import NOVA_HIGH, Effort, reasoning_fields
from turnout.wire.claude import NO_SAMPLING_SINCE, OPENING, version
from turnout.wire.reading import Wire, invalid, read

_REFUSED: Final[Mapping[str, str]] = {
    "functions": "Bedrock is given `tools`, which replaced functions",
    "logprobs": "Bedrock gives no log probabilities",
}


class _Function(Wire):
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None


class _Tool(Wire):
    type: Literal["function"]
    function: _Function


class _Schema(Wire):
    name: str
    description: str | None = None
    schema_: dict[str, Any] = Field(alias="schema")


class _ResponseFormat(Wire):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: _Schema | None = None


class _Allowed(Wire):
    mode: Literal["auto", "required"]
    tools: list[_Tool]


class _Choice(Wire):
    type: Literal["none", "auto", "required", "function", "allowed_tools"]
    function: _Function | None = None
    allowed_tools: _Allowed | None = None


class _Chat(Wire):
    model: str
    messages: list[Message]
    max_tokens: int | None = Field(default=None, gt=0)
    max_completion_tokens: int | None = Field(default=None, gt=0)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    n: int | None = Field(default=None, le=1)
    stop: Annotated[
        list[str] | None,
        BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    ] = None
    tools: list[_Tool] | None = None
    tool_choice: Annotated[
        _Choice | None,
        BeforeValidator(lambda value: {"type": value} if isinstance(value, str) else value),
    ] = None
    response_format: _ResponseFormat | None = None
    reasoning_effort: Effort | None = None


def converse_from_chat(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of Converse, or of ConverseStream, that ask for the same.

    A schema goes as `outputConfig`, not as a forced tool: so the answer stays text, in a stream as
    well, and leaves the caller's tools and the model's thinking alone. Left behind are `strict` of
    a tool, which most models refuse, `parallel_tool_calls`, `json_object`, which wants the prompt to
    say so anyway, earlier reasoning, seed, penalties, and blank texts, which Bedrock refuses.
    Raises InvalidRequest naming the first field at fault, or the first that Bedrock cannot serve.
    """
    for field, why in _REFUSED.items():
        if body.get(field):
            raise invalid(field, why)
    chat = read(_Chat, body)
    tools = _tool_config(chat)
    turns, system = _turns(chat), list(_system(chat, tools))
    if not turns:
        # Chat may hold a system message alone, or begin with the assistant; Converse may not.
        turns, system = [{"role": "user", "content": system}], []
    if turns[0]["role"] != "user":
        turns.insert(0, {"role": "user", "content": [{"text": OPENING}]})
    if not turns[0]["content"]:
        raise invalid("messages", "Bedrock wants a message that is not blank")
    reasoning = {}
    if chat.reasoning_effort:
        reasoning = reasoning_fields(
            chat.model,
            chat.reasoning_effort,
            most_tokens=_most_tokens(chat),
            last=turns[-1],
            forced="toolChoice" in tools,
        )
    arguments = {
        "modelId": chat.model,
        "messages": turns,
        "system": system,
        "inferenceConfig": _inference_config(chat, reasoning),
        "toolConfig": tools,
        "outputConfig": _output_config(chat),
        "additionalModelRequestFields": reasoning,
    }
    return {name: value for name, value in arguments.items() if value}


def _turns(chat: _Chat) -> list[dict[str, Any]]:
    """Return the messages, those of one side joined: Converse wants the sides to alternate."""
    turns: list[dict[str, Any]] = []
    for i, message in enumerate(chat.messages):
        if message.role in ("system", "developer"):
            continue
        role = "assistant" if message.role == "assistant" else "user"
        made = list(message_blocks(message, f"messages.{i}"))
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += made
        elif made:
            turns.append({"role": role, "content": made})
    return turns


def _system(chat: _Chat, tools: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for i, message in enumerate(chat.messages):
        if message.role in ("system", "developer"):
            for block in blocks(message.content or (), f"messages.{i}.content"):
                if "text" not in block:
                    raise invalid(f"messages.{i}.content", "a system prompt is text alone")
                yield block
    if tools and chat.tool_choice and chat.tool_choice.type == "none":
        yield {"text": "Answer without calling a tool."}


def _tool_config(chat: _Chat) -> dict[str, Any]:
    """Return the tools and which of them are to be called.

    There is no choice of none: the tools are withheld then. But where the messages hold calls,
    Converse wants tools declared whatever the choice: those called stand in if need be, and that
    none is to be called is said in the system prompt.
    """
    choice = chat.tool_choice or _Choice(type="auto")
    if choice.type in ("function", "allowed_tools") and getattr(choice, choice.type) is None:
        raise invalid(f"tool_choice.{choice.type}", "field required")
    functions = [tool.function for tool in chat.tools or ()]
    kind: str = choice.type
    if kind == "allowed_tools" and choice.allowed_tools:
        kind = choice.allowed_tools.mode
        allowed = {tool.function.name for tool in choice.allowed_tools.tools}
        functions = [function for function in functions if function.name in allowed]
    called = {call.function.name for message in chat.messages for call in message.tool_calls or ()}
    if kind == "none" and not called:
        return {}
    functions = functions or [_Function(name=name) for name in sorted(called)]
    if not functions:
        return {}
    config: dict[str, Any] = {"tools": [{"toolSpec": _tool_spec(each)} for each in functions]}
    # `auto` is what Converse does unasked, and not every model takes a choice.
    if kind == "required":
        config["toolChoice"] = {"any": {}}
    elif kind == "function" and choice.function:
        config["toolChoice"] = {"tool": {"name": choice.function.name}}
    return config


def _tool_spec(function: _Function) -> dict[str, Any]:
    schema = function.parameters or {"type": "object", "properties": {}}
    spec: dict[str, Any] = {"name": function.name, "inputSchema": {"json": schema}}
    return spec | ({"description": function.description} if function.description else {})


def _output_config(chat: _Chat) -> dict[str, Any]:
    if chat.response_format is None or chat.response_format.type != "json_schema":
        return {}
    wanted = chat.response_format.json_schema
    if wanted is None:
        raise invalid("response_format.json_schema", "field required")
    schema = {"name": wanted.name, "schema": to_json(wanted.schema_).decode()}
    if wanted.description:
        schema["description"] = wanted.description
    return {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": schema}}}


def _inference_config(chat: _Chat, reasoning: Mapping[str, Any]) -> dict[str, Any]:
    temperature, top_p, claude = chat.temperature, chat.top_p, version(chat.model)
    if "thinking" in reasoning or claude >= NO_SAMPLING_SINCE or reasoning == NOVA_HIGH:
        # These refuse both: thinking Claudes, all Claudes since Opus 4.7, Nova at high effort.
        temperature = top_p = None
    elif claude >= (4, 1) and temperature is not None:
        top_p = None
    config = {
        "maxTokens": _most_tokens(chat),
        # OpenAI's goes to 2, Converse's to 1.
        "temperature": None if temperature is None else min(temperature, 1.0),
        "topP": top_p,
        "stopSequences": [stop for stop in chat.stop or () if stop.strip()] or None,
    }
    return {name: value for name, value in config.items() if value is not None}


def _most_tokens(chat: _Chat) -> int | None:
    return chat.max_completion_tokens or chat.max_tokens
