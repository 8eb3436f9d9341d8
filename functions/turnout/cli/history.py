"""`turnout session` and `turnout report`: what is on record, looked back over."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from turnout.cli.log_files import log_lines
from turnout.cli.policy import FILE
from turnout.cli.store import with_table

if TYPE_CHECKING:
    from turnout.history import History
    from turnout.report import Report
    from turnout.store import Table


@click.command()
@click.argument("session_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print the session as JSON.")
def session(session_id: str, as_json: bool) -> None:
    """List the requests of a session in order: ID is the caller's own, or any decision's in it."""
    from turnout.session import session_wire
    from turnout.terminal import render_session

    found = with_table(lambda table: history_of(table).session(session_id, tenant=None))
    if as_json:
        click.echo(json.dumps(session_wire(found), ensure_ascii=False, indent=2))
    else:
        click.echo(render_session(found))


@click.command()
@click.option("--since", default="7d", show_default=True, help="How far back: 90m, 24h, 7d.")
@click.option(
    "--log", "logs", multiple=True, type=FILE, help="A log file or folder, not the store."
)
@click.option("--html", type=FILE, help="Write a page with charts here.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of tables.")
def report(since: str, logs: tuple[Path, ...], html: Path | None, as_json: bool) -> None:
    """Sum up requests, tokens, cost, what routing saved, and what callers thought of replies."""
    from turnout import report_page, report_view

    found = with_table(lambda table: _report(table, since, logs))
    if html:
        html.write_text(report_page.as_html(found), encoding="utf-8")
    if as_json:
        click.echo(json.dumps(report_view.as_json(found), ensure_ascii=False, indent=2))
    else:
        click.echo(report_view.as_text(found))


async def _report(table: Table, since: str, logs: tuple[Path, ...]) -> Report:
    from turnout.recorded import Unread, read_records
    from turnout.timespan import seconds

    history, span_s = history_of(table), seconds(since)
    if not logs:
        return await history.report(span_s, tenant=None)
    unread = Unread()
    until = time.time()
    records = tuple(read_records(log_lines(logs), unread))
    if unread.broken:
        click.echo(f"Note: {unread.broken:,} lines could not be read", err=True)
    return await history.report_on(records, until - span_s, until)


def history_of(table: Table) -> History:
    """Return the history in the table, with the policies that were active in it."""
    from turnout.history import History
    from turnout.local import local_settings
    from turnout.policy_book import PolicyBook
    from turnout.policy_file import read_policies
    from turnout.store import Decisions, Feedbacks, Policies

    book = PolicyBook(read_policies(local_settings(os.environ).policies), Policies(table))
    return History(Decisions(table), Feedbacks(table), book)
