"""The teacher: multilingual-e5-small, fine-tuned on a balanced part of the prompts.

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
from turnout_training.batching import batches, pad
from turnout_training.data import Row, without_options
from turnout_training.encoder import Encoder
from turnout_training.targets import targets

MOST_TOKENS: Final = 128
BATCH: Final = 64
SORTED_TOGETHER: Final = 30
READ_AT_ONCE: Final = 256
EPOCHS: Final = 3
PEAK_LEARNING_RATE: Final = 2e-4
ROWS_OF_A_SOURCE: Final = 80
"""How many rows of one benchmark's format are enough; people's own prompts are all taken."""
OUTCOMES_OF_A_SOURCE: Final = 3_000
"""The same of rows that teach difficulty alone."""
PEOPLE_WEIGHT: Final = 2.0
OTHER_WEIGHT: Final = 0.7
DIFFICULTY_SHARE: Final = 0.3
STEPS_KEPT: Final = 100
_START, _END = 0, 2


class Teacher:
    """An encoder with two heads, and the tokenizer that it reads with."""

    def __init__(
        self, tokenizer: Tokenizer, labels: Sequence[str], *, layers: int, device: str
    ) -> None:
        self._tokenizer = tokenizer
        self._labels = labels
        self._device = torch.device(device)
        self._on_gpu = self._device.type == "cuda"
        self._network = Encoder(len(labels), layers).to(self._device)

    def fit(
        self, rows: Sequence[Row], *, seed: int, kept: Path, progress: Callable[[int, int], None]
    ) -> None:
        """Fine-tune on `rows`: hours on two cores, a minute on a GPU.

        How far it got is written to `kept` now and then, and a run that finds it there goes on from it
        to the same end. `progress` is told the steps made, and how many there are.
        """
        shuffle = random.Random(seed)  # noqa: S311 - for shuffling, not for secrets
        chosen = _balanced(rows, shuffle)
        ids = self._encode([read_by_teacher(row) for row in chosen])
        lengths = [len(read) for read in ids]
        trained = [p for p in self._network.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trained, weight_decay=0.01, fused=True)
        steps = [
            b for _ in range(EPOCHS) for b in batches(lengths, BATCH, SORTED_TOGETHER, shuffle)
        ]
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, PEAK_LEARNING_RATE, max(100, len(steps)), pct_start=0.1
        )
        parts = {"network": self._network, "optimizer": optimizer, "schedule": schedule}
        done = _restore(kept, parts)
        self._network.train()
        for step, batch in enumerate(steps[done:], done + 1):
            with torch.autocast(self._device.type, torch.bfloat16, self._on_gpu):
                read = pad([ids[i] for i in batch]).to(self._device)
                loss = self._loss([chosen[i] for i in batch], *self._network(read))
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            schedule.step()
            progress(step, len(steps))
            if step % STEPS_KEPT == 0:
                _keep(kept, parts, step)

    def opinions(self, texts: Sequence[str]) -> Tensor:
        """Return category logits and, in the last column, difficulty's: shape (texts, labels + 1)."""
        return self._read(self._encode(texts), lambda ids: torch.cat(self._network(ids), 1))

    def pieces(self, ids: Sequence[int]) -> Tensor:
        """Return what each piece of the vocabulary, read alone, means to the teacher: (pieces, width)."""
        width = self._network.words.shape[1]
        alone = [[_START, piece, _END] for piece in ids]
        return self._read(alone, lambda ids: self._network.features(ids)[:, :width])

    def _read(self, ids: Sequence[list[int]], told: Callable[[Tensor], Tensor]) -> Tensor:
        """Return what is told of each, in their order, read in batches of like length."""
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        self._network.eval()
        parts = []
        with torch.no_grad(), torch.autocast(self._device.type, torch.bfloat16, self._on_gpu):
            for start in range(0, len(order), READ_AT_ONCE):
                part = pad([ids[i] for i in order[start : start + READ_AT_ONCE]])
                parts.append(told(part.to(self._device)).float().cpu())
        back = torch.empty(len(order), dtype=torch.long)
        back[torch.tensor(order)] = torch.arange(len(order))
        return torch.cat(parts)[back]

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        clean = [text.encode("utf-8", "replace").decode() for text in texts]
        encoded = self._tokenizer.encode_batch(clean, add_special_tokens=False)
        return [[_START, *_ends(encoding.ids), _END] for encoding in encoded]

    def _loss(self, batch: Sequence[Row], category: Tensor, difficulty: Tensor) -> Tensor:
        truth = targets(batch, self._labels).to(self._device)
        weights = [PEOPLE_WEIGHT if row.by_people else OTHER_WEIGHT for row in batch]
        harder = torch.tensor([-1 if row.difficulty is None else row.difficulty for row in batch])
        harder = harder.to(self._device)
        labelled, judged = truth.sum(1) > 0, harder >= 0
        loss = category.sum() * 0
        if labelled.any():
            each = functional.cross_entropy(
                category[labelled], truth[labelled], reduction="none", label_smoothing=0.05
            )
            loss = loss + (each * torch.tensor(weights).to(self._device)[labelled]).mean()
        if judged.any():
            loss = loss + DIFFICULTY_SHARE * functional.binary_cross_entropy_with_logits(
                difficulty[judged, 0], harder[judged]
            )
        return loss


def read_by_teacher(row: Row) -> str:
    """Return what the teacher reads of a row: the text behind its context, without options."""
    text = without_options(row.text) if row.outcome else row.text
    return join(text, row.context)


def _keep(kept: Path, parts: Mapping[str, Any], step: int) -> None:
    state = {name: part.state_dict() for name, part in parts.items()}
    beside = kept.with_suffix(".tmp")
    torch.save({**state, "step": step, "random": torch.get_rng_state()}, beside)
    beside.rename(kept)


def _restore(kept: Path, parts: Mapping[str, Any]) -> int:
    """Put the parts back as they were kept, and return how many steps had been made by then."""
    if not kept.exists():
        return 0
    state = torch.load(kept, weights_only=True, map_location="cpu")
    for name, part in parts.items():
        part.load_state_dict(state[name])
    torch.set_rng_state(state["random"])
    return int(state["step"])


def _balanced(rows: Sequence[Row], shuffle: random.Random) -> list[Row]:
    sources: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.category or row.difficulty is not None:
            sources[row.source].append(row)
    chosen = []
    for part in sources.values():
        shuffle.shuffle(part)
        if part[0].by_people:
            chosen += part
        elif part[0].category is None:
            chosen += part[:OUTCOMES_OF_A_SOURCE]
        else:
            chosen += part[:ROWS_OF_A_SOURCE]
    return chosen


def _ends(ids: list[int]) -> list[int]:
    half = MOST_TOKENS // 2
    return ids if len(ids) <= MOST_TOKENS else ids[:half] + ids[-half:]
