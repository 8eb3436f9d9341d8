"""The control plane: keys are made and revoked by administrators, and by nobody else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from httpx2 import ASGITransport, AsyncClient
from starlette.types import ASGIApp, Receive, Scope, Send

from turnout.api import ControlPlane, create_admin_app
from turnout.api.admin import admin
from turnout.api.auth import KeyAuthenticator, authenticate_admin
from turnout.policy_desk import PolicyDesk
from turnout.store import Keys, Policies
from turnout.store.sqlite import SqliteTable

ROLE = "arn:aws:sts::123456789012:assumed-role/Platform/alice"


class Vouched:
    """API Gateway in front of an app: what it wrote into the event is in the scope, as Mangum puts it."""

    def __init__(self, app: ASGIApp, event: dict[str, Any]) -> None:
        self._app = app
        self._event = event

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "aws.event": self._event}, receive, send)


@pytest.fixture
async def keys(tmp_path: Path) -> AsyncIterator[Keys]:
    table = SqliteTable(tmp_path / "keys.db")
    yield Keys(table)
    await table.close()


@asynccontextmanager
async def control_plane(
    keys: Keys, event: dict[str, Any] | None = None, **headers: str
) -> AsyncIterator[AsyncClient]:
    desk = PolicyDesk(Policies(keys._table), categories=lambda: None, upstreams=["mock"])
    app: ASGIApp = create_admin_app(ControlPlane(keys, desk), KeyAuthenticator(keys))
    if event is not None:
        app = Vouched(app, event)
    transport = ASGITransport(app)
    async with AsyncClient(transport=transport, base_url="http://admin", headers=headers) as client:
        yield client


def rest_event(arn: str | None) -> dict[str, Any]:
    return {"requestContext": {"identity": {"sourceIp": "198.51.100.7", "userArn": arn}}}


def test_every_route_asks_for_an_administrator() -> None:
    routes = [route for route in admin.routes if isinstance(route, APIRoute)]
    assert routes
    for route in routes:
        assert authenticate_admin in [each.call for each in route.dependant.dependencies]


@pytest.mark.parametrize(
    "event",
    [
        rest_event(ROLE),
        {"requestContext": {"authorizer": {"iam": {"userArn": ROLE}}}},
    ],
)
async def test_an_aws_identity_that_api_gateway_let_through_makes_a_key(
    keys: Keys, event: dict[str, Any]
) -> None:
    async with control_plane(keys, event) as client:
        made = await client.post("/admin/keys", json={"tenant": "acme", "models": ["small"]})
    assert made.status_code == 201
    caller = await keys.find(made.json()["key"])
    assert caller
    assert (caller.tenant, caller.models, caller.admin) == ("acme", ("small",), False)
    assert made.json()["id"] == caller.key


@pytest.mark.parametrize("event", [None, rest_event(None), rest_event("alice"), {}])
async def test_without_an_identity_or_a_key_nothing_is_done(
    keys: Keys, event: dict[str, Any] | None
) -> None:
    async with control_plane(keys, event) as client:
        for method, path in (
            ("POST", "/admin/keys"),
            ("GET", "/admin/keys"),
            ("DELETE", "/admin/keys/x"),
        ):
            answer = await client.request(method, path, json={"tenant": "acme"})
            assert answer.status_code == 401
    assert await keys.list() == []


async def test_an_ordinary_key_is_forbidden_and_an_administrators_let_in(keys: Keys) -> None:
    ordinary = await keys.create("acme")
    admins = await keys.create("platform", admin=True)
    async with control_plane(keys, authorization=f"Bearer {ordinary}") as client:
        answer = await client.get("/admin/keys")
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "forbidden"
    async with control_plane(keys, authorization=f"Bearer {admins}") as client:
        listed = (await client.get("/admin/keys")).json()["data"]
        assert {key["tenant"] for key in listed} == {"acme", "platform"}
        assert ordinary not in str(listed)


async def test_a_revoked_key_is_let_in_no_more(keys: Keys) -> None:
    key = await keys.create("acme")
    async with control_plane(keys, rest_event(ROLE)) as client:
        path = f"/admin/keys/{Keys.id_of(key)}"
        assert (await client.delete(path)).status_code == 204
        assert (await client.delete(path)).status_code == 404
    assert await keys.find(key) is None


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "tenant"),
        ({"tenant": ""}, "tenant"),
        ({"tenant": "a", "model": ["x"]}, "model"),
        ({"tenant": "a", "admin": "yes"}, "admin"),
    ],
)
async def test_a_wrong_field_is_named(keys: Keys, body: dict[str, Any], param: str) -> None:
    async with control_plane(keys, rest_event(ROLE)) as client:
        answer = await client.post("/admin/keys", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
    assert await keys.list() == []
