"""From files of prompts to a model layer, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from tokenizers import Tokenizer
from torch import Tensor

from turnout.classifier import encode, join
from turnout_training.altered import altered
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
from turnout_training.fitting import Corpus, fit, logits, spread, temperature
from turnout_training.model import WIDTH, Network, narrowed
from turnout_training.opinions import Opinions, Progress, forget, opinions
from turnout_training.pretrained import Weights
from turnout_training.scores import Scores, score
from turnout_training.targets import targets
from turnout_training.tokens import cut_down

DROPOUT_WITHOUT_TEACHERS: Final = 0.1
Answers = tuple[Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is made: the same data and recipe give the same model.

    Without teachers it takes minutes on two cores, and is less right. Several teachers read each what
    the others were taught on; `device` is where all that runs, `cuda` for a GPU.
    """

    seed: int = 0
    epochs: int = 12
    teachers: int = 0
    teacher_layers: int = 12
    device: str = "cpu"


def _silent(what: str, done: int, through: int) -> None:
    pass


def train(
    data: Sequence[Path], out: Path, recipe: Recipe | None = None, progress: Progress = _silent
) -> dict[str, Scores]:
    """Train on `data`, write `model.onnx` and `tokenizer.json` to `out`, and return the scores on what was
    held out. Raises ValueError for bad data."""
    recipe = recipe or Recipe()
    torch.manual_seed(recipe.seed)
    rows = read_rows(data)
    labels = _labels(rows)
    fitted = _to_fit(rows, recipe)
    data_digest = digest(fitted)
    tokenizer, kept = cut_down(_read_by_student(row) for row in fitted)
    told = None
    if recipe.teachers:
        fitted += altered([row for row in fitted if row.category], recipe.seed)
        told = opinions(
            fitted,
            labels,
            kept,
            teachers=recipe.teachers,
            layers=recipe.teacher_layers,
            seed=recipe.seed,
            device=recipe.device,
            out=out,
            progress=progress,
        )
    ids = [encode(tokenizer, _read_by_student(row)) for row in fitted]
    corpus = Corpus(fitted, ids, labels, told and told.logits, recipe.device)
    dropout = 0.0 if told else DROPOUT_WITHOUT_TEACHERS
    network = Network(_starting_embeddings(kept, told), len(labels), dropout)
    network = _fitted(network, corpus, recipe, progress)
    held_out = _held_out(rows)
    answers = {name: _answers(network, tokenizer, part) for name, part in held_out.items()}
    calm, spread_out = _calibration(answers, held_out, labels)
    out.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(out / "tokenizer.tmp"), pretty=False)
    export(
        network.cpu(),
        out / "model.tmp",
        labels=labels,
        temperature=calm,
        spread=spread_out,
        version=f"{data_digest[:8]}-{recipe.seed}",
        data_digest=data_digest,
    )
    (out / "tokenizer.tmp").rename(out / "tokenizer.json")
    (out / "model.tmp").rename(out / "model.onnx")
    forget(out)
    return {
        name: score(
            (answers[name][0] / calm).softmax(1).numpy(),
            targets(part, labels).argmax(1).numpy(),
            labels,
        )
        for name, part in held_out.items()
    }


def _to_fit(rows: Sequence[Row], recipe: Recipe) -> list[Row]:
    """Return the rows to train on; without a teacher, those alone that say what they are."""
    fitted = [row for row in rows if row.split == "train" and row.source != HELD_OUT]
    if not recipe.teachers:
        fitted = [row for row in fitted if row.category or row.difficulty is not None]
    return without_surplus(fitted, recipe.seed)


def _fitted(network: Network, corpus: Corpus, recipe: Recipe, progress: Progress) -> Network:
    network = network.to(recipe.device)
    steps = recipe.epochs * corpus.batches
    for step, _ in enumerate(fit(network, corpus, epochs=recipe.epochs, seed=recipe.seed), 1):
        progress(f"model, on {len(corpus):,} rows", step, steps)
    return network


def _held_out(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return the rows to validate on, those of them that people wrote, and the real users' rows."""
    validation = [r for r in rows if r.split != "train" and r.source != HELD_OUT and r.category]
    parts = {
        "validation": validation,
        "people": [row for row in validation if row.by_people],
        "real users": [row for row in rows if row.source == HELD_OUT],
    }
    return {name: part for name, part in parts.items() if part}


def _answers(network: Network, tokenizer: Tokenizer, rows: Sequence[Row]) -> Answers:
    """Return category logits, shape (rows, labels), and difficulty's, (rows, 1)."""
    return logits(network, [encode(tokenizer, join(row.text, row.context)) for row in rows])


def _calibration(
    answers: Mapping[str, Answers], held_out: Mapping[str, Sequence[Row]], labels: Sequence[str]
) -> tuple[float, tuple[float, float]]:
    """Return the temperature and difficulty's spread that fit people's own prompts: benchmarks' formats
    are told too surely."""
    names = [name for name in ("people", "real users") if name in answers]
    if not names:
        return 1.0, (1.0, 0.0)
    accepted = targets([row for name in names for row in held_out[name]], labels) > 0
    categories, difficulties = (
        torch.cat(part) for part in zip(*(answers[name] for name in names), strict=True)
    )
    return temperature(categories, accepted), spread(difficulties)


def _read_by_student(row: Row) -> str:
    text = join(row.text, row.context)
    return without_options(text) if row.outcome else text


def _starting_embeddings(kept: Sequence[int], told: Opinions | None) -> Tensor:
    """Return the embeddings to start from: the pretrained ones, half of each if teachers told theirs."""
    weights = Weights()
    table = weights.tensor("emb.word", packed=True).reshape(-1, weights.shape.width)
    pretrained = torch.from_numpy(table[list(kept)])
    if told is None:
        return narrowed(pretrained, WIDTH)
    half = WIDTH // 2
    return torch.cat([narrowed(pretrained, half), narrowed(told.pieces, half)], 1)


def _labels(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the categories in their usual order, a user's own ones in alphabetical order behind."""
    found = {row.category for row in rows if row.category}
    own = sorted(found.difference(CATEGORIES))
    return (*(label for label in CATEGORIES if label in found), *own)
