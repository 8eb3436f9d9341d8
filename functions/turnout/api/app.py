"""The ASGI app: routes, errors and the parts they need."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI

from turnout import __version__
from turnout.api.auth import Authenticator
from turnout.api.errors import install_error_handlers
from turnout.api.routes import guarded, public
from turnout.service import Router

MOST_BODY_BYTES = 6_000_000
"""What Lambda can take in one invocation; more would be refused there."""


def create_app(
    router: Router,
    authenticator: Authenticator,
    *,
    most_body_bytes: int = MOST_BODY_BYTES,
    on_shutdown: Callable[[], Awaitable[None]] | None = None,
) -> FastAPI:
    """Return the app that serves `router` to those whom `authenticator` knows."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        if on_shutdown:
            await on_shutdown()

    app = FastAPI(
        title="Turnout",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.router = router
    app.state.authenticator = authenticator
    app.state.most_body_bytes = most_body_bytes
    install_error_handlers(app)
    app.include_router(public)
    app.include_router(guarded)
    return app
