"""OpenAI's chat completions on the wire: a body becomes a ChatRequest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from turnout.api.labels import session_of, tags_of, trace_of
from turnout.chat import ChatRequest, Need, Role, Turn
from turnout.errors import InvalidRequest

_ROLES: Final[Mapping[str, Role]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
_PART_NEEDS: Final[Mapping[str, Need]] = {"image_url": "images", "input_audio": "audio"}


class _Wire(BaseModel):
    """What is read of the body; the rest of it goes to the upstream unread."""

    model_config = ConfigDict(strict=True, extra="ignore")


class _Part(_Wire):
    type: str
    text: str | None = None


class _Message(_Wire):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[_Part] | None = None


class _ResponseFormat(_Wire):
    type: str


class _Body(_Wire):
    model: str = Field(min_length=1)
    messages: list[_Message] = Field(min_length=1)
    stream: bool | None = None
    tools: list[Any] | None = None
    functions: list[Any] | None = None
    response_format: _ResponseFormat | None = None
    reasoning_effort: str | None = None
    max_tokens: int | None = Field(default=None, gt=0)
    max_completion_tokens: int | None = Field(default=None, gt=0)
    user: str | None = None
    metadata: dict[str, str] | None = None


def parse_chat(body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> ChatRequest:
    """Return the request, with the session and the tags that its headers name.

    Raises InvalidRequest naming the first field at fault.
    """
    try:
        wire = _Body.model_validate(body)
    except ValidationError as error:
        raise _invalid(error) from None
    headers = headers or {}
    metadata = (wire.metadata or {}) | tags_of(headers)
    parts = [
        part
        for message in wire.messages
        if isinstance(message.content, list)
        for part in message.content
    ]
    return ChatRequest(
        model=wire.model,
        turns=tuple(_turn(message) for message in wire.messages),
        body=body,
        stream=bool(wire.stream),
        needs=frozenset(_needs(wire, parts)),
        images=sum(part.type == "image_url" for part in parts),
        max_output_tokens=wire.max_completion_tokens or wire.max_tokens,
        user=wire.user,
        session=session_of(headers, metadata),
        trace=trace_of(headers, metadata),
        metadata=metadata,
    )


def _turn(message: _Message) -> Turn:
    content = message.content or ""
    if not isinstance(content, str):
        content = "\n".join(part.text for part in content if part.text)
    return Turn(_ROLES[message.role], content)


def _needs(wire: _Body, parts: Iterable[_Part]) -> Iterator[Need]:
    yield from (_PART_NEEDS[part.type] for part in parts if part.type in _PART_NEEDS)
    if wire.tools or wire.functions:
        yield "tools"
    if wire.response_format and wire.response_format.type == "json_schema":
        yield "json_schema"
    if wire.reasoning_effort not in (None, "none", "minimal"):
        yield "reasoning"


def _invalid(error: ValidationError) -> InvalidRequest:
    """Return the first fault in words. Its path leaves out pydantic's names of union members."""
    detail = error.errors(include_url=False)[0]
    steps = [str(step) for step in detail["loc"] if isinstance(step, int) or step in _FIELDS]
    path = ".".join(steps)
    message = detail["msg"][0].lower() + detail["msg"][1:]
    return InvalidRequest(f"{path}: {message}" if path else message, param=path or None)


_FIELDS: Final = frozenset(
    field for wire in (_Part, _Message, _ResponseFormat, _Body) for field in wire.model_fields
)
