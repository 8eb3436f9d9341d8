"""Reading fields of JSON that others wrote: what is not of its kind is as good as absent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def reasoning_of(message: Mapping[str, Any]) -> str:
    """Return the reasoning of a chat message or delta, under either of the names in use."""
    return text_of(message, "reasoning_content") or text_of(message, "reasoning")


def text_of(fields: Mapping[str, Any], name: str) -> str:
    """Return a field that is a text, or a list of parts with texts; an empty one for any other."""
    value = fields.get(name)
    if isinstance(value, list):
        return "".join(text_of(part, "text") for part in objects_of(value))
    return value if isinstance(value, str) else ""


def object_of(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a field that is an object; an empty one for any other."""
    value = fields.get(name)
    return value if isinstance(value, Mapping) else {}


def objects_of(value: object) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of a field that is a list; none of any other."""
    for item in value if isinstance(value, list) else ():
        if isinstance(item, Mapping):
            yield item


def count_of(counts: Mapping[str, Any], name: str) -> int:
    """Return a field that counts something; 0 for what cannot be a count."""
    count = counts.get(name)
    return count if isinstance(count, int) and count > 0 else 0
