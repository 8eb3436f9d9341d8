"""A request in Anthropic's messages becomes a chat completions body."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from pydantic import Field

from turnout.wire.anthropic_replies import tool_call
from turnout.wire.claude import (
    BUDGETS,
)
from turnout.wire.parts import Content, Text, joined_text, only_text, text_part
from turnout.wire.reading import Wire, invalid, read, uncarried

_CHAT: Final = "chat completions"
_MOST_USER_CHARACTERS: Final = 64

_Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
_Fields = dict[str, Any]


class _Source(Wire):
    type: str
    media_type: str = ""
    data: str = ""
    url: str = ""
    content: Content = Field(default_factory=list)


class _Sourced(Wire):
    source: _Source
    title: str | None = None
    context: str | None = None


class _ToolUse(Wire):
    id: str
    name: str
    input: _Fields


class _ToolResult(Wire):
    tool_use_id: str
    content: Content = Field(default_factory=list)
    is_error: bool | None = None


class _Turn(Wire):
    role: Literal["user", "assistant", "system"]
    content: Content


class _Tool(Wire):
    type: str | None = None
    name: str
    description: str | None = None
    input_schema: _Fields | None = None
    strict: bool | None = None


class _ToolChoice(Wire):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class _Metadata(Wire):
    user_id: str | None = None


class _Thinking(Wire):
    type: Literal["enabled", "disabled", "adaptive", "between_tools"]
    budget_tokens: int | None = Field(default=None, ge=1024)


class _Format(Wire):
    type: Literal["json_schema"]
    schema_: _Fields = Field(alias="schema")


class _OutputConfig(Wire):
    effort: _Effort | None = None
    format: _Format | None = None


class _Messages(Wire):
    model: str = Field(min_length=1)
    messages: list[_Turn] = Field(min_length=1)
    max_tokens: int = Field(gt=0)
    system: Content = Field(default_factory=list)
    temperature: float | None = Field(default=None, ge=0, le=1)
    top_p: float | None = Field(default=None, ge=0, le=1)
    stop_sequences: list[str] | None = None
    stream: bool | None = None
    tools: list[_Tool] | None = None
    tool_choice: _ToolChoice | None = None
    metadata: _Metadata | None = None
    thinking: _Thinking | None = None
    output_config: _OutputConfig | None = None
    output_format: _Format | None = None


def chat_from_messages(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the chat completion request that asks for the same as a body of `POST /v1/messages`.

    Left behind are thinking in earlier turns, which only Anthropic can read, `cache_control`,
    citations, `top_k`, and what the service is told about itself (`service_tier`, `container`).
    Raises InvalidRequest naming the first field at fault, or the first that chat cannot carry:
    tools and files of Anthropic's servers, and documents that are not text.
    """
    wire = read(_Messages, body)
    chat = {
        "model": wire.model,
        "messages": [*_chat_messages(wire)],
        "max_tokens": wire.max_tokens,
        "temperature": wire.temperature,
        "top_p": wire.top_p,
        "stop": wire.stop_sequences or None,
        "user": _user(wire.metadata),
        "reasoning_effort": _effort(wire),
        "response_format": _response_format(wire),
        **_chat_tools(wire),
    }
    if wire.stream:
        chat |= {"stream": True, "stream_options": {"include_usage": True}}
    return {name: value for name, value in chat.items() if value is not None}


def _chat_messages(wire: _Messages) -> Iterator[_Fields]:
    if system := only_text(_parts(wire.system, "system"), "system"):
        yield {"role": "system", "content": system}
    for i, turn in enumerate(wire.messages):
        param = f"messages.{i}.content"
        match turn.role:
            case "user":
                yield from _user_messages(turn.content, param)
            case "assistant":
                yield _assistant_message(turn.content, param)
            case "system":
                text = only_text(_parts(turn.content, param), param)
                yield {"role": "system", "content": text}


def _user_messages(blocks: Iterable[_Fields], param: str) -> Iterator[_Fields]:
    """Yield the results first: chat wants them right after the calls. Its results hold text alone,
    so that their images go into the user's message, which says whose they are."""
    shown: list[_Fields] = []
    said: list[_Fields] = []
    results = 0
    for i, block in enumerate(blocks):
        if block.get("type") != "tool_result":
            said.append(_part(block, f"{param}.{i}"))
            continue
        results += 1
        result = read(_ToolResult, block, f"{param}.{i}")
        parts = _parts(result.content, f"{param}.{i}.content")
        text = joined_text(parts)
        yield {
            "role": "tool",
            "tool_call_id": result.tool_use_id,
            # Chat has no flag for a failed call; the model is to know of it all the same.
            "content": f"Error: {text}" if result.is_error else text,
        }
        if images := [part for part in parts if part["type"] != "text"]:
            shown += [text_part(f"Images from tool call {result.tool_use_id}:"), *images]
    if shown or said or not results:
        yield {"role": "user", "content": _content(shown + said)}


