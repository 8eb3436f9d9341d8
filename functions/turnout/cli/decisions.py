"""`turnout route` and `turnout explain`: one decision, made now or on record."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import click

from turnout.cli.store import with_table

if TYPE_CHECKING:
    from turnout.explanation import Explanation
    from turnout.record import DecisionRecord
    from turnout.store import Table


@click.command()
@click.argument("prompt")
@click.option("--policy", "policy", metavar="NAME", help="A policy other than the default one.")
@click.option("--system", help="A system prompt before the prompt.")
@click.option("--json", "as_json", is_flag=True, help="Print the decision as JSON.")
def route(prompt: str, policy: str | None, system: str | None, as_json: bool) -> None:
    """Show how PROMPT would be routed; nothing is sent anywhere. `-` reads standard input."""
    from turnout.record import to_wire
    from turnout.terminal import render_decision

    if prompt == "-":
        prompt = sys.stdin.read()
    record = with_table(lambda table: _decide(table, prompt, policy, system))
    if as_json:
        click.echo(json.dumps(to_wire(record), ensure_ascii=False, indent=2))
    else:
        click.echo(render_decision(record))


async def _decide(
    table: Table, prompt: str, policy: str | None, system: str | None
) -> DecisionRecord:
    from turnout.api.auth import Credentials, open_access
    from turnout.api.openai import parse_chat
    from turnout.local import DATA, local_endpoints, local_settings
    from turnout.telemetry import Telemetry
    from turnout.wiring import build_router

    messages = [{"role": "user", "content": prompt}]
    if system:
        messages.insert(0, {"role": "system", "content": system})
    request = parse_chat({"model": f"policy/{policy}" if policy else "auto", "messages": messages})
    settings = local_settings(os.environ)
    with (DATA / "log.jsonl").open("a", encoding="utf-8") as log:
        router = build_router(settings, table, local_endpoints(os.environ), Telemetry(log))
        return await router.route(request, await open_access(Credentials()))


@click.command("explain")
@click.argument("decision_id")
@click.option("--json", "as_json", is_flag=True, help="Print the explanation as JSON.")
def explain(decision_id: str, as_json: bool) -> None:
    """Make the decision with this id again, from its record, and tell every rule that was tried."""
    from dataclasses import asdict

    from turnout.terminal import render_explanation

    explanation = with_table(lambda table: _explained(table, decision_id))
    if as_json:
        click.echo(json.dumps(asdict(explanation), ensure_ascii=False, indent=2))
    else:
        click.echo(render_explanation(explanation))
    if not explanation.agrees:
        raise click.ClickException("this is not what was decided: the record and the policy differ")


async def _explained(table: Table, decision_id: str) -> Explanation:
    from turnout.errors import NotFound
    from turnout.explanation import explain
    from turnout.local import local_settings
    from turnout.policy_book import PolicyBook
    from turnout.policy_file import read_policies
    from turnout.store import Decisions, Policies

    record = await Decisions(table).find(decision_id)
    if record is None:
        raise NotFound(f"no decision {decision_id!r} on record")
    book = PolicyBook(read_policies(local_settings(os.environ).policies), Policies(table))
    return explain(await book.find(record.policy), record)
