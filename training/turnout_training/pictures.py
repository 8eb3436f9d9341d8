"""Pictures of an evaluation as self-contained SVG: confusion matrix, reliability and cost-quality curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import numpy.typing as npt

from turnout_training.routellm import Curve

CELL = 34
MARGIN = 150
PLOT = 360
_TEXT = 'font-family="system-ui, sans-serif" font-size="11"'


def confusion_matrix(
    truth: npt.NDArray[np.int64], told: npt.NDArray[np.int64], labels: Sequence[str]
) -> str:
    """Return a matrix whose rows are true labels and whose cells are shares of their row."""
    counts = np.zeros((len(labels), len(labels)), int)
    np.add.at(counts, (truth, told), 1)
    shares = counts / np.maximum(1, counts.sum(1, keepdims=True))
    parts = []
    for i, label in enumerate(labels):
        y = MARGIN + i * CELL
        parts.append(_text(MARGIN - 6, y + CELL * 0.6, label, anchor="end"))
        x = MARGIN + (i + 0.6) * CELL
        parts.append(_text(x, MARGIN - 6, label, turn=f"rotate(-60 {x:g} {MARGIN - 6})"))
        for j, share in enumerate(shares[i]):
            left = MARGIN + j * CELL
            parts.append(
                f'<rect x="{left}" y="{y}" width="{CELL}" height="{CELL}"'
                f' fill="#1f5fbf" fill-opacity="{share:.3f}" stroke="#ddd"/>'
            )
            if counts[i, j]:
                colour = "#fff" if share > 0.5 else "#222"
                place = (left + CELL / 2, y + CELL * 0.6)
                parts.append(_text(*place, str(counts[i, j]), anchor="middle", colour=colour))
    size = MARGIN + CELL * len(labels) + 20
    return _svg(size + 60, size, "Confusion matrix: rows are the truth", parts)


def reliability(
    confidence: npt.NDArray[np.float64],
    right: Mapping[str, npt.NDArray[np.bool_]],
    *,
    bins: int = 10,
) -> str:
    """Return how often a prediction is right against how sure it is; the diagonal is perfect.

    `right` has a line for each way of counting. Bins of a single row are left out.
    """
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    full = [index == b for b in range(bins) if (index == b).sum() > 1]
    lines = [
        (name, [(float(confidence[of].mean()), float(counted[of].mean())) for of in full])
        for name, counted in right.items()
    ]
    return _plot("Reliability", "confidence", "share right", lines)


def cost_quality(curves: Sequence[tuple[str, Curve]]) -> str:
    """Return the gap recovered against the share of strong calls; the diagonal is the random router."""
    lines = [
        (name, [(i / (len(c.recovered) - 1), float(r)) for i, r in enumerate(c.recovered)])
        for name, c in curves
    ]
    return _plot("Cost and quality", "share of strong calls", "gap recovered", lines)


_COLOURS = ("#1f5fbf", "#c2410c", "#15803d", "#7e22ce")


def _plot(
    title: str, across: str, up: str, lines: Sequence[tuple[str, Sequence[tuple[float, float]]]]
) -> str:
    left, bottom = 50, PLOT + 30
    parts = [
        f'<rect x="{left}" y="30" width="{PLOT}" height="{PLOT}" fill="none" stroke="#888"/>',
        f'<path d="M{left} {bottom}L{left + PLOT} 30" stroke="#aaa" stroke-dasharray="4"/>',
        _text(left + PLOT / 2, bottom + 30, across, anchor="middle"),
        _text(14, 30 + PLOT / 2, up, anchor="middle", turn=f"rotate(-90 14 {30 + PLOT / 2:g})"),
    ]
    for number, (name, points) in enumerate(lines):
        colour = _COLOURS[number % len(_COLOURS)]
        path = "L".join(
            f"{left + x * PLOT:.1f} {bottom - min(1.05, y) * PLOT:.1f}" for x, y in points
        )
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(_text(left + 10, 50 + 16 * number, name, colour=colour))
    for tick in (0, 0.5, 1):
        parts.append(_text(left + tick * PLOT, bottom + 14, f"{tick:g}", anchor="middle"))
        parts.append(_text(left - 4, bottom - tick * PLOT + 4, f"{tick:g}", anchor="end"))
    return _svg(left + PLOT + 30, bottom + 45, title, parts)


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", turn: str = "", colour: str = "#222"
) -> str:
    turned = f' transform="{turn}"' if turn else ""
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="{colour}" {_TEXT}{turned}>'
        f"{escape(text)}</text>"
    )


def _svg(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}"'
        f' role="img" aria-label="{escape(title)}">\n'
        f'<rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n'
    )
