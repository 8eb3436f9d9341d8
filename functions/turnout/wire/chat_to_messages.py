"""A chat completions body becomes a request in Anthropic's messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from turnout.wire.anthropic_blocks import Message, blocks, message_blocks
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
from turnout.wire.parts import only_text, text_part
from turnout.wire.reading import Wire, invalid, read

DEFAULT_MAX_TOKENS: Final = 8192
"""Anthropic wants a limit; this one is within what every Claude since 3.5 can write."""

_Fields = dict[str, Any]


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
    messages: list[Message] = Field(min_length=1)
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


def _system(messages: Iterable[Message]) -> str:
    texts = [
        only_text(blocks(message.content or (), f"messages.{i}.content"), f"messages.{i}.content")
        for i, message in enumerate(messages)
        if message.role in ("system", "developer")
    ]
    return "\n\n".join(text for text in texts if text.strip())


def _turns(messages: Iterable[Message]) -> list[_Fields]:
    """Return the messages as turns, those of one side joined, so that the sides alternate."""
    turns: list[_Fields] = []
    for i, message in enumerate(messages):
        if message.role in ("system", "developer"):
            continue
        role = "assistant" if message.role == "assistant" else "user"
        made = [*message_blocks(message, i)]
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += made
        elif made:
            turns.append({"role": role, "content": made})
    return turns


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
