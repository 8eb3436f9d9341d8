"""A conversation with a real server, and what the reports say of it afterwards."""

import json
import math
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml
from openai import OpenAI

INFRA = Path(__file__).parents[2] / "infra"

PROMPTS = [
    "Write a Python function that merges two sorted lists.",
    "Evaluate the integral of x^2 * e^x from 0 to 1, showing each step.",
    "Write a short story about a lighthouse keeper who befriends a storm.",
    "Fix the grammar: she dont has no idea where them books is",
    "Translate into French: Where is the nearest train station?",
    "What is the capital of Australia?",
    "Plan a three-day trip to Lisbon with two small children.",
    "Write a catchy product description for a bamboo toothbrush.",
    "Write an email to my boss asking for two days off next week.",
    "hey, how are you doing today?",
]


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as response:
        return json.load(response)


def converse(url: str) -> list[str]:
    """Say each prompt in one session, and return the decisions' ids."""
    headers = {"x-turnout-session": "ten", "x-turnout-tags": "team=search"}
    with OpenAI(base_url=f"{url}/v1", api_key="any", default_headers=headers) as client:
        answers = [
            client.chat.completions.with_raw_response.create(
                model="auto", messages=[{"role": "user", "content": prompt}]
            )
            for prompt in PROMPTS
        ]
    return [answer.headers["x-turnout-decision-id"] for answer in answers]


def total(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Sum the records as anyone would by hand."""
    return {
        "requests": len(records),
        "input_tokens": sum(record["usage"]["input_tokens"] for record in records),
        "output_tokens": sum(record["usage"]["output_tokens"] for record in records),
        "cost_usd": pytest.approx(math.fsum(record["cost_usd"] for record in records), abs=1e-9),
        "fallbacks": sum(len(record["attempts"]) - 1 for record in records),
        "failed": sum(record["outcome"] != "ok" for record in records),
    }


def numbers(part: dict[str, Any]) -> dict[str, Any]:
    return {name: part[name] for name in total([])}


def test_the_report_on_ten_prompts_is_the_sum_of_their_ten_records(serve, turnout) -> None:
    server = serve()
    decisions = converse(server.url)
    records = [get(f"{server.url}/v1/decisions/{decision}") for decision in decisions]

    reported = get(f"{server.url}/v1/report?since=1h")
    assert numbers(reported["totals"]) == total(records)
    for division, name in (
        ("by_category", lambda record: record["signals"]["category"]),
        ("by_model", lambda record: record["attempts"][-1]["model"]),
    ):
        names = {name(record) for record in records}
        assert len(names) > 1
        assert {part["name"] for part in reported[division]} == names
        for part in reported[division]:
            assert numbers(part) == total([r for r in records if name(r) == part["name"]])
    assert [numbers(part) for part in reported["by_tag"]] == [total(records)]
    saved = reported["baseline"]["usd"] - reported["totals"]["cost_usd"]
    assert reported["totals"]["saved_usd"] == pytest.approx(saved, abs=1e-8)
    assert reported["baseline"]["compared"] == 10

    by_command = json.loads(turnout("report", "--since", "1h", "--json").stdout)
    by_log = json.loads(turnout("report", "--log", ".turnout/log.jsonl", "--json").stdout)
    for name in ("totals", "by_category", "by_model", "baseline"):
        assert by_command[name] == by_log[name] == reported[name]

    session = get(f"{server.url}/v1/sessions/ten")
    assert [request["id"] for request in session["requests"]] == decisions
    assert session["cost_usd"] == pytest.approx(reported["totals"]["cost_usd"], abs=1e-9)
    listed = turnout("session", decisions[9]).stdout
    assert [line.split()[2] for line in listed.splitlines()[1:11]] == decisions
    assert json.loads(turnout("session", "--json", "ten").stdout) == session

    page = turnout("report", "--html", "report.html")
    assert page.returncode == 0, page.stderr
    assert "10 requests" in page.stdout
    html = (turnout.folder / "report.html").read_text(encoding="utf-8")
    assert "<dt>Requests</dt><dd>10<small>0 failed</small>" in html
    assert f"${reported['totals']['cost_usd']:.3g}" in html


def test_a_session_or_a_span_that_is_not_there_is_one_line(turnout) -> None:
    result = turnout("session", "nothing")
    assert (result.returncode, result.stderr) == (1, "Error: no session 'nothing' on record\n")
    result = turnout("report", "--since", "yesterday")
    assert result.returncode == 1
    assert result.stderr == "Error: since: cannot read 'yesterday'; write 90m, 24h or 7d\n"
    result = turnout("report")
    assert result.returncode == 0
    assert "0 requests" in result.stdout


def test_ratings_are_exported_for_training_and_as_a_quality_table(serve, turnout, tmp_path) -> None:
    policies = tmp_path / "policies"
    policies.mkdir()
    text = (INFRA / "policies" / "default.yaml").read_text(encoding="utf-8")
    (policies / "default.yaml").write_text(
        text.replace("prompts: false", "prompts: true"), encoding="utf-8"
    )
    server = serve(TURNOUT_POLICIES=str(policies))
    decisions = converse(server.url)
    with OpenAI(base_url=f"{server.url}/v1", api_key="any") as client:
        for decision in decisions:
            client.post("/feedback", body={"decision_id": decision, "score": 1}, cast_to=type(None))
    rows = turnout("feedback", "export", "--as", "training")
    assert [json.loads(line)["text"] for line in rows.stdout.splitlines()] == PROMPTS
    assert rows.stderr == "10 rows of 10 ratings\n"
    table = yaml.safe_load(turnout("feedback", "export", "--as", "quality", "--least", "1").stdout)
    assert all(shares["*"] == 1.0 for shares in table["quality"].values())
    refused = turnout("feedback", "export", "--as", "quality")
    assert refused.returncode == 1
    assert "no model of default has 20 judgements among 10 ratings" in refused.stderr
