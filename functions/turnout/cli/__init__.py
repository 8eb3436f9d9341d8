"""The command line: a module a group of commands, and each command imports what it needs when it runs."""

from __future__ import annotations

import os
import sys

import click

from turnout import __version__
from turnout.cli.decisions import explain, route
from turnout.cli.feedback import feedback
from turnout.cli.history import report, session
from turnout.cli.keys import keys
from turnout.cli.policy import policy
from turnout.cli.replay import replay
from turnout.cli.training import evaluate, train
from turnout.errors import TurnoutError


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


@turnout.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, envvar="PORT", help="Port; 0 takes any.")
def serve(host: str, port: int) -> None:
    """Start the router on this machine."""
    from turnout.server import serve as run

    run(host, port, os.environ)


policy.add_command(replay)
for command in (route, explain, session, report, feedback, train, evaluate, policy, keys):
    turnout.add_command(command)
