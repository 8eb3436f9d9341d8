"""Batches of texts of like length, so that little is spent on padding."""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from torch import Tensor

PADDING = 1


def batches(
    lengths: Sequence[int], size: int, sorted_together: int, shuffle: random.Random
) -> list[list[int]]:
    """Return batches of `size` row numbers, in random order, every row in one.

    So many batches' rows are sorted by length together.
    """
    order = list(range(len(lengths)))
    shuffle.shuffle(order)
    made = []
    for start in range(0, len(order), size * sorted_together):
        part = sorted(order[start : start + size * sorted_together], key=lengths.__getitem__)
        made += [part[i : i + size] for i in range(0, len(part), size)]
    shuffle.shuffle(made)
    return made


def pad(ids: Sequence[list[int]]) -> Tensor:
    """Return ids as a tensor of shape (n, longest), padded behind the shorter ones."""
    longest = max(map(len, ids))
    return torch.tensor([row + [PADDING] * (longest - len(row)) for row in ids])
