"""What a call costs: prices per million tokens times tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

MILLION = 1_000_000


class Price(Protocol):
    """US dollars per million tokens."""

    @property
    def input(self) -> float: ...
    @property
    def output(self) -> float: ...
    @property
    def cached_input(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call. `estimated` when the upstream did not say and they were counted here."""

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int = 0
    estimated: bool = False


def cost_usd(price: Price, usage: Usage) -> float:
    """Return the cost in US dollars. Cached input is charged its own price where there is one."""
    cached_price = price.input if price.cached_input is None else price.cached_input
    fresh = max(0, usage.input_tokens - usage.cached_input_tokens)
    return (
        fresh * price.input
        + usage.cached_input_tokens * cached_price
        + usage.output_tokens * price.output
    ) / MILLION
