"""Bar charts as SVG: names with a bar, days with a column, shares with their interval."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH: Final = 1000
_LABEL: Final = 300
_VALUE: Final = 110
_ROW: Final = 28
_TALL: Final = 200
_FOOT: Final = 40
_COLOUR: Final = "#3b6fb6"


@dataclass(frozen=True, slots=True)
class Bar:
    """A name, how long its bar is in any unit (0 or more), and what is written at its end."""

    name: str
    size: float
    told: str


@dataclass(frozen=True, slots=True)
class Interval:
    """A name, a share in 0..1 between `low` and `high`, and what is written at its end."""

    name: str
    share: float
    low: float
    high: float
    told: str


def bars(rows: Sequence[Bar]) -> str:
    """Return the names below one another, each with a bar to the right."""
    longest = max((row.size for row in rows), default=0.0) or 1.0
    room = WIDTH - _LABEL - _VALUE
    parts: list[str] = []
    for i, row in enumerate(rows):
        y, width = i * _ROW, max(1.0, room * row.size / longest)
        parts.append(_name(row.name, y))
        parts.append(
            f'<rect x="{_LABEL}" y="{y + 5}" width="{width:.1f}" height="{_ROW - 10}"'
            f' fill="{_COLOUR}"/>{_text(_LABEL + width + 8, y + 19, row.told)}'
        )
    return _drawing(len(rows) * _ROW, ((row.name, row.told) for row in rows), parts)


def columns(rows: Sequence[Bar]) -> str:
    """Return the names beside one another, each with a column above; every so many is written out."""
    tallest = max((row.size for row in rows), default=0.0) or 1.0
    step = WIDTH / max(1, len(rows))
    written = max(1, round(90 / step))
    parts: list[str] = []
    for i, row in enumerate(rows):
        height = max(1.0, _TALL * row.size / tallest)
        middle = (i + 0.5) * step
        thick = min(60.0, step * 0.7)
        parts.append(
            f'<rect x="{middle - thick / 2:.1f}" y="{20 + _TALL - height:.1f}" width="{thick:.1f}"'
            f' height="{height:.1f}" fill="{_COLOUR}">'
            f"<title>{escape(row.name)}: {escape(row.told)}</title></rect>"
        )
        if i % written == 0:
            parts.append(_text(middle, 20 + _TALL + 18, row.name, "middle"))
            parts.append(_text(middle, 20 + _TALL - height - 5, row.told, "middle"))
    return _drawing(20 + _TALL + _FOOT, ((row.name, row.told) for row in rows), parts)


def intervals(rows: Sequence[Interval]) -> str:
    """Return the names below one another, each with its share as a dot on its interval, from 0 to 1."""
    room = WIDTH - _LABEL - 2 * _VALUE
    parts: list[str] = []
    for i, row in enumerate(rows):
        y = i * _ROW + _ROW / 2
        low, dot, high = (_LABEL + room * share for share in (row.low, row.share, row.high))
        parts.append(_name(row.name, i * _ROW))
        parts.append(
            f'<path d="M{_LABEL},{y}H{_LABEL + room}" stroke="currentColor" stroke-opacity="0.15"/>'
            f'<path d="M{low:.1f},{y}H{high:.1f}" stroke="{_COLOUR}" stroke-width="5"'
            f' stroke-opacity="0.45"/><circle cx="{dot:.1f}" cy="{y}" r="6" fill="{_COLOUR}"/>'
        )
        parts.append(_text(_LABEL + room + 16, y + 5, row.told))
    return _drawing(len(rows) * _ROW, ((row.name, row.told) for row in rows), parts)


def _name(name: str, y: float) -> str:
    return _text(_LABEL - 10, y + 19, name, "end")


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _drawing(height: float, told: Iterable[tuple[str, str]], parts: Iterable[str]) -> str:
    aloud = "; ".join(f"{name}: {value}" for name, value in told)
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(aloud)}">'
        f"{''.join(parts)}</svg>"
    )