def _assistant_message(blocks: Iterable[_Fields], param: str) -> _Fields:
    texts, calls = [], []
    for i, block in enumerate(blocks):
        match block.get("type"):
            case "text":
                texts.append(read(Text, block, f"{param}.{i}").text)
            case "tool_use":
                calls.append(tool_call(read(_ToolUse, block, f"{param}.{i}").model_dump()))
            case "thinking" | "redacted_thinking":
                pass
            case other:
                raise uncarried(f"{param}.{i}", other, to=_CHAT)
    # Text is cut into blocks where it cites or calls; the model wrote it as one.
    text = "".join(texts)
    if not calls:
        return {"role": "assistant", "content": text}
    return {"role": "assistant", "content": text or None, "tool_calls": calls}


def _parts(blocks: Iterable[_Fields], param: str) -> list[_Fields]:
    return [_part(block, f"{param}.{i}") for i, block in enumerate(blocks)]


def _part(block: _Fields, param: str) -> _Fields:
    match block.get("type"):
        case "text":
            return text_part(read(Text, block, param).text)
        case "image":
            return _image_part(read(_Sourced, block, param).source, f"{param}.source")
        case "document":
            return _document_part(read(_Sourced, block, param), f"{param}.source")
        case other:
            raise uncarried(param, other, to=_CHAT)


def _image_part(source: _Source, param: str) -> _Fields:
    match source.type:
        case "base64":
            url = f"data:{source.media_type};base64,{source.data}"
        case "url":
            url = source.url
        case other:
            raise uncarried(param, f"an image's {other}", to=_CHAT)
    return {"type": "image_url", "image_url": {"url": url}}


def _document_part(document: _Sourced, param: str) -> _Fields:
    match document.source.type:
        case "text":
            text = document.source.data
        case "content":
            text = only_text(_parts(document.source.content, param), param)
        case other:
            raise uncarried(param, f"a document's {other}", to=_CHAT)
    head = [line for line in (document.title, document.context) if line]
    return text_part("\n\n".join([*head, text]))


def _content(parts: Sequence[_Fields]) -> str | list[_Fields]:
    """Return texts as one string: not every model that reads no images takes parts."""
    return joined_text(parts) if all(part["type"] == "text" for part in parts) else [*parts]


def _chat_tools(wire: _Messages) -> _Fields:
    if not wire.tools:
        return {}
    fields: _Fields = {"tools": [_chat_tool(tool, i) for i, tool in enumerate(wire.tools)]}
    if choice := wire.tool_choice:
        if choice.type == "tool" and not choice.name:
            raise invalid("tool_choice.name", "field required")
        named = {"type": "function", "function": {"name": choice.name}}
        modes = {"auto": "auto", "any": "required", "none": "none", "tool": named}
        fields["tool_choice"] = modes[choice.type]
        if choice.disable_parallel_tool_use:
            fields["parallel_tool_calls"] = False
    return fields


def _chat_tool(tool: _Tool, position: int) -> _Fields:
    if tool.type not in (None, "custom"):
        raise uncarried(f"tools.{position}.type", f"the server tool {tool.type}", to=_CHAT)
    if tool.input_schema is None:
        raise invalid(f"tools.{position}.input_schema", "field required")
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.input_schema,
        "strict": tool.strict,
    }
    given = {name: value for name, value in function.items() if value is not None}
    return {"type": "function", "function": given}


def _user(metadata: _Metadata | None) -> str | None:
    """Return the user's id; a long one by its hash, since OpenAI takes 64 characters and Claude Code
    sends more."""
    user = metadata.user_id if metadata else None
    if user and len(user) > _MOST_USER_CHARACTERS:
        return hashlib.sha256(user.encode("utf-8", "replace")).hexdigest()
    return user or None


def _effort(wire: _Messages) -> str | None:
    """Return the effort that a budget or `output_config` asks for. Adaptive thinking alone asks for
    none, since it leaves it to the model, and chat models that cannot reason refuse an effort."""
    thinking = wire.thinking
    if thinking and thinking.type == "disabled":
        return None
    if thinking and thinking.budget_tokens:
        efforts = [
            name for name in ("low", "medium", "high") if BUDGETS[name] <= thinking.budget_tokens
        ]
        return efforts[-1] if efforts else "low"
    return wire.output_config.effort if wire.output_config else None


def _response_format(wire: _Messages) -> _Fields | None:
    wanted = (wire.output_config and wire.output_config.format) or wire.output_format
    if wanted is None:
        return None
    # Not `strict`: OpenAI's strict schemas must require every property, Anthropic's need not.
    return {"type": "json_schema", "json_schema": {"name": "reply", "schema": wanted.schema_}}
