"""Teachers' opinions on every row, each row's from a teacher that was not taught on it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from turnout_training.data import Row, digest
from turnout_training.teacher import Teacher, read_by_teacher
from turnout_training.tokens import full_tokenizer

Progress = Callable[[str, int, int], None]
"""Is told what is made, how far it is, and when it is through."""


@dataclass(frozen=True, slots=True)
class Opinions:
    """`logits` (rows, labels + 1), of the categories and of difficulty; `pieces` (pieces, any), what each
    piece of the vocabulary means to a teacher."""

    logits: Tensor
    pieces: Tensor


def opinions(
    rows: Sequence[Row],
    labels: Sequence[str],
    pieces: Sequence[int],
    *,
    teachers: int,
    layers: int,
    seed: int,
    device: str,
    out: Path,
    progress: Progress,
) -> Opinions:
    """Return the opinions on the rows, and on the pieces.

    The rows are dealt out to `teachers`; each is taught on the others' rows and reads its own, so that
    an opinion is not the label that was told (of one teacher alone it is). Rows without a category or
    a difficulty are read by all. What is through is kept in `out`, so that a stopped run goes on from
    there.
    """
    out.mkdir(parents=True, exist_ok=True)
    dealt = np.array([_number(row.text, teachers) for row in rows])
    untold = np.array([row.category is None and row.difficulty is None for row in rows])
    logits, meanings = torch.zeros(len(rows), len(labels) + 1), torch.zeros(0)
    for number in range(teachers):
        name = f"opinions-{digest(rows)}-{layers}-{seed}-{number}-{teachers}"
        kept = out / f"{name}.npz"
        reads = (dealt == number) | untold
        if not kept.exists():
            taught = (
                rows
                if teachers == 1
                else [rows[i] for i in np.flatnonzero(dealt != number).tolist()]
            )
            torch.manual_seed(seed + number)
            teacher = Teacher(full_tokenizer(), labels, layers=layers, device=device)
            label = f"teacher {number + 1} of {teachers}"
            teacher.fit(
                taught,
                seed=seed + number,
                kept=out / f"{name}.pt",
                progress=partial(progress, label),
            )
            told = teacher.opinions(
                [read_by_teacher(rows[i]) for i in np.flatnonzero(reads).tolist()]
            )
            _keep(kept, told, teacher.pieces(pieces))
            (out / f"{name}.pt").unlink(missing_ok=True)
        with np.load(kept) as read:
            told = torch.from_numpy(read["logits"].astype(np.float32))
            meanings = torch.from_numpy(read["pieces"].astype(np.float32))
        share = np.where(untold, 1 / teachers, 1.0)[reads].astype(np.float32)
        logits[torch.from_numpy(reads)] += told * torch.from_numpy(share)[:, None]
    return Opinions(logits, meanings)


def forget(out: Path) -> None:
    """Remove what a finished run kept."""
    for kept in out.glob("opinions-*"):
        kept.unlink()


def _keep(kept: Path, logits: Tensor, pieces: Tensor) -> None:
    beside = kept.with_suffix(".tmp")
    with beside.open("wb") as file:
        np.savez(
            file,
            logits=logits.numpy().astype(np.float16),
            pieces=pieces.numpy().astype(np.float16),
        )
    beside.rename(kept)


def _number(text: str, teachers: int) -> int:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()[0] % teachers
