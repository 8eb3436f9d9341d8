"""The messages of a chat completion request as Converse's blocks: text, images, calls and their results."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator
from pydantic_core import from_json

from turnout.wire.reading import Wire, invalid

_IMAGE: Final = re.compile(
    r"data:image/(png|jpe?g|gif|webp);base64,(.+)", re.IGNORECASE | re.DOTALL
)
_TOOL_USE_ID: Final = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")


class _ImageUrl(Wire):
    url: str


class Part(Wire):
    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: _ImageUrl | None = None


def _as_parts(content: Any) -> Any:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


class _CalledFunction(Wire):
    name: str
    arguments: str = ""


class ToolCall(Wire):
    id: str
    function: _CalledFunction


class Message(Wire):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Annotated[list[Part] | None, BeforeValidator(_as_parts)] = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str = ""


def message_blocks(message: Message, param: str) -> Iterator[dict[str, Any]]:
    """Yield the blocks of a message that is no system message."""
    said = blocks(message.content or (), f"{param}.content")
    if message.role == "tool":
        if not message.tool_call_id:
            raise invalid(f"{param}.tool_call_id", "field required")
        # A result must hold something.
        content = list(said) or [{"text": "(empty)"}]
        yield {"toolResult": {"toolUseId": _tool_use_id(message.tool_call_id), "content": content}}
        return
    yield from said
    if message.refusal:
        yield {"text": message.refusal}
    for call in message.tool_calls or ():
        yield {"toolUse": _tool_use(call)}


def blocks(parts: Iterable[Part], param: str) -> Iterator[dict[str, Any]]:
    """Yield the blocks of a message's parts. Raises InvalidRequest for one that is not carried."""
    for i, part in enumerate(parts):
        match part.type:
            case "text" | "refusal":
                text = part.text or part.refusal
                # Bedrock refuses blank text.
                if text and text.strip():
                    yield {"text": text}
            case "image_url" if part.image_url:
                yield {"image": _image(part.image_url.url, f"{param}.{i}.image_url.url")}
            case other:
                raise invalid(f"{param}.{i}.type", f"{other} is not carried to Bedrock")


def _image(url: str, param: str) -> dict[str, Any]:
    match = _IMAGE.fullmatch(url)
    if match is None:
        why = "Bedrock fetches nothing; send a PNG, JPEG, GIF or WebP as a base64 data: URL"
        raise invalid(param, why)
    try:
        base64.b64decode(match[2], validate=True)
    except ValueError:
        raise invalid(param, "not base64") from None
    return {"format": match[1].lower().replace("jpg", "jpeg"), "source": {"bytes": match[2]}}


def _tool_use(call: ToolCall) -> dict[str, Any]:
    """Return the call. Arguments that are no JSON object, as a model may write them, are kept whole:
    the result that follows would fit no empty ones."""
    arguments: Any = {}
    if call.function.arguments.strip():
        try:
            arguments = from_json(call.function.arguments)
        except ValueError:
            arguments = None
    if not isinstance(arguments, dict):
        arguments = {"unparsed_arguments": call.function.arguments}
    return {
        "toolUseId": _tool_use_id(call.id),
        "name": call.function.name,
        "input": arguments,
    }


def _tool_use_id(call_id: str) -> str:
    """Return the id as Bedrock takes it: other providers' ids may be longer, or hold other signs."""
    if _TOOL_USE_ID.fullmatch(call_id):
        return call_id
    return hashlib.sha256(call_id.encode()).hexdigest()
