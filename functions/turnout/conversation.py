"""Where a request stands in a conversation, told by digests: no word of it can be read out of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from turnout.chat import Caller, ChatRequest, Turn
from turnout.embeddings import EmbeddingsRequest

SESSION_ID: Final = "session_id"
TRACE_ID: Final = "trace_id"
"""What a request's metadata calls its session and its trace: they say where it stands, and are no tags."""
_DIGEST_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Conversation:
    """A request's place: its caller's own ids of session and trace, and digests, in hexadecimal.

    `digest` is of the whole conversation so far, `follows` of as much of it as the request before this
    one held; None for a conversation's first. Digests of two keys never match: they are keyed by tenant
    and key.
    """

    session: str | None
    digest: str
    follows: str | None = None
    trace: str | None = None


def place(request: ChatRequest | EmbeddingsRequest, caller: Caller) -> Conversation:
    """Return the request's place in its caller's conversations."""
    before = _before_last_reply(request.turns)
    digest = _keyed(caller)
    follows = None
    for i, turn in enumerate(request.turns):
        if i == before:
            follows = digest.hexdigest()
        text = turn.text.encode("utf-8", "replace")
        # Lengths keep two ways of dividing the same text into turns apart.
        digest.update(f"{turn.role}:{len(text)}:".encode())
        digest.update(text)
    return Conversation(request.session, digest.hexdigest(), follows, request.trace)


def _before_last_reply(turns: Sequence[Turn]) -> int | None:
    """Return how many turns came before the assistant's last reply; None where it has not replied."""
    replies = [i for i, turn in enumerate(turns) if turn.role == "assistant"]
    if not replies:
        return None
    first = replies[-1]
    while first > 0 and turns[first - 1].role == "assistant":
        first -= 1
    return first or None


def _keyed(caller: Caller) -> hashlib.blake2b:
    owner = f"{len(caller.tenant)}:{caller.tenant}:{caller.key}".encode("utf-8", "replace")
    key = hashlib.blake2b(owner, digest_size=32).digest()
    return hashlib.blake2b(key=key, digest_size=_DIGEST_BYTES)
