"""From files of prompts to a model layer, step by step."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from turnout.classifier import encode, join
from turnout_training.data import (
    CATEGORIES,
    HELD_OUT,
    Row,
    digest,
    read_rows,
    without_options,
    without_surplus,
)
from turnout_training.export import export
from turnout_training.fitting import Corpus, fit, logits, temperature
from turnout_training.model import Network, narrowed
from turnout_training.pretrained import Weights
from turnout_training.scores import Scores, score
from turnout_training.teacher import Teacher
from turnout_training.tokens import cut_down, full_tokenizer

Tell = Callable[[str], None]


def train(
    data: Sequence[Path],
    out: Path,
    *,
    seed: int = 0,
    epochs: int = 12,
    teacher: bool = True,
    tell: Tell = print,
) -> dict[str, Scores]:
    """Train on `data`, write `model.onnx` and `tokenizer.json` to `out`, and return the scores.

    The same data and options give the same model. Without the teacher it takes minutes and is less
    right. Raises ValueError for bad data.
    """
    torch.manual_seed(seed)
    rows = read_rows(data)
    fitted = without_surplus(
        [row for row in rows if row.split == "train" and row.source != HELD_OUT], seed
    )
    labels = _labels(rows)
    tell(f"{len(fitted):,} rows to train on, {len(labels)} categories")
    opinions = _opinions(fitted, labels, seed, out, tell) if teacher else None
    texts = [_read_by_student(row) for row in fitted]
    tokenizer, kept = cut_down(texts)
    corpus = Corpus(fitted, [encode(tokenizer, text) for text in texts], labels, opinions)
    network = Network(_starting_embeddings(kept), len(labels))
    started = time.monotonic()
    for epoch, loss in enumerate(fit(network, corpus, epochs=epochs, seed=seed), 1):
        tell(f"epoch {epoch} of {epochs}: loss {loss:.3f} after {time.monotonic() - started:.0f} s")
    told = {
        name: _tell(network, tokenizer, part, labels)
        for name, part in _held_out(rows).items()
        if part
    }
    # People's own prompts alone: benchmarks' formats are told too surely.
    best = temperature(*told["people"]) if "people" in told else 1.0
    data_digest = digest(fitted)
    out.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(out / "tokenizer.tmp"), pretty=False)
    export(
        network,
        out / "model.tmp",
        labels=labels,
        temperature=best,
        version=f"{data_digest[:8]}-{seed}",
        data_digest=data_digest,
    )
    (out / "tokenizer.tmp").rename(out / "tokenizer.json")
    (out / "model.tmp").rename(out / "model.onnx")
    for opinions_file in out.glob("opinions-*.npy"):
        opinions_file.unlink()
    return {
        name: score((lg / best).softmax(1).numpy(), truth.numpy(), labels)
        for name, (lg, truth) in told.items()
    }


def _held_out(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return the rows to validate on, those of them that people wrote, and the real users' rows."""
    validation = [r for r in rows if r.split != "train" and r.source != HELD_OUT and r.category]
    return {
        "validation": validation,
        "people": [row for row in validation if row.by_people],
        "real users": [row for row in rows if row.source == HELD_OUT],
    }


def _read_by_student(row: Row) -> str:
    text = join(row.text, row.context)
    return text if row.category else without_options(text)


def _opinions(
    rows: Sequence[Row], labels: Sequence[str], seed: int, out: Path, tell: Tell
) -> Tensor:
    """Return the teacher's logits on every row, kept in `out` so that a stopped run goes on from there."""
    out.mkdir(parents=True, exist_ok=True)
    kept = out / f"opinions-{digest(rows)}-{seed}.npy"
    if kept.exists():
        tell(f"teacher: its opinions are in {kept.name}")
        return torch.from_numpy(np.load(kept))
    teacher = Teacher(full_tokenizer(), labels)
    fitting = kept.with_name(f"teacher-{digest(rows)}-{seed}.pt")
    teacher.fit(rows, seed=seed, kept=fitting, tell=tell)
    tell(f"teacher: reading {len(rows):,} texts")
    opinions = teacher.opinions([join(row.text, row.context) for row in rows])
    np.save(kept, opinions.numpy())
    fitting.unlink(missing_ok=True)
    return opinions


def _starting_embeddings(kept: Sequence[int]) -> Tensor:
    weights = Weights()
    table = weights.tensor("emb.word", packed=True).reshape(-1, weights.shape.width)
    return narrowed(table[list(kept)])


def _labels(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the categories in their usual order, a user's own ones in alphabetical order behind."""
    found = {row.category for row in rows if row.category}
    own = sorted(found.difference(CATEGORIES))
    return (*(label for label in CATEGORIES if label in found), *own)


def _tell(
    network: Network, tokenizer: Tokenizer, rows: Sequence[Row], labels: Sequence[str]
) -> tuple[Tensor, Tensor]:
    ids = [encode(tokenizer, join(row.text, row.context)) for row in rows]
    category, _ = logits(network, ids)
    return category, torch.tensor([labels.index(row.category or "") for row in rows])
