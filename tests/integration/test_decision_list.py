"""The list of decisions: the caller's own tenant's, newest first, filtered, page by page, within bounds."""

import time
from pathlib import Path
from typing import Any

import pytest
from integration.conftest import StartTurnout

from support.mock_upstream import MockUpstream
from support.policies import active, document, model
from support.records import record
from support.servers import RunningTurnout, running_turnout
from turnout import history
from turnout.api.auth import KeyAuthenticator
from turnout.store import Decisions, Keys
from turnout.store.sqlite import SqliteTable


async def listed(turnout: RunningTurnout, query: str = "", **headers: str) -> Any:
    status, page = await turnout.get(f"/v1/decisions?{query}", **headers)
    assert status == 200, page
    return page


def ids(page: Any) -> list[str]:
    return [each["id"] for each in page["data"]]


async def asked(turnout: RunningTurnout, times: int) -> list[str]:
    """Send requests one after the other, and return their decisions' ids."""
    return [(await turnout.chat())[1]["x-turnout-decision-id"] for _ in range(times)]


async def test_decisions_are_listed_newest_first_as_they_are_on_record(
    turnout: RunningTurnout,
) -> None:
    made = await asked(turnout, 3)
    page = await listed(turnout)
    assert (page["object"], ids(page), page["next"]) == ("list", made[::-1], None)
    _, whole = await turnout.get(f"/v1/decisions/{made[0]}")
    assert page["data"][-1] == whole


async def test_before_the_first_request_the_list_is_empty(turnout: RunningTurnout) -> None:
    assert await listed(turnout) == {"object": "list", "data": [], "next": None}


async def test_pages_follow_one_another_without_a_gap_or_a_repetition(
    turnout: RunningTurnout,
) -> None:
    made = await asked(turnout, 5)
    first = await listed(turnout, "limit=2")
    await asked(turnout, 1)  # What comes meanwhile does not shift the pages.
    second = await listed(turnout, f"limit=2&cursor={first['next']}")
    third = await listed(turnout, f"limit=2&cursor={second['next']}")
    assert ids(first) + ids(second) + ids(third) == made[::-1]
    assert third["next"] is None


async def test_each_filter_leaves_those_that_fit_and_all_of_them_must(start: StartTurnout) -> None:
    async with start("status-503", "ok") as turnout:
        (fallen_back,) = await asked(turnout, 1)
        hello = {"model": "auto", "messages": [{"role": "user", "content": "hello"}]}
        await turnout.post("/v1/route", hello)
        (decided,) = ids(await listed(turnout, "outcome=decided"))
        assert ids(await listed(turnout, "outcome=ok")) == [fallen_back]
        # The one whose reply it was, or the one chosen where nobody answered.
        assert ids(await listed(turnout, "model=mock/ok")) == [fallen_back]
        assert ids(await listed(turnout, "model=mock/status-503")) == [decided]
        both = [decided, fallen_back]
        for query in ("policy=test", "category=unknown", "key=local", "policy=test&key="):
            assert ids(await listed(turnout, query)) == both
        for query in ("policy=other", "category=coding", "key=k", "outcome=ok&policy=other"):
            assert ids(await listed(turnout, query)) == []


async def test_only_the_time_asked_for_is_looked_at(turnout: RunningTurnout) -> None:
    now = time.time()
    for age_s in (60, 2 * 3600, 3 * 86400):
        await Decisions(turnout.table).save(record(now - age_s, sensed={"tenant": "local"}))
    counts = {
        since: len((await listed(turnout, f"since={since}"))["data"])
        for since in ("5m", "3h", "2d", "4d")
    }
    assert counts == {"5m": 1, "3h": 2, "2d": 2, "4d": 3}
    assert len((await listed(turnout))["data"]) == 3


async def test_no_more_is_read_than_the_bound_and_the_cursor_goes_on_from_there(
    turnout: RunningTurnout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MOST_LISTED_FROM", 3)
    made = await asked(turnout, 5)
    page = await listed(turnout, "policy=other")
    assert (page["data"], bool(page["next"])) == ([], True)
    rest = await listed(turnout, f"cursor={page['next']}")
    assert (ids(rest), rest["next"]) == (made[1::-1], None)


@pytest.mark.parametrize(
    ("query", "param", "told"),
    [
        ("since=yesterday", "since", "90m, 24h or 7d"),
        ("since=7y", "since", "90m, 24h or 7d"),
        ("outcome=fine", "outcome", "'client_gone'"),
        ("limit=0", "limit", "greater than or equal to 1"),
        ("limit=101", "limit", "less than or equal to 100"),
        ("limit=many", "limit", "integer"),
        ("cursor=dec_1", "cursor", "`next` of the page before"),
        ("colour=red", "colour", "not permitted"),
    ],
)
async def test_a_wrong_value_is_named(
    turnout: RunningTurnout, query: str, param: str, told: str
) -> None:
    status, body = await turnout.get(f"/v1/decisions?{query}")
    assert status == 400
    assert body["error"]["param"] == param
    assert told in body["error"]["message"]


async def test_each_tenant_is_shown_its_own_decisions_and_nobody_without_a_key_any(
    mock: MockUpstream, tmp_path: Path
) -> None:
    table = SqliteTable(tmp_path / "turnout.db")
    keys = Keys(table)
    mine, colleagues, strangers = [await keys.create(t) for t in ("acme", "acme", "other")]
    policy = active(document(models={"small": model(id="ok")}))
    async with running_turnout(
        {"test": policy},
        {"mock": mock.url},
        tmp_path,
        table=table,
        authenticator=KeyAuthenticator(keys),
    ) as turnout:
        body = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
        made = {}
        for key in (mine, colleagues, strangers, mine):
            _, headers, _ = await turnout.post("/v1/chat/completions", body, **{"x-api-key": key})
            made.setdefault(key, []).append(headers["x-turnout-decision-id"])
        ours = await listed(turnout, **{"x-api-key": colleagues})
        theirs = await listed(turnout, f"key={keys.id_of(mine)}", **{"x-api-key": strangers})
        of_mine = await listed(turnout, f"key={keys.id_of(mine)}", **{"x-api-key": colleagues})
        status, _ = await turnout.get("/v1/decisions")
    assert set(ids(ours)) == {*made[mine], *made[colleagues]}
    assert ids(theirs) == []
    assert set(ids(of_mine)) == set(made[mine])
    assert status == 401
