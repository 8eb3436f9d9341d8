"""A Sankey diagram as SVG: how much flows from each name on the left to each on the right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH: Final = 1000
BAR: Final = 14
LABEL: Final = 280
"""How wide the names' margins are, in the drawing's units."""
_GAP: Final = 14
_FLOWING: Final = 360
_COLOURS: Final = (
    "#3b6fb6", "#d1731f", "#2f9162", "#b8405e", "#7a5bb5", "#937028", "#1f8fa3", "#8a8a8a",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Bar:
    top: float
    height: float


def sankey(flows: Mapping[tuple[str, str], int]) -> str:
    """Return the drawing of how many went from which name to which. What stays put is drawn pale."""
    total = sum(flows.values()) or 1
    left: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for (before, after), count in flows.items():
        left[before] += count
        right[after] += count
    names = sorted({*left, *right}, key=lambda name: (-left[name] - right[name], name))
    colours = {name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(names)}
    bars_left, bars_right = _stack(left, total), _stack(right, total)
    height = max(_bottom(bars_left), _bottom(bars_right)) + _GAP
    parts = [
        *_ribbons(flows, bars_left, bars_right, colours, total),
        *_ends(left, bars_left, colours, LABEL - BAR, LABEL - BAR - 8, "end"),
        *_ends(right, bars_right, colours, WIDTH - LABEL, WIDTH - LABEL + BAR + 8, "start"),
    ]
    told = "; ".join(f"{count:,} from {a} to {b}" for (a, b), count in flows.items())
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(told)}">'
        f"{''.join(parts)}</svg>"
    )


def _stack(counts: Mapping[str, int], total: int) -> dict[str, _Bar]:
    bars, top = {}, float(_GAP)
    for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        bars[name] = _Bar(top, max(1.0, _FLOWING * count / total))
        top += bars[name].height + _GAP
    return bars


def _bottom(bars: Mapping[str, _Bar]) -> float:
    return max((bar.top + bar.height for bar in bars.values()), default=0.0)


def _ribbons(
    flows: Mapping[tuple[str, str], int],
    bars_left: Mapping[str, _Bar],
    bars_right: Mapping[str, _Bar],
    colours: Mapping[str, str],
    total: int,
) -> Iterator[str]:
    used_left = {name: bar.top for name, bar in bars_left.items()}
    used_right = {name: bar.top for name, bar in bars_right.items()}
    start, end, middle = LABEL, WIDTH - LABEL, WIDTH / 2
    order = [(before, after) for before in bars_left for after in bars_right]
    for before, after in order:
        if not (count := flows.get((before, after), 0)):
            continue
        thick = _FLOWING * count / total
        y1, y2 = used_left[before], used_right[after]
        used_left[before] += thick
        used_right[after] += thick
        opacity = 0.22 if before == after else 0.62
        yield (
            f'<path fill="{colours[before]}" fill-opacity="{opacity}" d="M{start},{y1:.1f}'
            f"C{middle},{y1:.1f} {middle},{y2:.1f} {end},{y2:.1f}V{y2 + thick:.1f}"
            f'C{middle},{y2 + thick:.1f} {middle},{y1 + thick:.1f} {start},{y1 + thick:.1f}Z">'
            f"<title>{escape(before)} to {escape(after)}: {count:,}</title></path>"
        )


def _ends(
    counts: Mapping[str, int],
    bars: Mapping[str, _Bar],
    colours: Mapping[str, str],
    x: float,
    label_x: float,
    anchor: str,
) -> Iterator[str]:
    for name, bar in bars.items():
        yield (
            f'<rect x="{x}" y="{bar.top:.1f}" width="{BAR}" height="{bar.height:.1f}"'
            f' fill="{colours[name]}"/>'
            f'<text x="{label_x}" y="{bar.top + bar.height / 2 + 4:.1f}" text-anchor="{anchor}">'
            f"{escape(name)} {counts[name]:,}</text>"
        )
