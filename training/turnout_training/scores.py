"""How right the probabilities are: accuracy, macro-F1 and expected calibration error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BINS = 10


@dataclass(frozen=True, slots=True)
class Scores:
    """Fractions of 1; `f1` by label."""

    rows: int
    accuracy: float
    macro_f1: float
    calibration_error: float
    f1: dict[str, float]

    def __str__(self) -> str:
        worst = sorted(self.f1.items(), key=lambda item: item[1])
        told = ", ".join(f"{label} {score:.2f}" for label, score in worst)
        return (
            f"{self.rows} rows: accuracy {self.accuracy:.3f}, macro-F1 {self.macro_f1:.3f},"
            f" ECE {self.calibration_error:.3f} ({told})"
        )


def score(
    probabilities: npt.NDArray[np.float32], truth: npt.NDArray[np.int64], labels: Sequence[str]
) -> Scores:
    """Score `probabilities` (n, labels) against `truth` (n,). Labels without rows do not count."""
    told, confidence = probabilities.argmax(1), probabilities.max(1)
    right = told == truth
    f1 = {
        label: float(2 * hits / max(1, (told == i).sum() + (truth == i).sum()))
        for i, label in enumerate(labels)
        if (truth == i).any()
        for hits in [((told == i) & right).sum()]
    }
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [
        (bins == b).mean() * abs(right[bins == b].mean() - confidence[bins == b].mean())
        for b in range(BINS)
        if (bins == b).any()
    ]
    return Scores(
        len(truth), float(right.mean()), float(np.mean(list(f1.values()))), float(sum(gaps)), f1
    )
