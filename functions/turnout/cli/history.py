"""`turnout session`: what is on record, looked back over."""

from __future__ import annotations

import json

import click

from turnout.cli.store import with_table


@click.command()
@click.argument("session_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print the session as JSON.")
def session(session_id: str, as_json: bool) -> None:
    """List the requests of a session in order: ID is the caller's own, or any decision's in it."""
    from turnout.history import History
    from turnout.session import session_wire
    from turnout.store import Decisions
    from turnout.terminal import render_session

    found = with_table(lambda table: History(Decisions(table)).session(session_id, tenant=None))
    if as_json:
        click.echo(json.dumps(session_wire(found), ensure_ascii=False, indent=2))
    else:
        click.echo(render_session(found))
