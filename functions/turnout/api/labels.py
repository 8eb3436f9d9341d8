"""What a request's headers say it belongs to: a session, a trace, and tags."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from turnout.conversation import SESSION_ID, TRACE_ID
from turnout.errors import InvalidRequest

SESSION: Final = "x-turnout-session"
TAGS: Final = "x-turnout-tags"
MOST_TAGS: Final = 16
_OLD_SESSION: Final = "x-session-id"
_LONGEST_ID: Final = 256
_LONGEST_NAME: Final = 64
_LONGEST_VALUE: Final = 512
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


def session_of(headers: Mapping[str, str], metadata: Mapping[str, str]) -> str | None:
    """Return the session's id by header, else of the metadata. Raises InvalidRequest."""
    session = headers.get(SESSION) or headers.get(_OLD_SESSION) or metadata.get(SESSION_ID)
    return _bounded(session, SESSION)


def tags_of(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the tags of `x-turnout-tags: a=b, c`; one without a value has the empty one.

    Raises InvalidRequest when they are too many or too long.
    """
    tags: dict[str, str] = {}
    for part in headers.get(TAGS, "").split(","):
        if part.strip():
            name, _, value = (piece.strip() for piece in part.partition("="))
            if not name or len(name) > _LONGEST_NAME or len(value) > _LONGEST_VALUE:
                raise InvalidRequest(
                    f"{TAGS}: write `NAME=VALUE, NAME`, names of 1 to {_LONGEST_NAME} characters,"
                    f" values of at most {_LONGEST_VALUE}",
                    param=TAGS,
                )
            tags[name] = value
    if len(tags) > MOST_TAGS:
        raise InvalidRequest(f"{TAGS}: at most {MOST_TAGS} tags", param=TAGS)
    return tags


def trace_of(headers: Mapping[str, str], metadata: Mapping[str, str]) -> str | None:
    """Return the trace's id of W3C's `traceparent`, else of the metadata.

    A `traceparent` that is malformed counts as none, as W3C asks. Raises InvalidRequest.
    """
    found = _TRACEPARENT.fullmatch(headers.get("traceparent", "").strip())
    if found and found[1].strip("0"):
        return found[1]
    return _bounded(metadata.get(TRACE_ID), f"metadata.{TRACE_ID}") or None


def _bounded(value: str | None, param: str) -> str | None:
    if value and len(value) > _LONGEST_ID:
        raise InvalidRequest(f"{param}: an id has at most {_LONGEST_ID} characters", param=param)
    return value
