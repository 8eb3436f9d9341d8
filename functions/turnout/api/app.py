"""The ASGI app: routes, errors and the parts they need."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI

from turnout import __version__
from turnout.api.auth import AdminAuthenticator, Authenticator
from turnout.api.errors import install_error_handlers
from turnout.api.routes import guarded, public
from turnout.history import History
from turnout.policy_desk import PolicyDesk
from turnout.service import Router
from turnout.store import Keys

MOST_BODY_BYTES = 6_000_000
"""What Lambda can take in one invocation; more would be refused there."""


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """What administrators work on."""

    keys: Keys
    desk: PolicyDesk


def create_app(
    router: Router,
    authenticator: Authenticator,
    *,
    plane: ControlPlane | None = None,
    shows_playground: bool = False,
    most_body_bytes: int = MOST_BODY_BYTES,
    on_shutdown: Callable[[], Awaitable[None]] | None = None,
) -> FastAPI:
    """Return the app that serves `router` to those whom `authenticator` knows.

    With `plane`, administrators among them are served the control plane too.
    """
    app = _bare_app(on_shutdown)
    app.state.router = router
    app.state.history = History(router.decisions, router.feedbacks, router.book)
    app.state.authenticator = authenticator
    app.state.most_body_bytes = most_body_bytes
    app.include_router(public)
    app.include_router(guarded)
    if shows_playground:
        from turnout.api.playground import playground

        app.include_router(playground)
    if plane:
        _add_control_plane(app, plane, authenticator)
    return app


def create_admin_app(
    plane: ControlPlane,
    authenticator: Authenticator,
    *,
    on_shutdown: Callable[[], Awaitable[None]] | None = None,
) -> FastAPI:
    """Return the app of the control plane alone."""
    app = _bare_app(on_shutdown)
    _add_control_plane(app, plane, authenticator)
    return app


def _add_control_plane(app: FastAPI, plane: ControlPlane, authenticator: Authenticator) -> None:
    # A data plane's cold start does without.
    from turnout.api.admin import admin
    from turnout.api.admin_policies import policies

    app.state.keys = plane.keys
    app.state.desk = plane.desk
    app.state.admin_authenticator = AdminAuthenticator(authenticator)
    app.include_router(admin)
    app.include_router(policies)


def _bare_app(on_shutdown: Callable[[], Awaitable[None]] | None) -> FastAPI:
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
    install_error_handlers(app)
    return app
