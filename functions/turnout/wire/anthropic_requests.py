"""Requests between Anthropic Messages and OpenAI's chat completions, both ways."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from turnout.errors import InvalidRequest
from turnout.wire.anthropic_replies import tool_call, tool_input

DEFAULT_MAX_TOKENS: Final = 8192
"""Anthropic wants a limit; this one is within what every Claude since 3.5 can write."""
BUDGETS: Final[Mapping[str, int]] = {
    "minimal": 1024,
    "low": 2048,
    "medium": 8192,
    "high": 16384,
    "xhigh": 16384,
    "max": 16384,
}
"""Tokens to think with, by effort, for models that want a number. The other way a budget is the
highest of low, medium and high that asks for no more: low under 8192, high from 16384."""
_THINKS_SINCE: Final = (3, 7)
_ADAPTIVE_SINCE: Final = (4, 6)
"""From this Claude on thinking is told by effort; the later ones refuse a budget."""
_NO_SAMPLING_SINCE: Final = (4, 7)
"""From this Claude on temperature and top_p are refused, and thinking is shown on demand."""
_VERSION: Final = re.compile(r"claude-(?:[a-z]+-)?(\d+)(?:[-.](\d{1,2})(?!\d))?")
_IMAGE: Final = re.compile(r"data:(image/[\w.+-]+);base64,(.+)", re.IGNORECASE | re.DOTALL)
_NO_ID_SIGN: Final = re.compile(r"[^a-zA-Z0-9_-]")
_CHAT: Final = "chat completions"
_ANTHROPIC: Final = "Anthropic Messages"
_MOST_USER_CHARACTERS: Final = 64
_OPENING: Final = "(The conversation begins with you.)"

_Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
_Fields = dict[str, Any]


class _Wire(BaseModel):
    """What is carried over; what else a body holds is left behind."""

    model_config = ConfigDict(strict=True, extra="ignore")


_W = TypeVar("_W", bound=_Wire)


def _as_blocks(content: Any) -> Any:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


_Content = Annotated[list[_Fields], BeforeValidator(_as_blocks)]


class _Text(_Wire):
    text: str


class _Source(_Wire):
    type: str
    media_type: str = ""
    data: str = ""
    url: str = ""
    content: _Content = []


class _Sourced(_Wire):
    source: _Source
    title: str | None = None
    context: str | None = None


class _ToolUse(_Wire):
    id: str
    name: str
    input: _Fields


class _ToolResult(_Wire):
    tool_use_id: str
    content: _Content = []
    is_error: bool | None = None


class _Turn(_Wire):
    role: Literal["user", "assistant", "system"]
    content: _Content


class _Tool(_Wire):
    type: str | None = None
    name: str
    description: str | None = None
    input_schema: _Fields | None = None
    strict: bool | None = None


class _ToolChoice(_Wire):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class _Metadata(_Wire):
    user_id: str | None = None


class _Thinking(_Wire):
    type: Literal["enabled", "disabled", "adaptive", "between_tools"]
    budget_tokens: int | None = Field(default=None, ge=1024)


class _Format(_Wire):
    type: Literal["json_schema"]
    schema_: _Fields = Field(alias="schema")


class _OutputConfig(_Wire):
    effort: _Effort | None = None
    format: _Format | None = None


class _Messages(_Wire):
    model: str = Field(min_length=1)
    messages: list[_Turn] = Field(min_length=1)
    max_tokens: int = Field(gt=0)
    system: _Content = []
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
    wire = _read(_Messages, body)
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
    if system := _only_text(_parts(wire.system, "system"), "system"):
        yield {"role": "system", "content": system}
    for i, turn in enumerate(wire.messages):
        param = f"messages.{i}.content"
        match turn.role:
            case "user":
                yield from _user_messages(turn.content, param)
            case "assistant":
                yield _assistant_message(turn.content, param)
            case "system":
                text = _only_text(_parts(turn.content, param), param)
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
        result = _read(_ToolResult, block, f"{param}.{i}")
        parts = _parts(result.content, f"{param}.{i}.content")
        text = _text(parts)
        yield {
            "role": "tool",
            "tool_call_id": result.tool_use_id,
            # Chat has no flag for a failed call; the model is to know of it all the same.
            "content": f"Error: {text}" if result.is_error else text,
        }
        if images := [part for part in parts if part["type"] != "text"]:
            shown += [_text_part(f"Images from tool call {result.tool_use_id}:"), *images]
    if shown or said or not results:
        yield {"role": "user", "content": _content(shown + said)}


def _assistant_message(blocks: Iterable[_Fields], param: str) -> _Fields:
    texts, calls = [], []
    for i, block in enumerate(blocks):
        match block.get("type"):
            case "text":
                texts.append(_read(_Text, block, f"{param}.{i}").text)
            case "tool_use":
                calls.append(tool_call(_read(_ToolUse, block, f"{param}.{i}").model_dump()))
            case "thinking" | "redacted_thinking":
                pass
            case other:
                raise _uncarried(f"{param}.{i}", other, to=_CHAT)
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
            return _text_part(_read(_Text, block, param).text)
        case "image":
            return _image_part(_read(_Sourced, block, param).source, f"{param}.source")
        case "document":
            return _document_part(_read(_Sourced, block, param), f"{param}.source")
        case other:
            raise _uncarried(param, other, to=_CHAT)


def _text_part(text: str) -> _Fields:
    return {"type": "text", "text": text}


def _image_part(source: _Source, param: str) -> _Fields:
    match source.type:
        case "base64":
            url = f"data:{source.media_type};base64,{source.data}"
        case "url":
            url = source.url
        case other:
            raise _uncarried(param, f"an image's {other}", to=_CHAT)
    return {"type": "image_url", "image_url": {"url": url}}


def _document_part(document: _Sourced, param: str) -> _Fields:
    match document.source.type:
        case "text":
            text = document.source.data
        case "content":
            text = _only_text(_parts(document.source.content, param), param)
        case other:
            raise _uncarried(param, f"a document's {other}", to=_CHAT)
    head = [line for line in (document.title, document.context) if line]
    return _text_part("\n\n".join([*head, text]))


def _only_text(parts: Iterable[_Fields], param: str) -> str:
    """Return texts as one. Raises InvalidRequest where there is anything else among them."""
    parts = [*parts]
    if any(part["type"] != "text" for part in parts):
        raise _invalid(param, "only text can stand here")
    return _text(parts)


def _text(parts: Iterable[_Fields]) -> str:
    return "\n\n".join(part["text"] for part in parts if part["type"] == "text")


def _content(parts: Sequence[_Fields]) -> str | list[_Fields]:
    """Return texts as one string: not every model that reads no images takes parts."""
    return _text(parts) if all(part["type"] == "text" for part in parts) else [*parts]


def _chat_tools(wire: _Messages) -> _Fields:
    if not wire.tools:
        return {}
    fields: _Fields = {"tools": [_chat_tool(tool, i) for i, tool in enumerate(wire.tools)]}
    if choice := wire.tool_choice:
        if choice.type == "tool" and not choice.name:
            raise _invalid("tool_choice.name", "field required")
        named = {"type": "function", "function": {"name": choice.name}}
        modes = {"auto": "auto", "any": "required", "none": "none", "tool": named}
        fields["tool_choice"] = modes[choice.type]
        if choice.disable_parallel_tool_use:
            fields["parallel_tool_calls"] = False
    return fields


def _chat_tool(tool: _Tool, position: int) -> _Fields:
    if tool.type not in (None, "custom"):
        raise _uncarried(f"tools.{position}.type", f"the server tool {tool.type}", to=_CHAT)
    if tool.input_schema is None:
        raise _invalid(f"tools.{position}.input_schema", "field required")
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


class _ImageUrl(_Wire):
    url: str


class _ImagePart(_Wire):
    image_url: _ImageUrl


class _CalledFunction(_Wire):
    name: str
    arguments: str = ""


class _Call(_Wire):
    id: str
    function: _CalledFunction


class _Message(_Wire):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: _Content | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None
    tool_call_id: str | None = None
    function_call: _CalledFunction | None = None


class _Function(_Wire):
    name: str
    description: str | None = None
    parameters: _Fields | None = None


class _FunctionTool(_Wire):
    type: Literal["function"]
    function: _Function


class _Schema(_Wire):
    schema_: _Fields = Field(alias="schema")


class _ResponseFormat(_Wire):
    type: str
    json_schema: _Schema | None = None


class _Chat(_Wire):
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
    wire = _read(_Chat, body)
    turns, system = _turns(wire.messages), _system(wire.messages)
    if not turns and not system:
        raise _invalid("messages", "Anthropic wants a message that is not blank")
    if not turns:
        turns, system = [_user_turn(system)], ""
    if turns[0]["role"] != "user":
        # Chat may begin with the assistant's greeting, Messages may not.
        turns.insert(0, _user_turn(_OPENING))
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
    return {"role": "user", "content": [_text_part(text)]}


def _system(messages: Iterable[_Message]) -> str:
    texts = [
        _only_text(_blocks(message.content or (), f"messages.{i}.content"), f"messages.{i}.content")
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
            raise _invalid(f"{param}.tool_call_id", "field required")
        content = {"content": blocks} if blocks else {}
        yield {"type": "tool_result", "tool_use_id": _tool_use_id(called), **content}
        return
    yield from blocks
    if message.refusal:
        yield _text_part(message.refusal)
    for call in message.tool_calls or ():
        yield _tool_use(call.id, call.function)
    if message.function_call:
        yield _tool_use(f"function_{position}", message.function_call)


def _blocks(parts: Iterable[_Fields], param: str) -> Iterator[_Fields]:
    for i, part in enumerate(parts):
        match part.get("type"):
            case "text" | "refusal" as kind:
                text = _read(_Text, {"text": part.get(kind)}, f"{param}.{i}").text
                if text.strip():
                    yield _text_part(text)
            case "image_url":
                url = _read(_ImagePart, part, f"{param}.{i}").image_url.url
                yield {"type": "image", "source": _source(url, f"{param}.{i}.image_url.url")}
            case other:
                raise _uncarried(f"{param}.{i}", other, to=_ANTHROPIC)


def _source(url: str, param: str) -> _Fields:
    if match := _IMAGE.fullmatch(url):
        media_type = match[1].lower().replace("image/jpg", "image/jpeg")
        return {"type": "base64", "media_type": media_type, "data": match[2]}
    if url.lower().startswith(("https://", "http://")):
        return {"type": "url", "url": url}
    raise _invalid(param, "neither an http(s) URL nor a base64 data: URL of an image")


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
            raise _invalid("tool_choice", "not a choice that Anthropic knows")


def _is_forced(tools: Mapping[str, Any]) -> bool:
    return (tools.get("tool_choice") or {}).get("type") in ("any", "tool")


def _version(model: str) -> tuple[int, int]:
    """Return the version of the Claude that an id names. Of others the API is spoken by models
    that know its older form."""
    match = _VERSION.search(model.lower())
    return (int(match[1]), int(match[2] or 0)) if match else (0, 0)


def _reasoning(wire: _Chat, turns: Sequence[_Fields], *, forced: bool) -> _Fields:
    """Return `thinking` and `effort`. None of them where Anthropic would refuse it: it does not
    think where a tool is forced on it, nor, with a budget, where it is to go on with a turn."""
    effort, version = wire.reasoning_effort, _version(wire.model)
    if effort is None or (effort != "none" and effort not in BUDGETS):
        return {}
    if version >= _ADAPTIVE_SINCE:
        fields: _Fields = {"effort": _known_effort(effort, version)}
        if effort != "none" and not forced:
            fields["thinking"] = {"type": "adaptive"}
            if version >= _NO_SAMPLING_SINCE:
                # Unasked they think in silence, and the caller waits for a first sign.
                fields["thinking"]["display"] = "summarized"
        return fields
    if (0, 0) < version < _THINKS_SINCE or effort == "none" or forced or _goes_on(turns[-1]):
        return {}
    return {"thinking": {"type": "enabled", "budget_tokens": BUDGETS[effort]}}


def _known_effort(effort: str, version: tuple[int, int]) -> str:
    if effort in ("none", "minimal"):
        return "low"
    return "high" if effort == "xhigh" and version < _NO_SAMPLING_SINCE else effort


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
        raise _invalid("response_format.json_schema", "field required")
    return config | {"format": {"type": "json_schema", "schema": wanted.json_schema.schema_}}


def _sampling(wire: _Chat, reasoning: Mapping[str, Any]) -> _Fields:
    """Return temperature or top_p: Claudes since 4.1 take one of them, thinking ones neither."""
    if "thinking" in reasoning or _version(wire.model) >= _NO_SAMPLING_SINCE:
        return {}
    if wire.temperature is not None:
        # Chat's goes to 2, Anthropic's to 1.
        return {"temperature": min(max(wire.temperature, 0.0), 1.0)}
    return {"top_p": wire.top_p}


def _read(wire: type[_W], fields: Any, param: str = "") -> _W:
    """Return what is read of `fields`, which stand at `param`. Raises InvalidRequest."""
    try:
        return wire.model_validate(fields)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        path = ".".join([param, *map(str, detail["loc"])]).strip(".")
        raise _invalid(path, detail["msg"][0].lower() + detail["msg"][1:]) from None


def _uncarried(param: str, kind: object, *, to: str) -> InvalidRequest:
    return _invalid(param, f"{kind or 'what has no type'} is not carried over to {to}")


def _invalid(param: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"{param}: {why}" if param else why, param=param or None)
