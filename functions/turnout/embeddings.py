"""One request for embeddings as the router sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from turnout.chat import Need, Turn


@dataclass(frozen=True, slots=True)
class EmbeddingsRequest:
    """What routing reads of a request, and the caller's body, which goes upstream as it came but for `model`.

    Tokens are estimated where inputs are text; `largest_input_tokens` are those of the one input that
    must fit a model's context. `text` is the first input that is text. Nobody says anything in it: it has no
    turns.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"embeddings"})
    turns: ClassVar[tuple[Turn, ...]] = ()
    stream: ClassVar[bool] = False

    model: str
    body: Mapping[str, Any] = field(repr=False)
    input_tokens: int
    largest_input_tokens: int
    text: str = ""
    user: str | None = None
    session: str | None = None
    trace: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
