"""A chat completions body becomes a request in Anthropic's messages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from turnout.wire.anthropic_replies import tool_input
from turnout.wire.claude import (
    ADAPTIVE_SINCE,
    BUDGETS,
    NO_SAMPLING_SINCE,
    OPENING,
    THINKS_SINCE,
    adaptive_thinking,
    known_effort,
    version,
)
from turnout.wire.parts import Content, Text, only_text, text_part
from turnout.wire.reading import Wire, invalid, read, uncarried

DEFAULT_MAX_TOKENS: Final = 8192
"""Anthropic wants a limit; this one is within what every Claude since 3.5 can write."""
_ANTHROPIC: Final = "Anthropic Messages"
_IMAGE: Final = re.compile(r"data:(image/[\w.+-]+);base64,(.+)", re.IGNORECASE | re.DOTALL)
_NO_ID_SIGN: Final = re.compile(r"[^a-zA-Z0-9_-]")

_Fields = dict[str, Any]


class _ImageUrl(Wire):
    url: str


class _ImagePart(Wire):
    image_url: _ImageUrl


class _CalledFunction(Wire):
    name: str
    arguments: str = ""


class _Call(Wire):
    id: str
    function: _CalledFunction


class _Message(Wire):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Content | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None
    tool_call_id: str | None = None
    function_call: _CalledFunction | None = None


class _Function(Wire):
    name: str
    description: str | None = None
    parameters: _Fields | None = None


class _FunctionTool(Wire):
    type: Literal["function"]
    function: _Function


class _Schema(Wire):
    schema_: _Fields = Field(alias="schema")


class _ResponseFormat(Wire):
    type: str
    json_schema: _Schema | None = None


class _Chat(Wire):
    model: str = Field(min_length=1)
    messages: list[_Message] = Field(min_length=1)
    max_tokens: int | None = Field(default=None, gt=0)
    max_completion_tokens: int | None = Field(default=None, gt=0)
    temperature: float | None = None
    top_p: float | None = None
    stop: Annotated[
        list[str] | None,
        BeforeValidator(lambda stop: [stop] if isinstance(stop, str) else stop),
    ] = None
    stream: bool | None = None
    user: str | None = None
    tools: list[_FunctionTool] | None = None
    functions: list[_Function] | None = None
    tool_choice: Any = None
    function_call: Any = None
    parallel_tool_calls: bool | None = None
    response_format: _ResponseFormat | None = None
    reasoning_effort: str | None = None


def messages_from_chat(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Messages request that asks for the same as a chat completion request.

    `model` is to be the upstream's own id: what a Claude is asked goes by its version. System
    messages, wherever they stand, become the one `system`. Left behind are fields that Anthropic
    has no equal of (seed, penalties, `n`, `logit_bias`, `json_object`, which wants the prompt to
    say so anyway), `strict` of a tool, whose schema Anthropic takes less of, earlier reasoning,
    which comes back unsigned, and text and stop sequences that are blank, which Anthropic refuses.
    Raises InvalidRequest naming the first field at fault, or the first part that is not carried.
    """
    wire = read(_Chat, body)
    turns, system = _turns(wire.messages), _system(wire.messages)
    if not turns and not system:
        raise invalid("messages", "Anthropic wants a message that is not blank")
    if not turns:
        turns, system = [_user_turn(system)], ""
    if turns[0]["role"] != "user":
        # Chat may begin with the assistant's greeting, Messages may not.
        turns.insert(0, _user_turn(OPENING))
    tools = _tools(wire)
    reasoning = _reasoning(wire, turns, forced=_is_forced(tools))
    request = {
        "model": wire.model,
        "max_tokens": _max_tokens(wire, reasoning),
        "system": system or None,
        "messages": turns,
        "stop_sequences": [stop for stop in wire.stop or () if stop.strip()] or None,
        "stream": wire.stream or None,
        "metadata": {"user_id": wire.user} if wire.user else None,
        "thinking": reasoning.get("thinking"),
        "output_config": _output_config(wire, reasoning) or None,
        **tools,
        **_sampling(wire, reasoning),
    }
    return {name: value for name, value in request.items() if value is not None}


def _user_turn(text: str) -> _Fields:
    return {"role": "user", "content": [text_part(text)]}


def _system(messages: Iterable[_Message]) -> str:
    texts = [
        only_text(_blocks(message.content or (), f"messages.{i}.content"), f"messages.{i}.content")
        for i, message in enumerate(messages)
        if message.role in ("system", "developer")
    ]
    return "\n\n".join(text for text in texts if text.strip())


def _turns(messages: Iterable[_Message]) -> list[_Fields]:
    """Return the messages as turns, those of one side joined, so that the sides alternate."""
    turns: list[_Fields] = []
    for i, message in enumerate(messages):
        if message.role in ("system", "developer"):
            continue
        role = "assistant" if message.role == "assistant" else "user"
        blocks = [*_message_blocks(message, i)]
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    return turns


def _message_blocks(message: _Message, position: int) -> Iterator[_Fields]:
    param = f"messages.{position}"
    blocks = [*_blocks(message.content or (), f"{param}.content")]
    if message.role in ("tool", "function"):
        # A function's result names no call; the call is the message before it.
        called = f"function_{position - 1}" if message.role == "function" else message.tool_call_id
        if not called:
            raise invalid(f"{param}.tool_call_id", "field required")
        content = {"content": blocks} if blocks else {}
        yield {"type": "tool_result", "tool_use_id": _tool_use_id(called), **content}
        return
    yield from blocks
    if message.refusal:
        yield text_part(message.refusal)
    for call in message.tool_calls or ():
        yield _tool_use(call.id, call.function)
    if message.function_call:
        yield _tool_use(f"function_{position}", message.function_call)


