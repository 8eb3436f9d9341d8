"""What a network should tell of each row: one kind of work, or several that a careful person might tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from turnout_training.data import Row

ALSO_SHARE: Final = 0.3
"""How much of a row's target its other acceptable categories have together."""


def targets(rows: Sequence[Row], labels: Sequence[str]) -> Tensor:
    """Return probabilities, shape (rows, labels); a row of zeros where no category is known."""
    index = {label: i for i, label in enumerate(labels)}
    told = torch.zeros(len(rows), len(labels))
    for i, row in enumerate(rows):
        if row.category is None:
            continue
        others = [index[label] for label in row.also if label in index and label != row.category]
        told[i, index[row.category]] = 1 - ALSO_SHARE * bool(others)
        for other in others:
            told[i, other] = ALSO_SHARE / len(others)
    return told
