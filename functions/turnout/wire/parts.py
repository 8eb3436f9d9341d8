"""Parts of a message's content, which may be one text or a list: what both formats have in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BeforeValidator

from turnout.wire.reading import Wire, invalid

_Fields = dict[str, Any]


def as_parts(content: Any) -> Any:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


Content = Annotated[list[_Fields], BeforeValidator(as_parts)]


class Text(Wire):
    text: str


def text_part(text: str) -> _Fields:
    return {"type": "text", "text": text}


def only_text(parts: Iterable[_Fields], param: str) -> str:
    """Return texts as one. Raises InvalidRequest where there is anything else among them."""
    parts = [*parts]
    if any(part["type"] != "text" for part in parts):
        raise invalid(param, "only text can stand here")
    return joined_text(parts)


def joined_text(parts: Iterable[_Fields]) -> str:
    return "\n\n".join(part["text"] for part in parts if part["type"] == "text")
