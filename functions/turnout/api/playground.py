"""The playground and the decisions page, which show the router at work, and the files they are made of."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response

PAGES: Final = Path(__file__).resolve().parents[1] / "playground"
_TYPES: Final = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_HEADERS: Final = {
    # Nothing but its own files, and calls to its own server.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        " img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cache-control": "no-cache",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}

playground = APIRouter()
"""Its routes ask for no key: they hold nothing, and the page has to load before it can ask for one."""


@playground.get("/")
async def index() -> Response:
    """Return the playground."""
    return _file("index.html")


@playground.get("/decisions")
async def decisions() -> Response:
    """Return the page of the decisions."""
    return _file("decisions.html")


@playground.get("/playground/{name}")
async def asset(name: str) -> Response:
    """Return a file that the pages are made of."""
    if name not in _names():
        raise HTTPException(404)
    return _file(name)


def _names() -> frozenset[str]:
    return frozenset(path.name for path in PAGES.iterdir() if path.suffix in _TYPES)


def _file(name: str) -> Response:
    path = PAGES / name
    return FileResponse(path, headers=_HEADERS, media_type=_TYPES[path.suffix])
