"""Looking back over what a real server recorded."""

import json
from typing import Any

import pytest
from integration.conftest import StartTurnout

from support.servers import RunningTurnout
from turnout.api.auth import Credentials, KeyAuthenticator
from turnout.chat import Caller
from turnout.store import Keys


async def by_key(credentials: Credentials) -> Caller:
    tenant, _, key = (credentials.key or "").partition("-")
    return Caller(tenant, key)


async def say(
    turnout: RunningTurnout, messages: list[dict[str, str]], **headers: str
) -> tuple[str, str]:
    """Return the decision's id and the reply's text."""
    status, answered, body = await turnout.post(
        "/v1/chat/completions", {"model": "auto", "messages": messages}, **headers
    )
    assert status == 200
    reply: Any = json.loads(body)
    return answered["x-turnout-decision-id"], reply["choices"][0]["message"]["content"]


async def test_a_conversation_without_an_id_is_a_session_by_what_was_said(
    turnout: RunningTurnout,
) -> None:
    messages: list[dict[str, str]] = []
    ids = []
    for prompt in ("one", "two", "three"):
        messages.append({"role": "user", "content": prompt})
        decision, reply = await say(turnout, messages)
        ids.append(decision)
        messages.append({"role": "assistant", "content": reply})
    await say(turnout, [{"role": "user", "content": "something else"}])
    for decision in ids:
        status, session = await turnout.get(f"/v1/sessions/{decision}")
        assert status == 200
        assert [request["id"] for request in session["requests"]] == ids
        assert session["complete"] is True
    assert {request["outcome"] for request in session["requests"]} == {"ok"}
    assert session["cost_usd"] == pytest.approx(sum(r["cost_usd"] for r in session["requests"]))


async def test_session_trace_and_tags_by_header_are_on_record(turnout: RunningTurnout) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    decision, _ = await say(
        turnout,
        [{"role": "user", "content": "x"}],
        **{
            "x-turnout-session": "s-1",
            "x-turnout-tags": "team=search, nightly",
            "traceparent": f"00-{trace}-00f067aa0ba902b7-01",
        },
    )
    _, record = await turnout.get(f"/v1/decisions/{decision}")
    assert record["signals"]["metadata"] == {"team": "search", "nightly": ""}
    assert record["conversation"]["session"] == "s-1"
    assert record["conversation"]["trace"] == trace
    _, session = await turnout.get("/v1/sessions/s-1")
    assert [request["id"] for request in session["requests"]] == [decision]


async def test_session_and_trace_by_metadata_are_on_record(turnout: RunningTurnout) -> None:
    ids = []
    for prompt in ("x", "y"):
        body = {
            "model": "auto",
            "messages": [{"role": "user", "content": prompt}],
            "metadata": {"trace_id": "t-1", "team": "search"},
        }
        status, headers, _ = await turnout.post("/v1/chat/completions", body)
        assert status == 200
        ids.append(headers["x-turnout-decision-id"])
    _, record = await turnout.get(f"/v1/decisions/{ids[0]}")
    assert record["conversation"]["trace"] == "t-1"
    _, session = await turnout.get("/v1/sessions/t-1")
    assert [request["id"] for request in session["requests"]] == ids
    _, report = await turnout.get("/v1/report")
    assert [part["name"] for part in report["by_tag"]] == ["team=search"]
    body["metadata"] = {"trace_id": "t" * 257}
    status, _, answered = await turnout.post("/v1/route", body)
    assert (status, json.loads(answered)["error"]["param"]) == (400, "metadata.trace_id")


@pytest.mark.parametrize(
    "headers",
    [
        {"x-turnout-tags": "=b"},
        {"x-turnout-tags": ",".join(f"t{i}" for i in range(17))},
        {"x-turnout-tags": "a=" + "x" * 513},
        {"x-turnout-session": "s" * 257},
    ],
)
async def test_labels_that_cannot_be_kept_are_refused_by_name(
    turnout: RunningTurnout, headers: dict[str, str]
) -> None:
    body = {"model": "auto", "messages": [{"role": "user", "content": "x"}]}
    status, _, answered = await turnout.post("/v1/route", body, **headers)
    assert status == 400
    assert json.loads(answered)["error"]["param"] == next(iter(headers))


async def test_no_tenant_sees_another_s_session(start: StartTurnout) -> None:
    async with start("ok", authenticator=by_key) as turnout:
        one, two = {"authorization": "Bearer one-a"}, {"authorization": "Bearer two-a"}
        messages = [{"role": "user", "content": "x"}]
        mine, _ = await say(turnout, messages, **one, **{"x-turnout-session": "same"})
        theirs, _ = await say(turnout, messages, **two, **{"x-turnout-session": "same"})
        _, session = await turnout.get("/v1/sessions/same", **one)
        assert [request["id"] for request in session["requests"]] == [mine]
        assert (await turnout.get(f"/v1/sessions/{theirs}", **one))[0] == 404
        assert (await turnout.get("/v1/sessions/none", **one))[0] == 404


async def test_a_report_sums_up_the_caller_s_own_tenant(start: StartTurnout) -> None:
    async with start("status-503", "ok", authenticator=by_key) as turnout:
        one, two = {"authorization": "Bearer one-a"}, {"authorization": "Bearer two-a"}
        messages = [{"role": "user", "content": "x"}]
        mine, _ = await say(turnout, messages, **one, **{"x-turnout-tags": "team=search"})
        await say(turnout, messages, **two)
        rating = {"decision_id": mine, "score": 1}
        assert (await turnout.post("/v1/feedback", rating, **one))[0] == 204
        _, report = await turnout.get("/v1/report?since=1h", **one)
        _, record = await turnout.get(f"/v1/decisions/{mine}", **one)
        totals = report["totals"]
        assert (totals["requests"], totals["fallbacks"], totals["failed"]) == (1, 1, 0)
        assert totals["cost_usd"] == record["cost_usd"]
        assert totals["ttfb_ms"] == {"p50": record["ttfb_ms"], "p95": record["ttfb_ms"]}
        assert [part["name"] for part in report["by_tag"]] == ["team=search"]
        assert (report["baseline"]["compared"], report["baseline"]["left_out"]) == (1, 0)
        assert [(q["model"], q["up"], q["n"]) for q in report["quality"]] == [("mock/ok", 1, 1)]
        assert report["complete"] is True


async def test_a_report_needs_a_known_key_and_a_span_that_can_be_read(
    start: StartTurnout, turnout: RunningTurnout
) -> None:
    status, answered = await turnout.get("/v1/report?since=yesterday")
    assert (status, answered["error"]["param"]) == (400, "since")
    async with start("ok", authenticator=KeyAuthenticator(Keys(turnout.table))) as guarded:
        assert (await guarded.get("/v1/report"))[0] == 401
        assert (await guarded.get("/v1/sessions/x"))[0] == 401
