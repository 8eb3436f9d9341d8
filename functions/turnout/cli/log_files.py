"""Log files as commands read them: plain or compressed, one by one or a folder of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import click


def log_lines(logs: Iterable[Path]) -> Iterator[bytes]:
    """Yield the lines of the files, and of those in the folders, by name. Raises click.ClickException."""
    import gzip

    for place in logs:
        if not place.exists():
            raise click.ClickException(f"cannot read {place}: there is no such file")
        files = sorted(p for p in place.rglob("*") if p.is_file()) if place.is_dir() else [place]
        for path in files:
            with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
                yield from lines
