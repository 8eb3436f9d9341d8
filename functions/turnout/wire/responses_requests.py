"""A request in OpenAI's Responses format becomes one for chat completions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BeforeValidator, Field

from turnout.wire.reading import Wire, invalid, read

_REFUSED: Final[Mapping[str, str]] = {
    "previous_response_id": "Turnout keeps no responses; send the whole conversation as `input`",
    "conversation": "Turnout keeps no conversations; send the whole conversation as `input`",
    "background": "Turnout keeps no responses to be fetched later; stream this one",
    "prompt": "Turnout keeps no prompt templates; send `instructions` and `input`",
    "context_management": "Turnout does not compact conversations",
    "moderation": "Turnout does not moderate",
    "top_logprobs": "log probabilities are given by /v1/chat/completions alone",
}
_SAME_IN_CHAT: Final = {
    "model",
    "temperature",
    "top_p",
    "metadata",
    "user",
    "service_tier",
    "prompt_cache_key",
    "safety_identifier",
}
_T = TypeVar("_T")
_TEXTS: Final = frozenset({"input_text", "output_text", "text"})


class _Part(Wire):
    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = None
    detail: str | None = None
    file_data: str | None = None
    filename: str | None = None


def _as_parts(content: Any) -> Any:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


_Parts = Annotated[list[_Part], BeforeValidator(_as_parts)]


class _Item(Wire):
    type: str = "message"
    role: Literal["user", "assistant", "system", "developer"] = "user"
    content: _Parts | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    output: _Parts | None = None


class _Tool(Wire):
    type: str
    name: str | None = None
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class _Choice(Wire):
    type: str
    name: str | None = None
    mode: Literal["auto", "required"] = "auto"
    tools: list[_Choice] = Field(default_factory=list)


class _Format(Wire):
    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    description: str | None = None
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")
    strict: bool | None = None


class _Text(Wire):
    format: _Format = _Format(type="text")
    verbosity: str | None = None


class _Reasoning(Wire):
    effort: str | None = None


class _Request(Wire):
    model: str = Field(min_length=1)
    input: Annotated[
        list[_Item],
        Field(min_length=1),
        BeforeValidator(lambda value: [{"content": value}] if isinstance(value, str) else value),
    ]
    instructions: str | None = None
    tools: list[_Tool] | None = None
    tool_choice: Annotated[
        _Choice | None,
        BeforeValidator(lambda value: {"type": value} if isinstance(value, str) else value),
    ] = None
    parallel_tool_calls: bool | None = None
    text: _Text | None = None
    reasoning: _Reasoning | None = None
    max_output_tokens: int | None = Field(default=None, gt=0)
    temperature: float | None = None
    top_p: float | None = None
    stream: bool | None = None
    metadata: dict[str, str] | None = None
    user: str | None = None
    service_tier: str | None = None
    prompt_cache_key: str | None = None
    safety_identifier: str | None = None


def chat_from_response_request(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the chat completion request that asks for the same.

    `store`, `include`, `truncation`, `max_tool_calls` and the reasoning's `summary` are left behind.
    Raises InvalidRequest naming the first field at fault, or the first that needs what the router
    does not keep or offer.
    """
    for field, why in _REFUSED.items():
        if body.get(field):
            raise invalid(field, why)
    wire = read(_Request, body)
    chat = wire.model_dump(include=_SAME_IN_CHAT, exclude_none=True)
    return chat | {"messages": _messages(wire)} | _tool_fields(wire) | dict(_options(wire))


def _needed(value: _T | None, param: str) -> _T:
    if value is None:
        raise invalid(param, "field required")
    return value


def _options(wire: _Request) -> Iterator[tuple[str, Any]]:
    if wire.max_output_tokens:
        yield "max_completion_tokens", wire.max_output_tokens
    if wire.reasoning and wire.reasoning.effort:
        yield "reasoning_effort", wire.reasoning.effort
    if wire.text and wire.text.verbosity:
        yield "verbosity", wire.text.verbosity
    if wire.text and wire.text.format.type != "text":
        yield "response_format", _response_format(wire.text.format)
    if wire.stream:
        yield "stream", True
        # The last event of the Responses format has the usage, whether it was asked for or not.
        yield "stream_options", {"include_usage": True}


def _response_format(wire: _Format) -> dict[str, Any]:
    if wire.type == "json_object":
        return {"type": "json_object"}
    _needed(wire.name, "text.format.name")
    _needed(wire.schema_, "text.format.schema")
    schema = wire.model_dump(by_alias=True, exclude={"type"}, exclude_none=True)
    return {"type": "json_schema", "json_schema": schema}


def _messages(wire: _Request) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    if wire.instructions:
        messages.append({"role": "system", "content": wire.instructions})
    for i, item in enumerate(wire.input):
        _add(messages, item, f"input.{i}")
    if all(message["role"] == "system" for message in messages):
        raise invalid("input", "holds no message")
    return messages


