"""Fitting the network: deterministic for a seed, minutes on two cores."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from turnout_training.batching import batches, pad
from turnout_training.data import Row
from turnout_training.model import Network
from turnout_training.targets import targets

FEWEST_IN_A_BATCH, MOST_IN_A_BATCH = 16, 128
BATCHES_OF_AN_EPOCH = 500
"""As many, where there are rows enough."""
PEAK_LEARNING_RATE = 1.25e-4
"""Times the root of the rows in a batch."""
WEIGHT_DECAY = 0.02
LABEL_SMOOTHING = 0.05
DIFFICULTY_SHARE = 0.4
OPINION_SHARE = 0.7
"""How much the teacher's opinions weigh against the labels."""
OPINION_TEMPERATURE = 2.0
MEDIAN_DIFFICULTY, HIGH_DIFFICULTY = 0.25, 0.6
AVERAGED_SHARE = 0.05
"""Of all steps, those whose weights the moving average remembers."""
_SORTED_TOGETHER = 40
"""Batches whose rows are sorted by length together."""


@dataclass(frozen=True, slots=True)
class Batch:
    """`ids` (n, length); `category` (n, labels), the probabilities to tell, zeros where none is known;
    `difficulty` (n,), -1 for none; `weight` (n,); `opinions` (n, labels + 1) of the teacher: logits, of
    the categories and of difficulty."""

    ids: Tensor
    category: Tensor
    difficulty: Tensor
    weight: Tensor
    opinions: Tensor | None


class Corpus:
    """Rows as tensors on a device, with the teacher's opinions on them where there is a teacher."""

    def __init__(
        self,
        rows: Sequence[Row],
        ids: Sequence[list[int]],
        labels: Sequence[str],
        opinions: Tensor | None = None,
        device: str = "cpu",
    ) -> None:
        self._lengths = [len(row) for row in ids]
        self._ids = pad(ids).int().to(device)
        self._category = targets(rows, labels).to(device)
        difficulty = [-1.0 if row.difficulty is None else row.difficulty for row in rows]
        self._difficulty = torch.tensor(difficulty).to(device)
        self._weight = torch.tensor([row.weight for row in rows]).to(device)
        self._opinions = None if opinions is None else opinions.to(device)

    def __len__(self) -> int:
        return len(self._lengths)

    @property
    def batches(self) -> int:
        """How many batches an epoch has."""
        return -(-len(self) // self.batch_size)

    @property
    def batch_size(self) -> int:
        """How many rows a batch has."""
        return min(max(len(self) // BATCHES_OF_AN_EPOCH, FEWEST_IN_A_BATCH), MOST_IN_A_BATCH)

    def batch(self, chosen: Sequence[int]) -> Batch:
        """Return the rows with these numbers, cut to the longest."""
        picked = torch.tensor(chosen).to(self._ids.device)
        return Batch(
            self._ids[picked, : max(self._lengths[i] for i in chosen)],
            self._category[picked],
            self._difficulty[picked],
            self._weight[picked],
            None if self._opinions is None else self._opinions[picked],
        )

    def shuffled(self, shuffle: random.Random) -> Iterator[Batch]:
        """Yield every row once, in batches of rows of like length."""
        yield from map(
            self.batch, batches(self._lengths, self.batch_size, _SORTED_TOGETHER, shuffle)
        )


def fit(network: Network, corpus: Corpus, *, epochs: int, seed: int) -> Iterator[Tensor]:
    """Fit the network where it is, yielding each step's loss; at the end it has the moving average of its
    weights."""
    shuffle = random.Random(seed)  # noqa: S311 - for shuffling, not for secrets
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=WEIGHT_DECAY, fused=True)
    steps = epochs * corpus.batches
    peak = PEAK_LEARNING_RATE * corpus.batch_size**0.5
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, peak, max(100, steps))
    decay = max(0.0, 1 - 1 / (AVERAGED_SHARE * steps))
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay))
    network.train()
    for _ in range(epochs):
        for batch in corpus.shuffled(shuffle):
            loss = _loss(network, batch)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            average.update_parameters(network)
            yield loss.detach()
    network.load_state_dict(average.module.state_dict())


def logits(network: Network, ids: Sequence[list[int]]) -> tuple[Tensor, Tensor]:
    """Return category logits (n, categories) and difficulty logits (n, 1), without dropout."""
    network.eval()
    device = next(network.parameters()).device
    with torch.no_grad():
        parts = [network(pad(ids[i : i + 128]).to(device)) for i in range(0, len(ids), 128)]
    category, difficulty = (torch.cat(part).cpu() for part in zip(*parts, strict=True))
    return category, difficulty


def temperature(category_logits: Tensor, accepted: Tensor) -> float:
    """Return the temperature at which the confidence in what is told fits how often that is right.

    `accepted` (n, labels) is true for each category that counts as right.
    """
    right = accepted.gather(1, category_logits.argmax(1, keepdim=True))[:, 0].float()
    candidates = [0.3 + 0.02 * step for step in range(100)]
    return min(
        candidates,
        key=lambda t: functional.binary_cross_entropy(
            (category_logits / t).softmax(1).max(1).values.clamp(1e-4, 1 - 1e-4), right
        ).item(),
    )


def spread(difficulty_logits: Tensor) -> tuple[float, float]:
    """Return the scale and the shift that give difficulty its meaning on these prompts (n, 1): half of them
    are under MEDIAN_DIFFICULTY, one in twenty over HIGH_DIFFICULTY."""
    middle, high = (float(q) for q in difficulty_logits.quantile(torch.tensor([0.5, 0.95])))
    low_target, high_target = (_logit(d) for d in (MEDIAN_DIFFICULTY, HIGH_DIFFICULTY))
    scale = (high_target - low_target) / max(high - middle, 1e-3)
    return scale, low_target - scale * middle


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def _loss(network: Network, batch: Batch) -> Tensor:
    category, difficulty = network(batch.ids)
    labelled, judged = batch.category.sum(1) > 0, batch.difficulty >= 0
    label_share, judgement = 1.0, batch.difficulty
    loss = category.sum() * 0
    if batch.opinions is not None:
        label_share = 1 - OPINION_SHARE
        loss = loss + OPINION_SHARE * _disagreement(category, batch.opinions[:, :-1], batch.weight)
        judgement = (judgement + batch.opinions[:, -1].sigmoid()) / 2
    if labelled.any():
        each = functional.cross_entropy(
            category[labelled],
            batch.category[labelled],
            reduction="none",
            label_smoothing=LABEL_SMOOTHING,
        )
        loss = loss + label_share * (each * batch.weight[labelled]).sum() / len(batch.ids)
    if judged.any():
        each = functional.binary_cross_entropy_with_logits(
            difficulty[judged, 0], judgement[judged], reduction="none"
        )
        loss = loss + DIFFICULTY_SHARE * (each * batch.weight[judged].clamp(max=1)).mean()
    return loss


def _disagreement(category: Tensor, opinions: Tensor, weight: Tensor) -> Tensor:
    """Return the divergence from the teacher's opinions, both softened, weighted by row."""
    each = functional.kl_div(
        (category / OPINION_TEMPERATURE).log_softmax(1),
        (opinions / OPINION_TEMPERATURE).softmax(1),
        reduction="none",
    ).sum(1)
    return OPINION_TEMPERATURE * (each * weight).sum() / weight.sum()
