"""`turnout policy ...`: policies from a file to production and back."""

from __future__ import annotations

import difflib
import getpass
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from turnout.cli.store import at_desk
from turnout.errors import ClassifierError, PolicyError

if TYPE_CHECKING:
    from turnout.policy_desk import PolicyDesk
    from turnout.store import Head

_why = click.option("--why", default="", help="Kept in the audit record.")
FILE = click.Path(path_type=Path)


@click.group()
def policy() -> None:
    """Check, push, rehearse, activate and roll back policies.

    Versions are kept in the store: the local server's file, or the table that TURNOUT_TABLE names.
    """


@policy.command()
@click.argument("file", type=FILE)
def validate(file: Path) -> None:
    """Check the policy in FILE and list everything wrong with it."""
    from turnout.policy_file import read_policy

    with problems_of(file):
        checked = read_policy(file, categories=known_categories())
    click.echo(f"{file}: valid ({len(checked.models)} models, {len(checked.routes)} routes)")


@policy.command()
def schema() -> None:
    """Print the JSON Schema of policies, for editors."""
    from turnout.policy_document import json_schema

    click.echo(json.dumps(json_schema(), indent=2))


@policy.command()
@click.argument("name")
@click.argument("file", type=FILE)
@_why
def push(name: str, file: Path, why: str) -> None:
    """Keep FILE as the next version of policy NAME. It is not in use by that."""

    async def pushing(desk: PolicyDesk) -> int:
        return await desk.push(name, _document(file), by=_who(), why=why)

    with problems_of(file):
        number = at_desk(pushing)
    click.echo(
        f"{name} version {number}; put it to use with: turnout policy activate {name} {number}"
    )


@policy.command("list")
@click.argument("name", required=False)
def list_policies(name: str | None) -> None:
    """List what is in use of each policy; with NAME, its versions and its history."""
    from turnout.table_text import table

    async def listing(desk: PolicyDesk) -> Iterable[str]:
        if name is None:
            heads = await desk.policies.heads()
            rows = [(head.name, _in_use(head), *_last_change(head)) for head in heads.values()]
            return table(("policy", "in use", "since", "by", "why"), rows)
        versions = await desk.policies.versions(name)
        head = await desk.policies.head(name)
        return [
            f"{name}: {_in_use(head)} in use",
            *table(
                ("version", "pushed", "by", "why"),
                [
                    (f"{v.number}{' (deleted)' * (v.document is None)}", _day(v.created), v.by, v.why)
                    for v in versions
                ],
            ),
            "",
            *table(
                ("change", "version", "percent", "in place of", "at", "by", "why"),
                [
                    (c.action, str(c.version), f"{c.percent:g}", str(c.previous or "-"),
                     _day(c.at), c.by, c.why)
                    for c in head.history
                ],
            ),
        ]  # fmt: skip

    for line in at_desk(listing):
        click.echo(line)


