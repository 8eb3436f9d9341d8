"""The messages of a chat completion request as Anthropic's blocks: text, images, calls and their results."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal

from turnout.wire.anthropic_replies import tool_input
from turnout.wire.parts import Content, Text, text_part
from turnout.wire.reading import Wire, invalid, read, uncarried

_ANTHROPIC: Final = "Anthropic Messages"
_IMAGE: Final = re.compile(r"data:(image/[\w.+-]+);base64,(.+)", re.IGNORECASE | re.DOTALL)
_NO_ID_SIGN: Final = re.compile(r"[^a-zA-Z0-9_-]")

_Fields = dict[str, Any]


class _ImageUrl(Wire):
    url: str


class _ImagePart(Wire):
    image_url: _ImageUrl


class CalledFunction(Wire):
    name: str
    arguments: str = ""


class _Call(Wire):
    id: str
    function: CalledFunction


class Message(Wire):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Content | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None
    tool_call_id: str | None = None
    function_call: CalledFunction | None = None


def message_blocks(message: Message, position: int) -> Iterator[_Fields]:
    """Yield the blocks of a message that is no system message."""
    param = f"messages.{position}"
    said = [*blocks(message.content or (), f"{param}.content")]
    if message.role in ("tool", "function"):
        # A function's result names no call; the call is the message before it.
        called = f"function_{position - 1}" if message.role == "function" else message.tool_call_id
        if not called:
            raise invalid(f"{param}.tool_call_id", "field required")
        content = {"content": said} if said else {}
        yield {"type": "tool_result", "tool_use_id": _tool_use_id(called), **content}
        return
    yield from said
    if message.refusal:
        yield text_part(message.refusal)
    for call in message.tool_calls or ():
        yield _tool_use(call.id, call.function)
    if message.function_call:
        yield _tool_use(f"function_{position}", message.function_call)


def blocks(parts: Iterable[_Fields], param: str) -> Iterator[_Fields]:
    """Yield the blocks of a message's parts. Raises InvalidRequest for one that is not carried."""
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


def _tool_use(call_id: str, function: CalledFunction) -> _Fields:
    return {
        "type": "tool_use",
        "id": _tool_use_id(call_id),
        "name": function.name,
        "input": tool_input(function.arguments),
    }


def _tool_use_id(call_id: str) -> str:
    """Return the id as Anthropic takes it: other providers' ids may hold other signs."""
    return _NO_ID_SIGN.sub("_", call_id)