def _blocks(parts: Iterable[_Fields], param: str) -> Iterator[_Fields]:
    for i, part in enumerate(parts):
        match part.get("type"):
            case "text" | "refusal" as kind:
                text = read(Text, {"text": part.get(kind)}, f"{param}.{i}").text
                if text.strip():
                    yield text_part(text)
            case "image_url":
                url = read(_ImagePart, part, f"{param}.{i}").image_url.url
                yield {"type": "image", "source": _source(url, f"{param}.{i}.image_url.url")}
            case other:
                raise uncarried(f"{param}.{i}", other, to=_ANTHROPIC)


def _source(url: str, param: str) -> _Fields:
    if match := _IMAGE.fullmatch(url):
        media_type = match[1].lower().replace("image/jpg", "image/jpeg")
        return {"type": "base64", "media_type": media_type, "data": match[2]}
    if url.lower().startswith(("https://", "http://")):
        return {"type": "url", "url": url}
    raise invalid(param, "neither an http(s) URL nor a base64 data: URL of an image")


def _tool_use(call_id: str, function: _CalledFunction) -> _Fields:
    return {
        "type": "tool_use",
        "id": _tool_use_id(call_id),
        "name": function.name,
        "input": tool_input(function.arguments),
    }


def _tool_use_id(call_id: str) -> str:
    """Return the id as Anthropic takes it: other providers' ids may hold other signs."""
    return _NO_ID_SIGN.sub("_", call_id)


def _tools(wire: _Chat) -> _Fields:
    functions = [tool.function for tool in wire.tools or ()] + (wire.functions or [])
    if not functions:
        return {}
    choice = _tool_choice(wire.function_call if wire.tool_choice is None else wire.tool_choice)
    if wire.parallel_tool_calls is False and choice != {"type": "none"}:
        choice = {"type": "auto", **(choice or {}), "disable_parallel_tool_use": True}
    return {"tools": [_tool(function) for function in functions], "tool_choice": choice}


def _tool(function: _Function) -> _Fields:
    schema = {"type": "object", "properties": {}} | (function.parameters or {})
    tool = {"name": function.name, "input_schema": schema}
    return tool | ({"description": function.description} if function.description else {})


def _tool_choice(choice: Any) -> _Fields | None:
    match choice:
        case None:
            return None
        case "auto" | "none":
            return {"type": choice}
        case "required":
            return {"type": "any"}
        case {"function": {"name": str(name)}} | {"name": str(name)}:
            return {"type": "tool", "name": name}
        case _:
            raise invalid("tool_choice", "not a choice that Anthropic knows")


def _is_forced(tools: Mapping[str, Any]) -> bool:
    return (tools.get("tool_choice") or {}).get("type") in ("any", "tool")


def _reasoning(wire: _Chat, turns: Sequence[_Fields], *, forced: bool) -> _Fields:
    """Return `thinking` and `effort`. None of them where Anthropic would refuse it: it does not
    think where a tool is forced on it, nor, with a budget, where it is to go on with a turn."""
    effort, claude = wire.reasoning_effort, version(wire.model)
    if effort is None or (effort != "none" and effort not in BUDGETS):
        return {}
    if claude >= ADAPTIVE_SINCE:
        fields: _Fields = {"effort": known_effort(effort, claude)}
        if effort != "none" and not forced:
            fields["thinking"] = adaptive_thinking(claude)
        return fields
    if (0, 0) < claude < THINKS_SINCE or effort == "none" or forced or _goes_on(turns[-1]):
        return {}
    return {"thinking": {"type": "enabled", "budget_tokens": BUDGETS[effort]}}


def _goes_on(last: Mapping[str, Any]) -> bool:
    """Whether the model is to go on with what it wrote, or with what it called for. It wants its
    earlier thoughts back then, signed, and they are not kept."""
    blocks = last["content"]
    return last["role"] == "assistant" or any(block["type"] == "tool_result" for block in blocks)


def _max_tokens(wire: _Chat, reasoning: Mapping[str, Any]) -> int:
    """Return the limit. Thinking counts towards it: a budget that would fill it comes on top."""
    most = wire.max_completion_tokens or wire.max_tokens or DEFAULT_MAX_TOKENS
    budget: int = reasoning.get("thinking", {}).get("budget_tokens", 0)
    return most if most > budget else most + budget


def _output_config(wire: _Chat, reasoning: Mapping[str, Any]) -> _Fields:
    config = {"effort": reasoning["effort"]} if "effort" in reasoning else {}
    wanted = wire.response_format
    if wanted is None or wanted.type != "json_schema":
        return config
    if wanted.json_schema is None:
        raise invalid("response_format.json_schema", "field required")
    return config | {"format": {"type": "json_schema", "schema": wanted.json_schema.schema_}}


def _sampling(wire: _Chat, reasoning: Mapping[str, Any]) -> _Fields:
    """Return temperature or top_p: Claudes since 4.1 take one of them, thinking ones neither."""
    if "thinking" in reasoning or version(wire.model) >= NO_SAMPLING_SINCE:
        return {}
    if wire.temperature is not None:
        # Chat's goes to 2, Anthropic's to 1.
        return {"temperature": min(max(wire.temperature, 0.0), 1.0)}
    return {"top_p": wire.top_p}