@policy.command()
@click.argument("name")
@click.argument("version", type=int, required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of YAML.")
def show(name: str, version: int | None, as_json: bool) -> None:
    """Print a version of policy NAME: the active one unless VERSION says another."""

    async def showing(desk: PolicyDesk) -> Mapping[str, Any]:
        return await _stored(desk, name, version)

    document = at_desk(showing)
    click.echo(json.dumps(document, indent=2) if as_json else _as_yaml(document), nl=as_json)


@policy.command()
@click.argument("name")
@click.argument("old")
@click.argument("new")
def diff(name: str, old: str, new: str) -> None:
    """Show what differs between OLD and NEW: versions of policy NAME, `active`, or files."""

    async def reading(desk: PolicyDesk) -> list[str]:
        texts = []
        for which in (old, new):
            if which == "active" or which.isdecimal():
                number = None if which == "active" else int(which)
                document = await _stored(desk, name, number)
            else:
                document = _document(Path(which))
            texts.append(_as_yaml(document).splitlines())
        before, after = texts
        return list(difflib.unified_diff(before, after, old, new, lineterm=""))

    for line in at_desk(reading):
        click.echo(line)


@policy.command()
@click.argument("name")
@click.argument("version", type=int)
@click.option("--percent", default=100.0, show_default=True, help="Of the traffic, for a canary.")
@click.option("--expect", type=int, help="Refuse unless this version is the active one; 0: none.")
@_why
def activate(name: str, version: int, percent: float, expect: int | None, why: str) -> None:
    """Put VERSION of policy NAME to use, for all traffic or as a canary."""

    async def activating(desk: PolicyDesk) -> Head:
        expected = await _expected(desk, name, expect)
        return await desk.activate(
            name, version, expected=expected, by=_who(), why=why, percent=percent
        )

    with problems_of(f"{name} version {version}"):
        head = at_desk(activating)
    click.echo(f"{name}: {_in_use(head)} in use; servers notice within 30 seconds")


@policy.command()
@click.argument("name")
@click.option("--expect", type=int, help="Refuse unless this version is the active one; 0: none.")
@_why
def rollback(name: str, expect: int | None, why: str) -> None:
    """End a canary of policy NAME, or go back to the version before the active one."""

    async def returning(desk: PolicyDesk) -> Head:
        expected = await _expected(desk, name, expect)
        return await desk.policies.rollback(name, expected=expected, by=_who(), why=why)

    head = at_desk(returning)
    click.echo(f"{name}: {_in_use(head)} in use; servers notice within 30 seconds")


@policy.command()
@click.argument("name")
@click.argument("version", type=int)
def delete(name: str, version: int) -> None:
    """Delete VERSION of policy NAME, unless it is in use. Its number is not given again."""
    at_desk(lambda desk: desk.policies.delete(name, version))
    click.echo(f"deleted {name} version {version}")


async def _expected(desk: PolicyDesk, name: str, expect: int | None) -> int | None:
    """Return the version that must be the active one still when the pointer is moved."""
    return (await desk.policies.head(name)).active if expect is None else expect or None


async def _stored(desk: PolicyDesk, name: str, number: int | None) -> Mapping[str, Any]:
    if number is None:
        number = (await desk.policies.head(name)).active
    if number is None:
        raise click.ClickException(f"no version of {name!r} is active; turnout policy list {name}")
    return (await desk.policies.version(name, number)).document or {}


def _document(file: Path) -> dict[str, Any]:
    """Return the checked document as it is to be stored: whole, and as JSON values."""
    from turnout.policy_file import read_policy

    document: dict[str, Any] = read_policy(file, categories=known_categories()).model_dump(
        mode="json", exclude_defaults=True
    )
    return document


def known_categories() -> tuple[str, ...] | None:
    """Return the classifier's categories; None, with a note, where it cannot be loaded."""
    from turnout.classifier import Classifier
    from turnout.local import local_settings

    try:
        return Classifier.load(local_settings(os.environ).classifier).labels
    except ClassifierError as error:
        click.echo(f"Note: names of categories are not checked, since {error}", err=True)
        return None


@contextmanager
def problems_of(what: object) -> Iterator[None]:
    """Tell a policy's problems one a line."""
    try:
        yield
    except PolicyError as error:
        problems = "\n".join(f"  {problem}" for problem in error.problems)
        raise click.ClickException(f"{what} cannot be used:\n{problems}") from None


def _as_yaml(document: Mapping[str, Any]) -> str:
    import yaml

    text: str = yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True, width=100)
    return text


def _who() -> str:
    return os.environ.get("TURNOUT_ADMIN") or getpass.getuser()


def _in_use(head: Head) -> str:
    used = f"version {head.active}" if head.active else "the package's own"
    return f"{used}, {head.canary.version} for {head.canary.percent:g} %" if head.canary else used


def _last_change(head: Head) -> tuple[str, str, str]:
    if not head.history:
        return "-", "-", "-"
    return _day(head.history[0].at), head.history[0].by, head.history[0].why


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(at))
