"""`turnout keys ...`: the keys that callers use."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import click

from turnout.cli.store import with_table

if TYPE_CHECKING:
    from turnout.store import Keys

T = TypeVar("T")


@click.group()
def keys() -> None:
    """Make and revoke the keys that callers use."""


@keys.command()
@click.argument("tenant")
@click.option("--group", default="", help="A team or an application; policies can ask for it.")
@click.option("--model", "models", multiple=True, help="Allow only this model; may be repeated.")
@click.option("--admin", is_flag=True, help="Let it into the control plane.")
def create(tenant: str, group: str, models: tuple[str, ...], admin: bool) -> None:
    """Make a key for TENANT and print it, this once."""
    click.echo(
        _with_keys(
            lambda keys: keys.create(tenant, group=group, models=models or None, admin=admin)
        )
    )


@keys.command("list")
def list_keys() -> None:
    """List the keys' ids and tenants."""
    for key_id, tenant in _with_keys(lambda keys: keys.list()):
        click.echo(f"{key_id}  {tenant}")


@keys.command()
@click.argument("key_id")
def revoke(key_id: str) -> None:
    """Revoke the key with this id; it stops working within 30 seconds."""
    if not _with_keys(lambda keys: keys.revoke(key_id)):
        raise click.ClickException(f"no key {key_id!r}; `turnout keys list` shows them")
    click.echo(f"revoked {key_id}")


def _with_keys(work: Callable[[Keys], Coroutine[Any, Any, T]]) -> T:
    from turnout.store import Keys

    return with_table(lambda table: work(Keys(table)))
