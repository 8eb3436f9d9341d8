"""From files of prompts to a model layer, step by step."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from turnout.classifier import encode
from turnout_training.data import CATEGORIES, HELD_OUT, Row, digest, read_rows
from turnout_training.export import export
from turnout_training.fitting import Corpus, fit, logits, temperature
from turnout_training.model import Network
from turnout_training.scores import Scores, score
from turnout_training.tokens import train_tokenizer


def train(
    data: Sequence[Path],
    out: Path,
    *,
    seed: int = 0,
    epochs: int = 6,
    tell: Callable[[str], None] = print,
) -> dict[str, Scores]:
    """Train on `data`, write `model.onnx` and `tokenizer.json` to `out`, and return the scores.

    The same data, seed and number of epochs give the same model. Raises ValueError for bad data.
    """
    torch.manual_seed(seed)
    rows = read_rows(data)
    fitted = [row for row in rows if row.split == "train" and row.source != HELD_OUT]
    held = {
        "validation": [row for row in rows if row.split != "train" and row.source != HELD_OUT],
        "real users": [row for row in rows if row.source == HELD_OUT],
    }
    labels = _labels(rows)
    tell(f"{len(fitted):,} rows to train on, {len(labels)} categories")
    tokenizer = train_tokenizer(row.text for row in fitted)
    corpus = Corpus(fitted, [encode(tokenizer, row.text, row.context) for row in fitted], labels)
    network = Network(tokenizer.get_vocab_size(), len(labels))
    started = time.monotonic()
    for epoch, loss in enumerate(fit(network, corpus, epochs=epochs, seed=seed), 1):
        tell(f"epoch {epoch} of {epochs}: loss {loss:.3f} after {time.monotonic() - started:.0f} s")
    told = {name: _tell(network, tokenizer, part, labels) for name, part in held.items() if part}
    best = temperature(*_stacked(list(told.values()))) if told else 1.0
    out.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(out / "tokenizer.json"))
    data_digest = digest(fitted)
    export(
        network,
        out / "model.onnx",
        labels=labels,
        temperature=best,
        version=f"{data_digest[:8]}-{seed}",
        data_digest=data_digest,
    )
    return {
        name: score((lg / best).softmax(1).numpy(), truth.numpy(), labels)
        for name, (lg, truth) in told.items()
    }


def _labels(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the categories in their usual order, a user's own ones in alphabetical order behind."""
    found = {row.category for row in rows if row.category}
    own = sorted(found.difference(CATEGORIES))
    return (*(label for label in CATEGORIES if label in found), *own)


def _tell(
    network: Network, tokenizer: object, rows: Sequence[Row], labels: Sequence[str]
) -> tuple[Tensor, Tensor]:
    shuffled = list(rows)
    random.Random(0).shuffle(shuffled)  # noqa: S311 - for shuffling, not for secrets
    category, _ = logits(network, [encode(tokenizer, row.text, row.context) for row in shuffled])
    return category, torch.tensor([labels.index(row.category or "") for row in shuffled])


def _stacked(told: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    return torch.cat([part[0] for part in told]), torch.cat([part[1] for part in told])
