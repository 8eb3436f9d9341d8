"""A list of decisions on the wire: a query becomes a listing, and a page of records becomes JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from turnout.listing import Filters, Listing, Page
from turnout.record import Outcome, to_wire
from turnout.timespan import seconds
from turnout.wire.reading import read

_CURSOR_DIGITS: Final = 20
"""An id's time and half of its random digits: enough to go on from, and nobody's whole id."""


def _cursor(value: str) -> str:
    if not re.fullmatch(rf"[0-9a-f]{{{_CURSOR_DIGITS}}}", value):
        raise PydanticCustomError("cursor", "send what `next` of the page before was")
    return value


class _Query(BaseModel):
    model_config = ConfigDict(extra="forbid")

    since: str = "7d"
    category: str | None = None
    model: str | None = None
    policy: str | None = None
    key: str | None = None
    outcome: Outcome | None = None
    cursor: Annotated[str, AfterValidator(_cursor)] | None = None
    limit: int = Field(default=50, ge=1, le=100)


def parse_listing(query: Mapping[str, str]) -> Listing:
    """Return the listing; an empty value asks for nothing. Raises InvalidRequest with the field at fault."""
    asked = read(_Query, {name: value for name, value in query.items() if value})
    return Listing(
        span_s=seconds(asked.since),
        filters=Filters(asked.category, asked.model, asked.policy, asked.key, asked.outcome),
        limit=asked.limit,
        before=f"dec_{asked.cursor}" if asked.cursor else None,
    )


def page_to_wire(page: Page) -> dict[str, Any]:
    """Return the page in OpenAI's list shape, with the cursor of the `next` one or null."""
    before = page.next_before
    cursor = before.removeprefix("dec_")[:_CURSOR_DIGITS] if before else None
    return {"object": "list", "data": [to_wire(record) for record in page.records], "next": cursor}
