"""`turnout policy replay`: a policy rehearsed on recorded traffic."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from turnout.cli.log_files import log_lines
from turnout.cli.policy import FILE, known_categories, problems_of
from turnout.cli.store import with_table

if TYPE_CHECKING:
    from turnout.policy import ActivePolicy
    from turnout.recorded import Recorded, Unread
    from turnout.rehearsal import Rehearsal
    from turnout.store import Table


@click.command()
@click.argument("file", type=FILE)
@click.option(
    "--from", "logs", multiple=True, type=FILE, help="A log file (.gz or not), or a folder."
)
@click.option("--since", help="Decisions of the store, back so far: 90m, 24h, 7d.")
@click.option("--policy", "name", default="default", show_default=True, help="Whose decisions.")
@click.option("--html", type=FILE, help="Write a report with a picture here.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of tables.")
def replay(
    file: Path,
    logs: tuple[Path, ...],
    since: str | None,
    name: str,
    html: Path | None,
    as_json: bool,
) -> None:
    """Rehearse the policy in FILE on recorded traffic: what would it have chosen, at what cost?"""
    from turnout import rehearsal_report
    from turnout.policy import ActivePolicy, PolicyRef
    from turnout.policy_file import read_policy
    from turnout.recorded import Unread

    if bool(logs) == bool(since):
        raise click.UsageError("say where the decisions are: --from LOGS, or --since 7d")
    with problems_of(file):
        active = ActivePolicy(
            PolicyRef(name, file.name), read_policy(file, categories=known_categories())
        )
    unread = Unread()
    rehearsal = _rehearsed(active, logs, since, unread)
    if unread.broken:
        click.echo(f"Note: {unread.broken:,} lines could not be read", err=True)
    if html:
        html.write_text(rehearsal_report.as_html(rehearsal, active.ref), encoding="utf-8")
    if as_json:
        click.echo(json.dumps(rehearsal_report.as_json(rehearsal, active.ref), indent=2))
    else:
        click.echo(rehearsal_report.as_text(rehearsal, active.ref))


def _rehearsed(
    active: ActivePolicy, logs: tuple[Path, ...], since: str | None, unread: Unread
) -> Rehearsal:
    import gc

    from turnout.recorded import from_record, read_lines
    from turnout.rehearsal import rehearse
    from turnout.store import Decisions
    from turnout.timespan import seconds

    # Reading makes millions of short-lived objects; what is loaded by now need not be searched among them.
    gc.freeze()
    if since is None:
        return rehearse(read_lines(log_lines(logs), unread), active)

    async def reading(table: Table) -> list[Recorded]:
        now = time.time()
        records = Decisions(table).since(now - seconds(since), now + 1)
        return [from_record(record) async for record in records]

    return rehearse(with_table(reading), active)