def _add(messages: list[dict[str, Any]], item: _Item, param: str) -> None:
    """Add the item. What one assistant turn says and calls are items here, one message there."""
    last = messages[-1] if messages and messages[-1]["role"] == "assistant" else None
    match item.type:
        case "message":
            message = _message(item, f"{param}.content")
            if last and "tool_calls" in last and message["role"] == "assistant":
                # Nothing may come between calls and their results in chat completions.
                said = (last["content"], message["content"])
                last |= message | {"content": "\n".join(filter(None, said))}
            else:
                messages.append(message)
        case "function_call":
            if last is None:
                messages.append(last := {"role": "assistant", "content": None})
            last.setdefault("tool_calls", []).append(_call(item, param))
        case "function_call_output":
            messages.append(_result(item, param))
        case "reasoning":
            pass
        case "item_reference":
            raise invalid(param, "Turnout keeps no items; send the item itself")
        case _:
            raise invalid(f"{param}.type", f"{item.type} items cannot be carried to other models")


def _message(item: _Item, param: str) -> dict[str, Any]:
    parts = _needed(item.content, param)
    if item.role == "assistant":
        return _assistant(parts, param)
    # Every upstream knows `system`; `developer` is OpenAI's alone.
    role = "system" if item.role == "developer" else item.role
    return {"role": role, "content": _content(parts, param)}


def _call(item: _Item, param: str) -> dict[str, Any]:
    function = {
        "name": _needed(item.name, f"{param}.name"),
        "arguments": _needed(item.arguments, f"{param}.arguments"),
    }
    call_id = _needed(item.call_id, f"{param}.call_id")
    return {"id": call_id, "type": "function", "function": function}


def _result(item: _Item, param: str) -> dict[str, Any]:
    call_id = _needed(item.call_id, f"{param}.call_id")
    content = _content(_needed(item.output, f"{param}.output"), f"{param}.output")
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def _assistant(parts: list[_Part], param: str) -> dict[str, Any]:
    for i, part in enumerate(parts):
        if part.type not in _TEXTS and part.type != "refusal":
            raise invalid(f"{param}.{i}.type", f"an assistant message cannot hold {part.type}")
    message: dict[str, Any] = {
        "role": "assistant",
        "content": "".join(part.text or "" for part in parts),
    }
    if refusal := "".join(part.refusal or "" for part in parts):
        message["refusal"] = refusal
    return message


def _content(parts: list[_Part], param: str) -> str | list[dict[str, Any]]:
    """Return the parts, or a string for a lone text, which no upstream fails to take."""
    content = [_part(part, f"{param}.{i}") for i, part in enumerate(parts)]
    if len(content) == 1 and content[0]["type"] == "text":
        return str(content[0]["text"])
    return content


def _part(part: _Part, param: str) -> dict[str, Any]:
    match part.type:
        case kind if kind in _TEXTS:
            return {"type": "text", "text": _needed(part.text, f"{param}.text")}
        case "input_image" if part.image_url:
            detail = {"detail": part.detail} if part.detail else {}
            return {"type": "image_url", "image_url": {"url": part.image_url, **detail}}
        case "input_file" if part.file_data:
            name = {"filename": part.filename} if part.filename else {}
            return {"type": "file", "file": {"file_data": part.file_data, **name}}
        case "input_image" | "input_file":
            raise invalid(param, "Turnout keeps no files; send the data itself")
        case _:
            raise invalid(f"{param}.type", f"{part.type} cannot be carried to other models")


def _tool_fields(wire: _Request) -> dict[str, Any]:
    """Return the tools and what goes with them. `allowed_tools` leaves the others out: the model
    is told the same, and upstreams other than OpenAI know no such choice."""
    tools = [_tool(tool, f"tools.{i}") for i, tool in enumerate(wire.tools or ())]
    chosen: Any = None
    match wire.tool_choice:
        case _Choice(type="none" | "auto" | "required" as chosen):
            pass
        case _Choice(type="function", name=str(name)):
            chosen = {"type": "function", "function": {"name": name}}
        case _Choice(type="allowed_tools", tools=allowed, mode=chosen):
            names = {choice.name for choice in allowed if choice.type == "function"}
            tools = [tool for tool in tools if tool["function"]["name"] in names]
            if not tools:
                raise invalid("tool_choice.tools", "names none of the functions in `tools`")
        case _Choice(type=other):
            raise invalid("tool_choice", f"{other} is neither a mode nor a function")
    if not tools:
        # Chat completions refuse both fields where there are no tools.
        return {}
    fields = {"tool_choice": chosen, "parallel_tool_calls": wire.parallel_tool_calls}
    return {"tools": tools} | {name: value for name, value in fields.items() if value is not None}


def _tool(tool: _Tool, param: str) -> dict[str, Any]:
    if tool.type != "function":
        why = f"{tool.type} is run by OpenAI, not by the model; only functions reach other models"
        raise invalid(f"{param}.type", why)
    _needed(tool.name, f"{param}.name")
    return {
        "type": "function",
        "function": tool.model_dump(exclude={"type"}, exclude_none=True),
    }
