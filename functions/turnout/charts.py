"""Charts as SVG: days with a column each, a share as a bar, and a share with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_WIDTH: Final = 480
_TALL: Final = 110
_HEAD: Final = 22
_FOOT: Final = 24
_ROOM_FOR_NAME: Final = 66


@dataclass(frozen=True, slots=True)
class Bar:
    """A name, how long its bar is in any unit (0 or more), and how that is told."""

    name: str
    size: float
    told: str


def columns(rows: Sequence[Bar]) -> str:
    """Return the names beside one another, each with a column above; what is tallest is told.

    Of many names, the last and every so many before it are written out.
    """
    tallest = max((row.size for row in rows), default=0.0)
    step = _WIDTH / max(1, len(rows))
    every = max(1, round(_ROOM_FOR_NAME / step))
    ground = _HEAD + _TALL
    parts = [f'<path class="ground" d="M0 {ground}H{_WIDTH}"/>']
    for i, row in enumerate(rows):
        middle, height = (i + 0.5) * step, _TALL * row.size / (tallest or 1.0)
        thick = min(44.0, step * 0.7)
        if row.size:
            parts.append(
                f'<rect class="mark" x="{middle - thick / 2:.1f}" y="{ground - height:.1f}"'
                f' width="{thick:.1f}" height="{height:.1f}">'
                f"<title>{escape(row.name)}: {escape(row.told)}</title></rect>"
            )
        if row.size and row.size == tallest:
            parts.append(_text(middle, ground - height - 6, row.told, "value"))
        if (len(rows) - 1 - i) % every == 0:
            parts.append(_text(middle, ground + 18, row.name, "name"))
    aloud = "; ".join(f"{row.name}: {row.told}" for row in rows)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {ground + _FOOT}" role="img" aria-label="{escape(aloud)}">'
        f"{''.join(parts)}</svg>"
    )


def share_bar(share: float) -> str:
    """Return a bar of 0 to 1. The figure stands beside it, so that it is not read aloud."""
    return _strip(f'<rect class="mark" y="3" width="{100 * share:.1f}" height="4"/>')


def interval(low: float, share: float, high: float) -> str:
    """Return a share in 0..1 as a mark on its interval. It is not read aloud, as its figures are."""
    low, share, high = 100 * low, 100 * share, 100 * high
    return _strip(
        '<path class="ground" d="M0 5H100"/>'
        f'<rect class="band" x="{low:.1f}" y="2.5" width="{high - low:.1f}" height="5"/>'
        f'<rect class="mark" x="{min(97.0, max(0.0, share - 1.5)):.1f}" width="3" height="10"/>'
    )


def _strip(drawn: str) -> str:
    return (
        '<svg class="strip" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f"{drawn}</svg>"
    )


def _text(x: float, y: float, text: str, kind: str) -> str:
    """Return a text over or below `x`, kept inside the drawing."""
    room = 3.6 * len(text)
    x = min(max(x, room), _WIDTH - room)
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'
