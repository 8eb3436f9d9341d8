"""Policies over HTTP: pushed, refused, activated, rolled back, and never half of one and half of another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from httpx2 import ASGITransport, AsyncClient

from support.mock_upstream import MockUpstream
from support.policies import active, document, model
from support.servers import running_turnout
from turnout.api import ControlPlane, create_admin_app
from turnout.api.admin_policies import policies as policy_routes
from turnout.api.auth import KeyAuthenticator, authenticate_admin, open_access
from turnout.errors import StoreError
from turnout.policy_book import PolicyBook
from turnout.policy_desk import PolicyDesk
from turnout.store import Keys, Policies
from turnout.store.sqlite import SqliteTable

CATEGORIES = ("coding", "math")


@pytest.fixture
async def table(tmp_path: Path) -> AsyncIterator[SqliteTable]:
    table = SqliteTable(tmp_path / "turnout.db")
    yield table
    await table.close()


@asynccontextmanager
async def control_plane(table: SqliteTable, **options: Any) -> AsyncIterator[AsyncClient]:
    desk = PolicyDesk(Policies(table), categories=lambda: CATEGORIES, upstreams=["mock"])
    access = options.pop("access", open_access)
    app = create_admin_app(ControlPlane(Keys(table), desk), access)
    async with AsyncClient(
        transport=ASGITransport(app), base_url="http://admin", **options
    ) as client:
        yield client


@pytest.fixture
async def admin(table: SqliteTable) -> AsyncIterator[AsyncClient]:
    async with control_plane(table) as client:
        yield client


async def push(admin: AsyncClient, policy: dict[str, Any], why: str = "") -> Any:
    return await admin.post("/admin/policies/p/versions", json={"policy": policy, "why": why})


async def activate(admin: AsyncClient, **body: Any) -> Any:
    return await admin.post("/admin/policies/p/activate", json=body)


def test_every_route_asks_for_an_administrator() -> None:
    routes = [route for route in policy_routes.routes if isinstance(route, APIRoute)]
    assert len(routes) == 7
    for route in routes:
        assert authenticate_admin in [each.call for each in route.dependant.dependencies]


async def test_an_ordinary_key_may_not_even_look(table: SqliteTable) -> None:
    keys = Keys(table)
    header = {"authorization": f"Bearer {await keys.create('acme')}"}
    async with control_plane(table, access=KeyAuthenticator(keys), headers=header) as client:
        assert (await client.get("/admin/policies")).status_code == 403
        assert (await push(client, document())).status_code == 403


async def test_a_policy_goes_from_pushed_to_active_to_rolled_back(admin: AsyncClient) -> None:
    first = await push(admin, document(), why="the beginning")
    assert first.status_code == 201
    assert first.json()["number"] == 1
    await push(admin, document(default={"use": ["large"]}))
    assert (await activate(admin, version=1, expected=None)).json()["active"] == 1
    moved = (await activate(admin, version=2, expected=1, why="better")).json()
    assert (moved["active"], moved["history"][0]["why"]) == (2, "better")
    assert moved["history"][0]["by"] == "local"
    back = await admin.post("/admin/policies/p/rollback", json={"expected": 2})
    assert back.json()["active"] == 1
    listed = (await admin.get("/admin/policies")).json()["data"]
    assert [(head["name"], head["active"]) for head in listed] == [("p", 1)]
    shown = (await admin.get("/admin/policies/p")).json()
    assert [version["number"] for version in shown["versions"]] == [2, 1]
    whole = (await admin.get("/admin/policies/p/versions/2")).json()
    assert whole["document"]["default"] == {"use": [{"model": "large"}]}
    gone = await admin.delete("/admin/policies/p/versions/2")
    assert gone.status_code == 204
    assert (await admin.get("/admin/policies/p/versions/2")).status_code == 404


@pytest.mark.parametrize(
    ("bad", "path"),
    [
        (document(default={"use": ["nobody"]}), "default.use.0"),
        (document(models={"small": model(upstream="else")}), "models.small.upstream"),
        (
            document(routes=[{"name": "r", "when": {"category": "codng"}, "use": ["small"]}]),
            "routes.0.when.category.0",
        ),
        (
            document(
                routes=[
                    {"name": "all", "when": {}, "use": ["small"]},
                    {"name": "never", "when": {"category": "math"}, "use": ["large"]},
                ]
            ),
            "routes.1",
        ),
    ],
)
async def test_a_policy_that_could_not_work_is_refused_and_the_answer_says_where(
    admin: AsyncClient, bad: dict[str, Any], path: str
) -> None:
    answer = await push(admin, bad)
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "invalid_policy"
    assert [problem["path"] for problem in error["problems"]] == [path]
    assert (await admin.get("/admin/policies/p")).json()["versions"] == []


async def test_a_version_that_no_longer_fits_what_is_configured_cannot_be_activated(
    table: SqliteTable, admin: AsyncClient
) -> None:
    bad = document(models={"small": model(upstream="retired")})
    await Policies(table).push("p", bad, by="ada", why="when it was there")
    answer = await activate(admin, version=1, expected=None)
    assert answer.status_code == 422
    assert "no upstream 'retired'" in answer.json()["error"]["message"]
    assert (await admin.get("/admin/policies/p")).json()["active"] is None


async def test_two_administrators_cannot_overwrite_each_other(admin: AsyncClient) -> None:
    for _ in range(3):
        await push(admin, document())
    await activate(admin, version=1, expected=None)
    answers = await asyncio.gather(
        *(activate(admin, version=number, expected=1) for number in (2, 3))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("versions", {}, "policy"),
        ("versions", {"policy": [], "why": ""}, "policy"),
        ("activate", {"version": "1", "expected": None}, "version"),
        ("activate", {"version": 1}, "expected"),
        ("activate", {"version": 1, "expected": None, "percnt": 5}, "percnt"),
        ("rollback", {}, "expected"),
    ],
)
async def test_a_wrong_field_is_named(
    admin: AsyncClient, path: str, body: dict[str, Any], param: str
) -> None:
    answer = await admin.post(f"/admin/policies/p/{path}", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


@pytest.mark.parametrize("percent", [0, -1, 100.5])
async def test_a_share_of_the_traffic_is_over_none_of_it_and_at_most_all(
    admin: AsyncClient, percent: float
) -> None:
    await push(admin, document())
    answer = await activate(admin, version=1, expected=None, percent=percent)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "percent"


async def test_a_name_that_could_not_be_asked_for_is_refused(admin: AsyncClient) -> None:
    answer = await admin.post("/admin/policies/a%20b/versions", json={"policy": document()})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "name"


def numbered(number: int) -> dict[str, Any]:
    """Return a policy whose every part carries the same number."""
    models = {name: model(id=f"{name}-{number}") for name in ("first", "second")}
    return {
        "version": 1,
        "models": models,
        "routes": [{"name": f"rule-{number}", "when": {"category": "unknown"}, "use": ["first"]}],
        "default": {"use": ["second"]},
    }


async def test_a_thousand_activations_under_load_leave_no_decision_of_two_versions(
    mock: MockUpstream, tmp_path: Path, table: SqliteTable
) -> None:
    policies = Policies(table)
    for number in range(1, 11):
        await policies.push("test", numbered(number), by="ada", why="")
    book = PolicyBook({"test": active(numbered(0))}, policies, fresh_s=0)
    seen: set[str] = set()

    async def activate_all() -> None:
        current = None
        for i in range(1_000):
            number = i % 10 + 1
            percent = 50 if i % 7 == 3 else 100
            head = await policies.activate(
                "test", number, expected=current, by="ada", why="", percent=percent
            )
            current = head.active
            # SQLite answers without letting go of the loop.
            await asyncio.sleep(0.001)

    async with running_turnout({}, {"mock": mock.url}, tmp_path, book=book, table=table) as turnout:
        activating = asyncio.create_task(activate_all())
        while not activating.done():
            answers = await asyncio.gather(
                *(turnout.post("/v1/route", {"model": "auto", "messages": HELLO}) for _ in range(4))
            )
            for status, _, body in answers:
                assert status == 200
                seen.add(_version_of(body))
        await activating
    assert seen >= {str(number) for number in range(1, 11)}


HELLO = [{"role": "user", "content": "hello"}]


def _version_of(body: bytes) -> str:
    """Return the version of a decision whose policy, rule and models all name the same one."""
    import json

    decision = json.loads(body)
    version: str = decision["policy"]["version"]
    number = version if version.isdecimal() else "0"
    assert decision["chosen"]["rule"] == f"rule-{number}"
    assert {c["model"] for c in decision["candidates"]} == {
        f"mock/first-{number}", f"mock/second-{number}",
    }  # fmt: skip
    return version


class DownTable(SqliteTable):
    down = False

    async def query(self, partition: str, **options: Any) -> Any:
        if self.down:
            raise StoreError("the table is down")
        return await super().query(partition, **options)


async def test_while_the_store_is_down_the_age_of_the_policy_is_told(
    mock: MockUpstream, tmp_path: Path
) -> None:
    now = [0.0]
    table = DownTable(tmp_path / "down.db")
    book = PolicyBook({"test": active(document())}, Policies(table), clock=lambda: now[0])
    async with running_turnout({}, {"mock": mock.url}, tmp_path, book=book, table=table) as turnout:
        _, headers, _ = await turnout.chat()
        assert "x-turnout-policy-age" not in headers
        table.down = True
        now[0] = 200.0
        status, headers, _ = await turnout.chat()
        assert (status, headers["x-turnout-policy-age"]) == (200, "200")
        assert turnout.logged()[-1]["decision"]["policy_age_s"] == 200.0
        assert turnout.metrics()[-1]["PolicyAge"] == [200.0]


async def test_a_shadow_policy_decides_too_and_is_called_by_nobody(
    mock: MockUpstream, tmp_path: Path
) -> None:
    policies = {
        "test": active(document(shadow="next", models={"small": model(id="ok")})),
        "next": active(
            document(default={"use": ["large"]}, models={"large": model(id="other")}), name="next"
        ),
    }
    async with running_turnout(policies, {"mock": mock.url}, tmp_path) as turnout:
        status, headers, _ = await turnout.chat()
        _, record = await turnout.get(f"/v1/decisions/{headers['x-turnout-decision-id']}")
    assert status == 200
    assert record["chosen"]["model"] == "mock/ok"
    assert record["shadow"]["model"] == "mock/other"
    assert record["shadow"]["policy"] == {"name": "next", "version": "1"}
    assert [request["model"] for request in mock.requests] == ["ok"]


async def test_an_explanation_tells_every_rule_and_agrees_with_the_record(
    mock: MockUpstream, tmp_path: Path
) -> None:
    policy = document(
        models={"small": model(id="ok"), "large": model(id="ok")},
        routes=[
            {"name": "hard", "when": {"difficulty": "> 2"}, "use": ["large"]},
            {"name": "rest", "when": {"language": "en"}, "use": ["small"]},
            {"name": "later", "when": {"language": "de"}, "use": ["small"]},
        ],
    )
    async with running_turnout({"test": active(policy)}, {"mock": mock.url}, tmp_path) as turnout:
        _, headers, _ = await turnout.chat()
        path = f"/v1/decisions/{headers['x-turnout-decision-id']}/explain"
        status, told = await turnout.get(path)
        assert status == 200
        assert (await turnout.get("/v1/decisions/dec_none/explain"))[0] == 404
    assert told["agrees"] is True
    assert told["chosen"]["rule"] == "rest"
    assert [(r["name"], r["reached"], r["matched"]) for r in told["rules"]] == [
        ("hard", True, False), ("rest", True, True), ("later", False, False),
    ]  # fmt: skip
    assert told["rules"][0]["conditions"][0]["wanted"] == "> 2"


async def test_a_user_keeps_the_model_that_the_first_request_drew(
    mock: MockUpstream, tmp_path: Path
) -> None:
    policy = document(
        models={"a": model(id="ok"), "b": model(id="other")}, default={"use": ["a", "b"]}
    )
    async with running_turnout({"test": active(policy)}, {"mock": mock.url}, tmp_path) as turnout:
        for user in ("ann", "bob", "cleo"):
            models = {(await turnout.chat(user=user))[1]["x-turnout-model"] for _ in range(5)}
            assert len(models) == 1
        drawn = {(await turnout.chat())[1]["x-turnout-model"] for _ in range(20)}
    assert len(drawn) == 2


async def test_a_route_may_try_fewer_models_than_the_limits_say(
    mock: MockUpstream, tmp_path: Path
) -> None:
    names = ["a", "b", "c"]
    policy = document(
        models={name: model(id="status-500") for name in names},
        default={"use": ["a"], "fallback": ["b", "c"], "attempts": 2},
    )
    async with running_turnout({"test": active(policy)}, {"mock": mock.url}, tmp_path) as turnout:
        status, _, body = await turnout.chat()
    assert status == 500
    assert len(body["error"]["attempts"]) == 2
