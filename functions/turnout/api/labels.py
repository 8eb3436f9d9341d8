"""What a request's headers say it belongs to: a session, a trace, and tags."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from turnout.errors import InvalidRequest

SESSION: Final = "x-turnout-session"
TAGS: Final = "x-turnout-tags"
MOST_TAGS: Final = 16
_OLD_SESSION: Final = "x-session-id"
_LONGEST_SESSION: Final = 256
_LONGEST_NAME: Final = 64
_LONGEST_VALUE: Final = 512
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


def session_of(headers: Mapping[str, str], metadata: Mapping[str, str]) -> str | None:
    """Return the session's id by header, else of the metadata. Raises InvalidRequest."""
    session = headers.get(SESSION) or headers.get(_OLD_SESSION) or metadata.get("session_id")
    if session and len(session) > _LONGEST_SESSION:
        raise InvalidRequest(
            f"{SESSION}: a session's id has at most {_LONGEST_SESSION} characters", param=SESSION
        )
    return session


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


def trace_of(headers: Mapping[str, str]) -> str | None:
    """Return the trace's id of W3C's `traceparent`; one that is malformed counts as none, as W3C asks."""
    found = _TRACEPARENT.fullmatch(headers.get("traceparent", "").strip())
    return found[1] if found and found[1].strip("0") else None
