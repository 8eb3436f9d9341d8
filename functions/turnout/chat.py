"""One chat request as the router sees it, whatever wire format it came in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]
Need = Literal["tools", "images", "json_schema", "reasoning", "audio", "embeddings"]
Format = Literal["chat", "messages", "embeddings"]
"""What is spoken with an upstream: OpenAI's chat completions, Anthropic's messages, OpenAI's embeddings."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The text of one message; parts that are not text are left out."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class Native:
    """A request in the format that it came in, for upstreams that take it so. `only`: what of it chat
    completions cannot say, if anything. `headers`: those of the caller's that belong to it."""

    format: Format
    body: Mapping[str, Any] = field(repr=False)
    only: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What routing reads of a request, and the caller's body for the upstream.

    `body` is opaque here: it goes to the upstream as it came, but for `model`; if it came in another format
    than chat completions, `native` is how it came.
    """

    model: str
    turns: tuple[Turn, ...]
    body: Mapping[str, Any] = field(repr=False)
    stream: bool = False
    needs: frozenset[Need] = frozenset()
    images: int = 0
    max_output_tokens: int | None = None
    user: str | None = None
    session: str | None = None
    trace: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    native: Native | None = None

    @property
    def prompt(self) -> str:
        """The last user turn: what is to be done."""
        return next((turn.text for turn in reversed(self.turns) if turn.role == "user"), "")

    @property
    def context(self) -> str:
        """Everything before the last user turn, one labelled paragraph a turn."""
        last = max((i for i, turn in enumerate(self.turns) if turn.role == "user"), default=None)
        return "\n".join(f"{turn.role.capitalize()}: {turn.text}" for turn in self.turns[:last])


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the tenant, the key (its id, never the secret), and the models it may use.

    `group` is a team or an application within the tenant. `models` None means every model of the
    policy; `admin` lets it into the control plane. `upstream_keys` are keys of its own, by upstream,
    which it sent for this request alone.
    """

    tenant: str
    key: str
    models: tuple[str, ...] | None = None
    admin: bool = False
    group: str = ""
    upstream_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
