"""`turnout feedback export`: what callers thought of replies, for training and for policies."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from turnout.cli.history import history_of
from turnout.cli.store import with_table

if TYPE_CHECKING:
    from turnout.feedback_export import Rated
    from turnout.policy import Policy
    from turnout.store import Table


@click.group()
def feedback() -> None:
    """What callers thought of replies."""


@feedback.command()
@click.option(
    "--as", "kind", type=click.Choice(["training", "quality"]), required=True,
    help="JSONL for `turnout train`, or a policy's quality table.",
)  # fmt: skip
@click.option("--since", default="30d", show_default=True, help="How far back: 90m, 24h, 7d.")
@click.option("--policy", "name", default="default", show_default=True, help="Whose model names.")
@click.option("--least", default=20, show_default=True, help="Judgements that a share needs.")
def export(kind: str, since: str, name: str, least: int) -> None:
    """Print feedback, with the decisions it is on, as rows or as a table."""
    from turnout.feedback_export import quality_table, training_rows

    judged, policy = with_table(lambda table: _judged(table, since, name))
    if kind == "training":
        rows = list(training_rows(judged))
        for row in rows:
            click.echo(json.dumps(asdict(row), ensure_ascii=False))
        click.echo(f"{len(rows):,} rows of {len(judged):,} ratings", err=True)
        return
    import yaml

    quality = quality_table(judged, policy, least=least)
    if not quality:
        raise click.ClickException(
            f"no model of {name} has {least:,} judgements among {len(judged):,} ratings"
        )
    click.echo(yaml.safe_dump({"quality": quality}, sort_keys=False), nl=False)


async def _judged(table: Table, since: str, name: str) -> tuple[list[Rated], Policy]:
    from turnout.errors import NotFound
    from turnout.timespan import seconds

    history = history_of(table)
    rollout = (await history.book.snapshot()).rollouts.get(name)
    if rollout is None:
        raise NotFound(f"no policy {name!r}")
    return await history.rated(seconds(since)), rollout.active.policy
