"""What is known of one request when the policy decides: everything that `decide` may read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from turnout.chat import ChatRequest

UNKNOWN_CATEGORY = "unknown"
EMBEDDINGS_CATEGORY = "embeddings"
"""In a category's place where embeddings are asked for: the classifier is then not."""
DEMO_UPSTREAM = "demo"

BYTES_PER_TOKEN = 4
TOKENS_PER_TURN = 4
TOKENS_PER_IMAGE = 765
"""An image of 1024 x 1024 at high detail, as OpenAI counts it."""


@dataclass(frozen=True, slots=True)
class Signals:
    """The request as numbers and names. Recorded with the decision, so that it can be replayed.

    `categories` sums to 1, or is empty when the classifier could not be used: then `category` is
    `unknown` and `confidence` 0. `upstreams` are those configured when the request came; the demo
    upstream among them stands in for every other. `at` is when the request came, in Unix seconds.
    `largest_input_tokens` is told of inputs that need not fit a model's context together. `only_for` is what
    of the request not every upstream can be asked for, and `unable` are those that cannot.
    """

    category: str
    confidence: float
    categories: Mapping[str, float]
    difficulty: float
    input_tokens: int
    language: str
    needs: tuple[str, ...] = ()
    model: str = "auto"
    max_output_tokens: int | None = None
    tenant: str = ""
    group: str = ""
    key: str = ""
    approved_models: tuple[str, ...] | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    upstreams: tuple[str, ...] = ()
    at: float = 0.0
    largest_input_tokens: int | None = None
    only_for: str = ""
    unable: tuple[str, ...] = ()


def estimate_input_tokens(request: ChatRequest) -> int:
    """Return a request's input tokens, estimated without a tokenizer.

    Four UTF-8 bytes a token is near for English and code and errs to the high side for scripts
    of two and three bytes a character, which is the safe side for limits.
    """
    text = sum(len(turn.text.encode("utf-8", "replace")) for turn in request.turns)
    tools = len(str(request.body.get("tools", ""))) if "tools" in request.needs else 0
    return (
        (text + tools) // BYTES_PER_TOKEN
        + TOKENS_PER_TURN * len(request.turns)
        + TOKENS_PER_IMAGE * request.images
    )
