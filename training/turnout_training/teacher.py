"""The teacher: the lower layers of multilingual-e5-small, fine-tuned on a balanced part of the prompts.

It is far too slow to serve. Its opinions on every text, soft and in any language, are what the small
model learns from beside the labels.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from turnout.classifier import join
from turnout_training.data import Row
from turnout_training.encoder import PADDING, Encoder

MOST_TOKENS: Final = 96
MOST_CHARACTERS: Final = 3_000
BATCH: Final = 32
EPOCHS: Final = 3
PEAK_LEARNING_RATE: Final = 3e-4
ROWS_OF_A_SOURCE: Final = 80
"""How many rows of one benchmark's format are enough; people's own prompts are all taken."""
PEOPLE_WEIGHT: Final = 2.0
OTHER_WEIGHT: Final = 0.7
DIFFICULTY_SHARE: Final = 0.3
_START, _END = 0, 2


class Teacher:
    """An encoder with two heads, and the tokenizer that it reads with."""

    def __init__(self, tokenizer: Tokenizer, labels: Sequence[str]) -> None:
        self._tokenizer = tokenizer
        self._labels = {label: i for i, label in enumerate(labels)}
        self._network = Encoder(len(labels))

    def fit(
        self, rows: Sequence[Row], *, seed: int, kept: Path, tell: Callable[[str], None]
    ) -> None:
        """Fine-tune on `rows`, one or two seconds a step on two cores.

        How far it got is written to `kept` now and then, and a run that finds it there goes on from it
        to the same end.
        """
        shuffle = random.Random(seed)  # noqa: S311 - for shuffling, not for secrets
        chosen = _balanced(rows, shuffle)
        trained = [p for p in self._network.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trained, weight_decay=0.01)
        batches = [b for _ in range(EPOCHS) for b in self._batches(chosen, shuffle)]
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, PEAK_LEARNING_RATE, max(100, len(batches)), pct_start=0.1
        )
        parts = {"network": self._network, "optimizer": optimizer, "schedule": schedule}
        done = _restore(kept, parts)
        tell(f"teacher: {len(chosen):,} rows, {len(batches)} steps, {done} of them done before")
        self._network.train()
        for step, batch in enumerate(batches[done:], done + 1):
            loss = self._loss(batch)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            schedule.step()
            if step % 100 == 0:
                tell(f"teacher: step {step} of {len(batches)}, loss {loss.item():.3f}")
                _keep(kept, parts, step)

    def opinions(self, texts: Sequence[str]) -> Tensor:
        """Return category logits, shape (texts, labels)."""
        ids = [self._encode(text) for text in texts]
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        opinions = torch.zeros(len(ids), len(self._labels))
        self._network.eval()
        with torch.no_grad():
            for start in range(0, len(order), 2 * BATCH):
                part = order[start : start + 2 * BATCH]
                opinions[torch.tensor(part)] = self._network(_pad([ids[i] for i in part]))[0]
        return opinions

    def _encode(self, text: str) -> list[int]:
        if len(text) > MOST_CHARACTERS:
            text = f"{text[: MOST_CHARACTERS // 2]}\n{text[-MOST_CHARACTERS // 2 :]}"
        clean = text.encode("utf-8", "replace").decode()
        ids: list[int] = self._tokenizer.encode(clean, add_special_tokens=False).ids
        if len(ids) > MOST_TOKENS:
            ids = ids[: MOST_TOKENS // 2] + ids[-MOST_TOKENS // 2 :]
        return [_START, *ids, _END]

    def _padded(self, batch: Sequence[Row]) -> Tensor:
        return _pad([self._encode(join(row.text, row.context)) for row in batch])

    def _batches(self, rows: Sequence[Row], shuffle: random.Random) -> list[list[Row]]:
        """Return batches of rows of like length, in random order."""
        ordered = list(rows)
        shuffle.shuffle(ordered)
        batches = []
        for start in range(0, len(ordered), BATCH * 30):
            part = ordered[start : start + BATCH * 30]
            part.sort(key=lambda row: len(row.text))
            batches += [part[i : i + BATCH] for i in range(0, len(part), BATCH)]
        shuffle.shuffle(batches)
        return batches

    def _loss(self, batch: Sequence[Row]) -> Tensor:
        category, difficulty = self._network(self._padded(batch))
        truth = torch.tensor([self._labels[row.category] if row.category else -1 for row in batch])
        weight = torch.tensor([PEOPLE_WEIGHT if row.by_people else OTHER_WEIGHT for row in batch])
        harder = torch.tensor([-1 if row.difficulty is None else row.difficulty for row in batch])
        labelled, judged = truth >= 0, harder >= 0
        loss = category.sum() * 0
        if labelled.any():
            each = functional.cross_entropy(
                category[labelled], truth[labelled], reduction="none", label_smoothing=0.05
            )
            loss = loss + (each * weight[labelled]).mean()
        if judged.any():
            loss = loss + DIFFICULTY_SHARE * functional.binary_cross_entropy_with_logits(
                difficulty[judged, 0], harder[judged]
            )
        return loss


def _keep(kept: Path, parts: Mapping[str, Any], step: int) -> None:
    state = {name: part.state_dict() for name, part in parts.items()}
    beside = kept.with_suffix(".tmp")
    torch.save({**state, "step": step, "random": torch.get_rng_state()}, beside)
    beside.rename(kept)


def _restore(kept: Path, parts: Mapping[str, Any]) -> int:
    """Put the parts back as they were kept, and return how many steps had been made by then."""
    if not kept.exists():
        return 0
    state = torch.load(kept, weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(state[name])
    torch.set_rng_state(state["random"])
    return int(state["step"])


def _balanced(rows: Sequence[Row], shuffle: random.Random) -> list[Row]:
    sources: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        sources[row.source].append(row)
    chosen = []
    for part in sources.values():
        shuffle.shuffle(part)
        chosen += part if part[0].by_people else part[:ROWS_OF_A_SOURCE]
    return chosen


def _pad(ids: Sequence[list[int]]) -> Tensor:
    longest = max(map(len, ids))
    return torch.tensor([row + [PADDING] * (longest - len(row)) for row in ids])
