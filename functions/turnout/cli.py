"""The command line: one function a command, and each imports what it needs when it runs."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from turnout import __version__
from turnout.cli_policy import policy
from turnout.errors import TurnoutError

if TYPE_CHECKING:
    from turnout.explanation import Explanation
    from turnout.record import DecisionRecord
    from turnout.store import Keys


def main() -> None:
    """Run the command line. Turnout's own errors are one line; any other is a bug, with its trace."""
    try:
        turnout()
    except TurnoutError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="turnout")
def turnout() -> None:
    """Smart routing for LLM traffic, in your own AWS account."""


turnout.add_command(policy)


@turnout.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, envvar="PORT", help="Port; 0 takes any.")
def serve(host: str, port: int) -> None:
    """Start the router on this machine."""
    from turnout.server import serve as run

    run(host, port, os.environ)


@turnout.command()
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
    record = asyncio.run(_decide(prompt, policy, system))
    if as_json:
        click.echo(json.dumps(to_wire(record), ensure_ascii=False, indent=2))
    else:
        click.echo(render_decision(record))


async def _decide(prompt: str, policy: str | None, system: str | None) -> DecisionRecord:
    from turnout.api.auth import Credentials, open_access
    from turnout.api.openai import parse_chat
    from turnout.local import DATA, local_endpoints, local_settings
    from turnout.telemetry import Telemetry
    from turnout.wiring import build_router, open_table

    messages = [{"role": "user", "content": prompt}]
    if system:
        messages.insert(0, {"role": "system", "content": system})
    request = parse_chat({"model": f"policy/{policy}" if policy else "auto", "messages": messages})
    settings = local_settings(os.environ)
    table = open_table(settings)
    try:
        with (DATA / "log.jsonl").open("a", encoding="utf-8") as log:
            router = build_router(settings, table, local_endpoints(os.environ), Telemetry(log))
            return await router.route(request, await open_access(Credentials()))
    finally:
        await table.close()


@turnout.command()
@click.argument("data", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the layer.")
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same model.")
@click.option("--epochs", default=12, show_default=True)
@click.option(
    "--teacher/--no-teacher", default=True, show_default=True, help="See docs/classifier.md."
)
def train(data: tuple[Path, ...], out: Path, seed: int, epochs: int, teacher: bool) -> None:
    """Train a classifier on DATA: JSONL files (.gz or not) of prompts, or folders of them."""
    with _training_errors():
        from turnout_training.training import train as run

        scores = run(data, out, seed=seed, epochs=epochs, teacher=teacher, tell=click.echo)
    for name, part in scores.items():
        click.echo(f"{name}: {part}")


@turnout.command("eval")
@click.argument("data", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--model", type=click.Path(path_type=Path), help="Folder of the layer to evaluate.")
@click.option("--source", help="Evaluate on this source's rows alone.")
@click.option("--split", help="Evaluate on this split's rows alone.")
@click.option("--routellm", is_flag=True, help="Rows carry two models' outcomes: APGR and CPT.")
@click.option("--gadgets", is_flag=True, help="How easily an added text moves a route.")
@click.option("--pictures", type=click.Path(path_type=Path), help="Folder for the pictures (SVG).")
def evaluate(
    data: tuple[Path, ...],
    model: Path | None,
    source: str | None,
    split: str | None,
    routellm: bool,
    gadgets: bool,
    pictures: Path | None,
) -> None:
    """Evaluate the classifier on DATA, through the adapter that serves requests."""
    from turnout.classifier import Classifier
    from turnout.local import local_settings

    with _training_errors():
        from turnout_training import evaluation
        from turnout_training.data import read_rows
        from turnout_training.gadgets import gadget_report

        folder = model or local_settings(os.environ).classifier
        rows = [
            row
            for row in read_rows(data)
            if source in (None, row.source) and split in (None, row.split)
        ]
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


@turnout.command("explain")
@click.argument("decision_id")
@click.option("--json", "as_json", is_flag=True, help="Print the explanation as JSON.")
def explain_decision(decision_id: str, as_json: bool) -> None:
    """Make the decision with this id again, from its record, and tell every rule that was tried."""
    from dataclasses import asdict

    from turnout.terminal import render_explanation

    explanation = asyncio.run(_explained(decision_id))
    if as_json:
        click.echo(json.dumps(asdict(explanation), ensure_ascii=False, indent=2))
    else:
        click.echo(render_explanation(explanation))
    if not explanation.agrees:
        raise click.ClickException("this is not what was decided: the record and the policy differ")


async def _explained(decision_id: str) -> Explanation:
    from turnout.errors import NotFound
    from turnout.explanation import explain
    from turnout.local import local_settings
    from turnout.policy_book import PolicyBook
    from turnout.policy_file import read_policies
    from turnout.store import Decisions, Policies
    from turnout.wiring import open_table

    settings = local_settings(os.environ)
    table = open_table(settings)
    try:
        record = await Decisions(table).find(decision_id)
        if record is None:
            raise NotFound(f"no decision {decision_id!r} on record")
        book = PolicyBook(read_policies(settings.policies), Policies(table))
        return explain(await book.find(record.policy), record)
    finally:
        await table.close()


@turnout.group()
def keys() -> None:
    """Make and revoke the keys that callers use."""


@keys.command()
@click.argument("tenant")
@click.option("--group", default="", help="A team or an application; policies can ask for it.")
@click.option("--model", "models", multiple=True, help="Allow only this model; may be repeated.")
@click.option("--admin", is_flag=True, help="Let it into the control plane.")
def create(tenant: str, group: str, models: tuple[str, ...], admin: bool) -> None:
    """Make a key for TENANT and print it, this once."""
    making = _keys().create(tenant, group=group, models=models or None, admin=admin)
    click.echo(asyncio.run(making))


@keys.command("list")
def list_keys() -> None:
    """List the keys' ids and tenants."""
    for key_id, tenant in asyncio.run(_keys().list()):
        click.echo(f"{key_id}  {tenant}")


@keys.command()
@click.argument("key_id")
def revoke(key_id: str) -> None:
    """Revoke the key with this id; it stops working within 30 seconds."""
    if not asyncio.run(_keys().revoke(key_id)):
        raise click.ClickException(f"no key {key_id!r}; `turnout keys list` shows them")
    click.echo(f"revoked {key_id}")


def _keys() -> Keys:
    from turnout.local import local_settings
    from turnout.store import Keys
    from turnout.wiring import open_table

    return Keys(open_table(local_settings(os.environ)))
