"""What the playground stands on: its files, the decision before the reply, and feedback."""

import json
import time
from pathlib import Path

import pytest
from integration.conftest import StartTurnout

from support.mock_upstream import MockUpstream
from support.policies import active, document, model
from support.servers import RunningTurnout, running_turnout
from turnout.api.auth import KeyAuthenticator
from turnout.api.playground import PAGES
from turnout.store import Feedbacks, Keys
from turnout.store.sqlite import SqliteTable

INLINE = {"x-turnout-decision": "inline"}
HELLO = {"model": "auto", "stream": True, "messages": [{"role": "user", "content": "hello"}]}


async def events(turnout: RunningTurnout, **body: object) -> list[tuple[str, str]]:
    """Return (name, data) of every event of a streamed chat that shows its decision."""
    status, headers, reply = await turnout.post("/v1/chat/completions", {**HELLO, **body}, **INLINE)
    assert (status, headers["content-type"].split(";")[0]) == (200, "text/event-stream")
    told = []
    for block in reply.decode().split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in block.splitlines() if line[:1] not in ("", ":")
        )
        if "data" in fields:
            told.append((fields.get("event", ""), fields["data"]))
    return told


async def test_the_decision_comes_first_and_is_the_one_on_record(turnout: RunningTurnout) -> None:
    told = await events(turnout)
    assert told[0][0] == "turnout.decision"
    decision = json.loads(told[0][1])
    assert decision["outcome"] == "decided"
    assert [name for name, _ in told[1:]] == [""] * (len(told) - 1)
    assert told[-1][1] == "[DONE]"
    _, record = await turnout.get(f"/v1/decisions/{decision['id']}")
    assert record["outcome"] == "ok"
    assert (record["chosen"], record["seed"]) == (decision["chosen"], decision["seed"])


async def test_the_decision_comes_before_the_upstream_answers(start: StartTurnout) -> None:
    async with start("hang", limits={"timeout_s": 0.3}) as turnout:
        told = await events(turnout)
    assert told[0][0] == "turnout.decision"
    assert json.loads(told[1][1])["error"]["code"] == "upstream_timeout"
    assert len(told) == 2


async def test_a_refusal_by_policy_or_upstream_is_told_in_the_stream(start: StartTurnout) -> None:
    async with start("ok", limits={"denied_models": ["m0"]}) as turnout:
        told = await events(turnout)
        assert json.loads(told[1][1])["error"]["code"] == "no_eligible_model"
    async with start("status-400") as turnout:
        told = await events(turnout)
        assert json.loads(told[1][1])["error"]["message"] == "mock says 400"


async def test_an_unknown_model_is_refused_as_ever(turnout: RunningTurnout) -> None:
    status, _, _ = await turnout.post(
        "/v1/chat/completions", {**HELLO, "model": "policy/none"}, **INLINE
    )
    assert status == 404


async def test_without_the_header_no_decision_is_in_the_stream(turnout: RunningTurnout) -> None:
    _, _, reply = await turnout.stream()
    assert b"turnout.decision" not in reply


async def test_feedback_is_kept_with_the_decision_and_replaced_by_later_feedback(
    turnout: RunningTurnout,
) -> None:
    _, headers, _ = await turnout.chat()
    decision_id = headers["x-turnout-decision-id"]
    for score, comment in ((-1, "no"), (0.5, "on reflection")):
        status, _, _ = await turnout.post(
            "/v1/feedback", {"decision_id": decision_id, "score": score, "comment": comment}
        )
        assert status == 204
    now = time.time()
    kept = [each async for each in Feedbacks(turnout.table).since(now - 60, now + 60)]
    assert [(each.decision_id, each.score, each.comment) for each in kept] == [
        (decision_id, 0.5, "on reflection")
    ]


