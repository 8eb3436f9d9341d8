"""Fitting the network: deterministic for a seed, minutes on two cores."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from turnout_training.data import Row
from turnout_training.model import PADDING, Network

BATCH = 64
PEAK_LEARNING_RATE = 1e-3
WEIGHT_DECAY = 0.02
LABEL_SMOOTHING = 0.05
DIFFICULTY_SHARE = 0.4
OPINION_SHARE = 0.7
"""How much the teacher's opinions weigh against the labels."""
OPINION_TEMPERATURE = 2.0
_SORTED_TOGETHER = 40
"""Batches whose rows are sorted by length together, so that little is spent on padding."""


@dataclass(frozen=True, slots=True)
class Batch:
    """`ids` (n, length); `category` (n,), -1 for none; `difficulty` (n,), -1 for none; `weight` (n,);
    `opinions` (n, labels) of the teacher, as logits."""

    ids: Tensor
    category: Tensor
    difficulty: Tensor
    weight: Tensor
    opinions: Tensor | None


class Corpus:
    """Rows as tensors, with the teacher's opinions on them where there is a teacher."""

    def __init__(
        self,
        rows: Sequence[Row],
        ids: Sequence[list[int]],
        labels: Sequence[str],
        opinions: Tensor | None = None,
    ) -> None:
        index = {label: i for i, label in enumerate(labels)}
        self._ids = ids
        self._category = torch.tensor([index[r.category] if r.category else -1 for r in rows])
        self._difficulty = torch.tensor(
            [-1.0 if row.difficulty is None else row.difficulty for row in rows]
        )
        self._weight = torch.tensor([row.weight for row in rows])
        self._opinions = opinions

    def __len__(self) -> int:
        return len(self._ids)

    def batch(self, chosen: Sequence[int]) -> Batch:
        """Return the rows with these numbers, padded to the longest."""
        picked = torch.tensor(chosen)
        return Batch(
            pad([self._ids[i] for i in chosen]),
            self._category[picked],
            self._difficulty[picked],
            self._weight[picked],
            None if self._opinions is None else self._opinions[picked],
        )

    def shuffled(self, shuffle: random.Random) -> Iterator[Batch]:
        """Yield every row once, in batches of rows of like length."""
        order = list(range(len(self)))
        shuffle.shuffle(order)
        block = BATCH * _SORTED_TOGETHER
        batches = []
        for start in range(0, len(order), block):
            rows = sorted(order[start : start + block], key=lambda i: len(self._ids[i]))
            batches += [rows[i : i + BATCH] for i in range(0, len(rows), BATCH)]
        shuffle.shuffle(batches)
        yield from map(self.batch, batches)


def pad(ids: Sequence[list[int]]) -> Tensor:
    """Return ids as a tensor of shape (n, longest), padded behind the shorter ones."""
    longest = max(map(len, ids))
    return torch.tensor([row + [PADDING] * (longest - len(row)) for row in ids])


def fit(network: Network, corpus: Corpus, *, epochs: int, seed: int) -> Iterator[float]:
    """Fit the network, yielding each epoch's mean loss."""
    shuffle = random.Random(seed)  # noqa: S311 - for shuffling, not for secrets
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=WEIGHT_DECAY)
    steps = epochs * (len(corpus) // BATCH + len(corpus) // (BATCH * _SORTED_TOGETHER) + 2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_LEARNING_RATE, max(100, steps))
    for _ in range(epochs):
        network.train()
        losses = []
        for batch in corpus.shuffled(shuffle):
            loss = _loss(network, batch)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        yield sum(losses) / len(losses)


def logits(network: Network, ids: Sequence[list[int]]) -> tuple[Tensor, Tensor]:
    """Return category logits (n, categories) and difficulty logits (n, 1), without dropout."""
    network.eval()
    with torch.no_grad():
        parts = [network(pad(ids[i : i + 128])) for i in range(0, len(ids), 128)]
    return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])


def temperature(category_logits: Tensor, labels: Tensor) -> float:
    """Return the temperature that makes the probabilities of held-out rows likeliest."""
    candidates = [0.5 + 0.05 * step for step in range(51)]
    return min(
        candidates,
        key=lambda t: functional.cross_entropy(category_logits / t, labels).item(),
    )


def _loss(network: Network, batch: Batch) -> Tensor:
    category, difficulty = network(batch.ids)
    labelled, judged = batch.category >= 0, batch.difficulty >= 0
    label_share = 1.0
    loss = category.sum() * 0
    if batch.opinions is not None:
        label_share = 1 - OPINION_SHARE
        loss = loss + OPINION_SHARE * _disagreement(category, batch.opinions)
    if labelled.any():
        each = functional.cross_entropy(
            category[labelled],
            batch.category[labelled],
            reduction="none",
            label_smoothing=LABEL_SMOOTHING,
        )
        loss = loss + label_share * (each * batch.weight[labelled]).mean()
    if judged.any():
        each = functional.binary_cross_entropy_with_logits(
            difficulty[judged, 0], batch.difficulty[judged], reduction="none"
        )
        loss = loss + DIFFICULTY_SHARE * (each * batch.weight[judged].clamp(max=1)).mean()
    return loss


def _disagreement(category: Tensor, opinions: Tensor) -> Tensor:
    """Return the divergence from the teacher's opinions, both softened."""
    return (
        functional.kl_div(
            (category / OPINION_TEMPERATURE).log_softmax(1),
            (opinions / OPINION_TEMPERATURE).softmax(1),
            reduction="batchmean",
        )
        * OPINION_TEMPERATURE
    )
