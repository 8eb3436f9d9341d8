"""Turnout on a laptop: where its files are in a checkout, and which upstreams are at hand."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from turnout.upstream import Endpoint, known_upstreams, read_endpoints
from turnout.upstream.catalogue import OLLAMA_URL
from turnout.wiring import Settings

CHECKOUT: Final = Path(__file__).resolve().parents[2]
DATA: Final = Path(".turnout")
OLLAMA_PROBE_S: Final = 0.3


def local_settings(environ: Mapping[str, str]) -> Settings:
    """Return settings for this machine alone: files of the checkout, a SQLite store unless a table
    is named, the control plane and the playground served, the demo upstream allowed."""
    return Settings(
        classifier=Path(environ.get("TURNOUT_CLASSIFIER", CHECKOUT / "layers" / "classifier")),
        policies=Path(environ.get("TURNOUT_POLICIES", CHECKOUT / "infra" / "policies")),
        store=Path(environ.get("TURNOUT_STORE", DATA / "turnout.db")),
        table=environ.get("TURNOUT_TABLE") or None,
        table_endpoint=environ.get("TURNOUT_TABLE_ENDPOINT") or None,
        demo=True,
        admin=True,
        playground=True,
        known_upstreams=known_upstreams(environ),
    )


def local_endpoints(environ: Mapping[str, str]) -> dict[str, Endpoint]:
    """Return the upstreams with a key in the environment, and an Ollama on its usual port."""
    endpoints = read_endpoints(environ)
    url = environ.get("OLLAMA_BASE_URL", OLLAMA_URL)
    if "ollama" not in endpoints and _listens(url):
        endpoints["ollama"] = Endpoint("ollama", url, private=True)
    return endpoints


def _listens(url: str) -> bool:
    address = urlsplit(url)
    try:
        with socket.create_connection(
            (address.hostname or "127.0.0.1", address.port or 80), timeout=OLLAMA_PROBE_S
        ):
            return True
    except OSError:
        return False
