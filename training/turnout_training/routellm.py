"""The cost-quality curve of a two-model router, as the RouteLLM paper (arXiv 2406.18665) defines it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

STEPS = 100


@dataclass(frozen=True, slots=True)
class Curve:
    """`recovered[i]` is the performance gap recovered when `i` % of calls go to the strong model.

    Fractions of 1: `weak` and `strong` are the two models' own accuracies, or mean scores.
    """

    weak: float
    strong: float
    recovered: npt.NDArray[np.float64]

    @property
    def apgr(self) -> float:
        """The average performance gap recovered: the area under the curve; random gives 0.5."""
        return float(np.trapezoid(self.recovered, dx=1 / STEPS))

    def cpt(self, target: float) -> float:
        """Return the least share of strong calls that recovers `target` of the gap."""
        reached = np.nonzero(self.recovered >= target)[0]
        return float(reached[0]) / STEPS if len(reached) else 1.0


def curve(
    scores: npt.NDArray[np.float64],
    weak_right: npt.NDArray[np.float64],
    strong_right: npt.NDArray[np.float64],
) -> Curve:
    """Return the curve of a router that sends the highest `scores` (n,) to the strong model.

    `weak_right` and `strong_right` (n,) are how good each answer was, 0 or 1 or between.

    Raises ValueError when the strong model is no better than the weak one.
    """
    weak, strong = float(weak_right.mean()), float(strong_right.mean())
    if strong <= weak:
        raise ValueError("the strong model is not better than the weak one on these rows")
    order = np.argsort(-scores, kind="stable")
    gained = np.concatenate([[0], np.cumsum(strong_right[order] - weak_right[order])])
    calls = np.round(np.linspace(0, 1, STEPS + 1) * len(scores)).astype(int)
    return Curve(weak, strong, gained[calls] / len(scores) / (strong - weak))
