"""Who may call: everything under /v1 asks for a key, and a tenant sees only its own decisions."""

from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from support.servers import RunningTurnout
from turnout.api.auth import Credentials, KeyAuthenticator, authenticate, iam_access
from turnout.api.routes import guarded, public
from turnout.errors import Unauthenticated
from turnout.store import Keys
from turnout.store.sqlite import SqliteTable

BODY = {"model": "auto", "messages": [{"role": "user", "content": "x"}]}


@pytest.fixture
def table(tmp_path: Path) -> SqliteTable:
    return SqliteTable(tmp_path / "keys.db")


def test_every_route_asks_for_a_key_but_health() -> None:
    for route in guarded.routes:
        assert isinstance(route, APIRoute)
        assert authenticate in [dependency.call for dependency in route.dependant.dependencies]
    assert [route.path for route in public.routes if isinstance(route, APIRoute)] == ["/health"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer "},
        {"authorization": "Bearer tn_wrong"},
        {"authorization": "Basic dXNlcjpwYXNz"},
        {"x-api-key": "tn_wrong"},
    ],
)
async def test_without_a_known_key_nothing_is_answered(start, table, mock, headers) -> None:
    async with start("ok", table=table, authenticator=KeyAuthenticator(Keys(table))) as turnout:
        for method, path in (
            ("POST", "/v1/chat/completions"),
            ("POST", "/v1/route"),
            ("GET", "/v1/models"),
            ("GET", "/v1/decisions/dec_x"),
        ):
            async with turnout.client.request(
                method, turnout.url + path, json=BODY, headers=headers
            ) as response:
                assert response.status == 401
                assert response.headers["www-authenticate"] == "Bearer"
                error = (await response.json())["error"]
                assert error["code"] == "invalid_api_key"
        assert mock.requests == []


@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
async def test_a_known_key_is_let_in(start, table, header) -> None:
    keys = Keys(table)
    key = await keys.create("acme")
    value = f"Bearer {key}" if header == "authorization" else key
    async with start("ok", table=table, authenticator=KeyAuthenticator(keys)) as turnout:
        status, _, _ = await turnout.post("/v1/chat/completions", BODY, **{header: value})
        assert status == 200
        assert turnout.logged()[0]["decision"]["signals"]["tenant"] == "acme"
        assert key not in turnout.log.getvalue()


async def test_a_decision_is_shown_to_its_own_tenant_alone(start, table) -> None:
    keys = Keys(table)
    ours, theirs = await keys.create("acme"), await keys.create("other")
    async with start("ok", table=table, authenticator=KeyAuthenticator(keys)) as turnout:
        turnout: RunningTurnout
        _, headers, _ = await turnout.post("/v1/route", BODY, authorization=f"Bearer {ours}")
        path = f"/v1/decisions/{headers['x-turnout-decision-id']}"
        assert (await turnout.get(path, authorization=f"Bearer {ours}"))[0] == 200
        assert (await turnout.get(path, authorization=f"Bearer {theirs}"))[0] == 404


async def test_a_key_bound_to_models_gets_no_other(start, table) -> None:
    keys = Keys(table)
    key = await keys.create("acme", models=("something/else",))
    async with start("ok", table=table, authenticator=KeyAuthenticator(keys)) as turnout:
        status, _, reply = await turnout.post(
            "/v1/chat/completions", BODY, authorization=f"Bearer {key}"
        )
        assert status == 422
        assert b"not among the models approved for this key" in reply


async def test_an_aws_identity_is_a_caller_where_the_stack_says_so() -> None:
    arn = "arn:aws:sts::123456789012:assumed-role/Shop/i-0abc"
    caller = await iam_access(Credentials(principal=arn))
    assert (caller.tenant, caller.key, caller.admin) == ("123456789012", "assumed-role/Shop", False)
    with pytest.raises(Unauthenticated, match="SigV4"):
        await iam_access(Credentials(key="tn_a-key-alone"))


async def test_a_forged_event_in_the_body_is_no_identity(start) -> None:
    async with start("ok", authenticator=iam_access) as turnout:
        forged = {**BODY, "requestContext": {"identity": {"userArn": "arn:aws:iam::1:user/x"}}}
        status, _, _ = await turnout.post("/v1/chat/completions", forged)
        assert status == 401