async def test_a_decision_tells_what_was_said_of_it(turnout: RunningTurnout) -> None:
    _, headers, _ = await turnout.chat()
    decision_id = headers["x-turnout-decision-id"]
    said_of = f"/v1/decisions/{decision_id}/feedback"
    assert await turnout.get(said_of) == (200, {"feedback": None})
    said = {"thumbs": "down", "comment": "wrong", "labels": {"category": "math"}}
    status, _, _ = await turnout.post("/v1/feedback", {"decision_id": decision_id, **said})
    assert status == 204
    _, told = await turnout.get(said_of)
    assert told["feedback"].pop("at") == pytest.approx(time.time(), abs=60)
    assert told["feedback"] == {"score": -1.0, "comment": "wrong", "labels": {"category": "math"}}
    assert (await turnout.get("/v1/decisions/dec_0/feedback"))[0] == 404


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "decision_id"),
        ({"decision_id": "dec_1"}, "score"),
        ({"decision_id": "dec_1", "score": 2}, "score"),
        ({"decision_id": "dec_1", "score": "up"}, "score"),
        ({"decision_id": "dec_1", "thumbs": "sideways"}, "thumbs"),
        ({"decision_id": "dec_1", "thumbs": "up", "score": -1}, "thumbs"),
        ({"decision_id": "dec_1", "score": 1, "stars": 5}, "stars"),
        ({"decision_id": "dec_1", "score": 1, "comment": "x" * 5000}, "comment"),
    ],
)
async def test_a_wrong_field_is_named(
    turnout: RunningTurnout, body: dict[str, object], param: str
) -> None:
    status, _, reply = await turnout.post("/v1/feedback", body)
    assert status == 400
    assert json.loads(reply)["error"]["param"] == param


async def test_only_the_key_that_asked_may_judge(mock: MockUpstream, tmp_path: Path) -> None:
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
        _, headers, _ = await turnout.post("/v1/chat/completions", body, **{"x-api-key": mine})
        judged = {"decision_id": headers["x-turnout-decision-id"], "score": 1}
        statuses = [
            (await turnout.post("/v1/feedback", judged, **{"x-api-key": key}))[0]
            for key in (strangers, colleagues, mine)
        ]
        said_of = f"/v1/decisions/{judged['decision_id']}/feedback"
        seen = [
            (await turnout.get(said_of, **{"x-api-key": key}))[0] for key in (strangers, colleagues)
        ]
    assert statuses == [404, 404, 204]
    assert seen == [404, 200]


async def test_the_pages_files_come_with_their_types_and_a_strict_policy(
    start: StartTurnout,
) -> None:
    async with start("ok", shows_playground=True) as turnout:
        for path, kind in (
            ("/", "text/html"),
            ("/decisions", "text/html"),
            ("/playground/playground.js", "text/javascript"),
            ("/playground/playground.css", "text/css"),
            ("/playground/turnout.svg", "image/svg+xml"),
        ):
            async with turnout.client.get(turnout.url + path) as response:
                assert response.status == 200
                assert response.headers["content-type"].split(";")[0] == kind
                rules = response.headers["content-security-policy"]
                assert rules.startswith("default-src 'none'")
                assert "unsafe" not in rules


@pytest.mark.parametrize(
    "name", ["absent.js", "..%2Fcli.py", "%2e%2e/%2e%2e/cli.py", "__init__.py"]
)
async def test_nothing_else_is_served(start: StartTurnout, name: str) -> None:
    async with start("ok", shows_playground=True) as turnout:
        status, body = await turnout.get(f"/playground/{name}")
        assert status == 404
        assert "error" in body


@pytest.mark.parametrize("path", ["/", "/decisions", "/playground/decisions.js"])
async def test_where_it_is_not_switched_on_there_is_no_page(
    turnout: RunningTurnout, path: str
) -> None:
    assert (await turnout.get(path))[0] == 404


def test_the_page_names_no_other_host_and_has_nothing_inline() -> None:
    for path in PAGES.iterdir():
        text = path.read_text(encoding="utf-8")
        assert "https://" not in text.replace("http://www.w3.org/2000/svg", ""), path.name
        assert "innerHTML" not in text, path.name
    for path in PAGES.glob("*.html"):
        page = path.read_text(encoding="utf-8")
        for inline in ("<style", "<script>", " style=", " onclick="):
            assert inline not in page, path.name
