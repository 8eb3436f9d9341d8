"""A span of time as people write it: 90m, 24h, 7d."""

from __future__ import annotations

from typing import Final

from turnout.errors import InvalidRequest

_UNITS: Final = {"m": 60, "h": 3600, "d": 86400}
_MOST_DIGITS: Final = 6


def seconds(span: str) -> float:
    """Return how many seconds the span is. Raises InvalidRequest."""
    number, unit = span[:-1], span[-1:]
    if (
        unit not in _UNITS
        or not (number.isascii() and number.isdecimal())
        or len(number) > _MOST_DIGITS
    ):
        raise InvalidRequest(f"since: cannot read {span!r}; write 90m, 24h or 7d", param="since")
    return float(int(number) * _UNITS[unit])
