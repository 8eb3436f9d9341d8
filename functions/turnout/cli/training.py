"""`turnout train` and `turnout eval`: the classifier, made and measured."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("data", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the layer.")
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same model.")
@click.option("--epochs", default=12, show_default=True)
@click.option("--teachers", default=0, show_default=True, help="4 is more right, and wants a GPU.")
@click.option("--teacher-layers", default=12, show_default=True, type=click.IntRange(1, 12))
@click.option("--device", default="cpu", show_default=True, help="Or cuda, for a GPU.")
def train(
    data: tuple[Path, ...],
    out: Path,
    seed: int,
    epochs: int,
    teachers: int,
    teacher_layers: int,
    device: str,
) -> None:
    """Train a classifier on DATA: JSONL files (.gz or not) of prompts, or folders of them."""
    with _training_errors():
        from turnout_training.training import Recipe
        from turnout_training.training import train as run

        recipe = Recipe(seed, epochs, teachers, teacher_layers, device)
        scores = run(data, out, recipe, _Bars())
    for name, part in scores.items():
        click.echo(f"{name}: {part}")


@click.command("eval")
@click.argument("data", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--model", type=click.Path(path_type=Path), help="Folder of the layer to evaluate.")
@click.option("--source", help="Evaluate on this source's rows alone.")
@click.option("--split", help="Evaluate on this split's rows alone.")
@click.option("--in-conversation", is_flag=True, help="Put a turn of another kind before each.")
@click.option("--routellm", is_flag=True, help="Rows carry two models' outcomes: APGR and CPT.")
@click.option("--gadgets", is_flag=True, help="How easily an added text moves a route.")
@click.option("--pictures", type=click.Path(path_type=Path), help="Folder for the pictures (SVG).")
def evaluate(
    data: tuple[Path, ...],
    model: Path | None,
    source: str | None,
    split: str | None,
    in_conversation: bool,
    routellm: bool,
    gadgets: bool,
    pictures: Path | None,
) -> None:
    """Evaluate the classifier on DATA, through the adapter that serves requests."""
    from turnout.classifier import Classifier
    from turnout.local import local_settings

    with _training_errors():
        from turnout_training import evaluation
        from turnout_training.data import in_conversation as after_another_kind
        from turnout_training.data import read_rows
        from turnout_training.gadgets import gadget_report

        folder = model or local_settings(os.environ).classifier
        rows = [
            row
            for row in read_rows(data)
            if source in (None, row.source) and split in (None, row.split)
        ]
        if in_conversation:
            rows = after_another_kind(rows, seed=0)
        classifier = Classifier.load(folder)
        if routellm:
            told, drawn = evaluation.routing_report(classifier, rows)
        else:
            told, drawn = evaluation.report(classifier, folder, rows)
        if gadgets:
            told.extend(gadget_report(classifier, rows))
    for line in told:
        click.echo(line)
    if pictures:
        pictures.mkdir(parents=True, exist_ok=True)
        for name, svg in drawn.items():
            (pictures / f"{name}.svg").write_text(svg, encoding="utf-8")


class _Bars:
    """Draws a progress bar for each thing that is made, where there is a terminal."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._done = 0

    def __call__(self, what: str, done: int, through: int) -> None:
        """Say that of `what`, `done` of `through` steps are made."""
        if self._bar is None or done <= self._done:
            self._bar, self._done = click.progressbar(length=through, label=what), 0
        self._bar.update(done - self._done)
        self._done = done
        if done == through:
            self._bar.render_finish()
            self._bar = None


@contextmanager
def _training_errors() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"{error.name} is missing: in a checkout, .venv/bin/pip install -r training/requirements.in"
        ) from None
    except ValueError as error:
        raise click.ClickException(str(error)) from None
