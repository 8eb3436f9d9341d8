"""A range of numbers, written as a person writes it: `>= 0.6`, or `> 100, <= 4000`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

_COMPARISON: Final = re.compile(r"\s*(>=|<=|>|<|==)\s*(-?\d+(?:\.\d+)?)\s*")
COMPARISON_LIST: Final = (
    r"^\s*(>=|<=|>|<|==)\s*-?\d+(\.\d+)?(\s*,\s*(>=|<=|>|<|==)\s*-?\d+(\.\d+)?)*\s*$"
)


@dataclass(frozen=True, slots=True)
class Threshold:
    """A range of numbers, written as comparisons that must all hold: `>= 0.6` or `> 100, <= 4000`."""

    text: str
    comparisons: tuple[tuple[str, float], ...]

    def holds(self, value: float) -> bool:
        return all(_compare(value, operator, bound) for operator, bound in self.comparisons)

    def covers(self, other: Threshold) -> bool:
        """Tell whether every number in `other` is in this one too."""
        return (
            self._interval()[0] <= other._interval()[0]
            and other._interval()[1] <= self._interval()[1]
        )

    @property
    def is_empty(self) -> bool:
        """Whether no number can be in it."""
        low, high = self._interval()
        return low >= high

    def _interval(self) -> tuple[tuple[float, int], tuple[float, int]]:
        """Return where it begins and ends, each a bound and on which side of it."""
        low, high = (-math.inf, 0), (math.inf, 0)
        for operator, bound in self.comparisons:
            if operator in (">=", ">", "=="):
                low = max(low, (bound, 1 if operator == ">" else 0))
            if operator in ("<=", "<", "=="):
                high = min(high, (bound, 0 if operator == "<" else 1))
        return low, high

    def __str__(self) -> str:
        return self.text


def _compare(value: float, operator: str, bound: float) -> bool:
    match operator:
        case ">=":
            return value >= bound
        case "<=":
            return value <= bound
        case ">":
            return value > bound
        case "<":
            return value < bound
        case _:
            return value == bound


def parse_threshold(value: object) -> Threshold:
    """Return the threshold that `value` writes. Raises ValueError with an example of one."""
    if isinstance(value, Threshold):
        return value
    parts = [_COMPARISON.fullmatch(part) for part in str(value).split(",")]
    if not isinstance(value, str) or not all(parts):
        raise ValueError('write a comparison such as ">= 0.6" or "> 100, <= 4000"')
    comparisons = tuple((part[1], float(part[2])) for part in parts if part)
    return Threshold(text=value.strip(), comparisons=comparisons)
