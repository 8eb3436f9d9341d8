"""`turnout policy ...` as an administrator uses it: pushed, rehearsed, canaried, activated, rolled back."""

import gzip
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DEFAULT = Path(__file__).parents[2] / "infra" / "policies" / "default.yaml"
Command = Callable[..., subprocess.CompletedProcess[str]]
PROMPTS = (
    "Write a function in C that sorts a list.",
    "Translate to French: good morning",
    "hi there",
)


@pytest.fixture
def second(turnout: Any) -> Path:
    """A policy that sends code to another model than the default one does."""
    path: Path = turnout.folder / "second.yaml"
    text = DEFAULT.read_text().replace(
        "use: [coder]\n    fallback: [strong", "use: [strong]\n    fallback: [coder"
    )
    path.write_text(text)
    return path


def said(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 0, result.stderr
    return result.stdout


def refused(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode != 0
    assert "Traceback" not in result.stderr
    return result.stderr


def test_a_policy_is_pushed_compared_activated_and_rolled_back(
    turnout: Command, second: Path
) -> None:
    assert "default version 1" in said(turnout("policy", "push", "default", str(DEFAULT)))
    said(turnout("policy", "push", "default", str(second), "--why", "try sol on code"))
    changed = said(turnout("policy", "diff", "default", "1", "2")).splitlines()
    assert "+  - model: strong" in changed
    assert "try sol on code" in said(turnout("policy", "list", "default"))

    said(turnout("policy", "activate", "default", "1"))
    told = said(turnout("policy", "activate", "default", "2", "--percent", "25"))
    assert "version 1, 2 for 25 % in use" in told
    assert "version 1 in use" in said(turnout("policy", "rollback", "default", "--why", "too dear"))
    said(turnout("policy", "activate", "default", "2", "--expect", "1"))
    decision = json.loads(said(turnout("route", "--json", PROMPTS[0])))
    assert decision["policy"] == {"name": "default", "version": "2"}
    assert decision["chosen"]["model"] == "openai/gpt-6.1-sol"
    assert "default  version 2" in said(turnout("policy", "list"))
    assert "is active, and not 1" in refused(
        turnout("policy", "activate", "default", "1", "--expect", "1")
    )
    assert "version 2 of default is in use" in refused(turnout("policy", "delete", "default", "2"))
    said(turnout("policy", "delete", "default", "1"))
    assert "no version 1" in refused(turnout("policy", "show", "default", "1"))


def test_what_is_shown_can_be_pushed_again(turnout: Any) -> None:
    said(turnout("policy", "push", "default", str(DEFAULT)))
    (turnout.folder / "shown.yaml").write_text(said(turnout("policy", "show", "default", "1")))
    said(turnout("policy", "push", "default", "shown.yaml"))
    assert said(turnout("policy", "diff", "default", "1", "2")) == ""
    assert json.loads(said(turnout("policy", "show", "default", "1", "--json")))["version"] == 1


def test_a_policy_that_cannot_work_is_not_pushed(turnout: Any, second: Path) -> None:
    second.write_text(second.read_text().replace("upstream: openai", "upstream: opneai"))
    told = refused(turnout("policy", "push", "default", str(second)))
    assert "models.small.upstream: no upstream 'opneai'; did you mean 'openai'?" in told
    second.write_text(second.read_text().replace("routes:", "rotues:"))
    assert "unknown key; did you mean 'routes'?" in refused(
        turnout("policy", "push", "default", str(second))
    )
    assert "policy  in use" in said(turnout("policy", "list"))


def test_a_rehearsal_reads_the_store_and_logs_of_any_kind(turnout: Any, second: Path) -> None:
    for prompt in PROMPTS:
        said(turnout("route", prompt))
    from_store = json.loads(
        said(turnout("policy", "replay", str(second), "--since", "1h", "--json"))
    )
    assert from_store["total"]["decisions"] == 3
    assert from_store["total"]["moved"] == 1
    assert from_store["flows"][0]["decisions"] in (1, 2)
    assert {"from": "anthropic/claude-sonnet-5-5", "to": "openai/gpt-6.1-sol", "decisions": 1} in (
        from_store["flows"]
    )

    log = turnout.folder / ".turnout" / "log.jsonl"
    exported = turnout.folder / "exported" / "part.gz"
    exported.parent.mkdir()
    with gzip.open(exported, "wt") as lines:
        lines.writelines(
            f"2026-11-23T10:00:00.000Z {line}" for line in log.read_text().splitlines(True)
        )
        lines.write("2026-11-23T10:00:00.000Z START RequestId: 1\n{broken\n")
    for place in (log, exported.parent):
        again = turnout("policy", "replay", str(second), "--from", str(place), "--json")
        assert json.loads(said(again)) == from_store
    assert "1 lines could not be read" in again.stderr


def test_rehearsing_the_policy_that_is_in_use_moves_nothing(turnout: Any) -> None:
    for prompt in PROMPTS:
        said(turnout("route", prompt))
    told = said(turnout("policy", "replay", str(DEFAULT), "--since", "1h"))
    assert "3 decisions, of which 0 move (0.0%)" in told
    assert "(+0.0%)" in told


def test_a_rehearsals_page_needs_nothing_but_itself(turnout: Any, second: Path) -> None:
    said(turnout("route", PROMPTS[0]))
    page = turnout.folder / "report.html"
    said(turnout("policy", "replay", str(second), "--since", "1h", "--html", str(page)))
    text = page.read_text()
    assert "<svg" in text
    assert "anthropic/claude-sonnet-5-5" in text
    assert not any(outside in text for outside in ("http://", "https://", "<script", "@import"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "say where the decisions are"),
        (["--since", "yesterday"], "write 90m, 24h or 7d"),
        (["--from", "absent.jsonl"], "cannot read absent.jsonl"),
        (["--from", "x", "--since", "1h"], "say where the decisions are"),
    ],
)
def test_a_rehearsal_of_nothing_says_what_it_wants(
    turnout: Command, arguments: list[str], told: str
) -> None:
    assert told in refused(turnout("policy", "replay", str(DEFAULT), *arguments))


def test_explain_tells_every_rule_and_that_it_agrees(turnout: Command) -> None:
    decision = json.loads(said(turnout("route", "--json", PROMPTS[0])))
    told = said(turnout("explain", decision["id"]))
    assert "code: matched\n  yes  category coding meets coding" in told
    assert "hard-rest: not reached" in told
    assert "as on record" in told
    assert "no decision 'dec_0'" in refused(turnout("explain", "dec_0"))


def test_the_schema_is_json_schema(turnout: Command) -> None:
    schema = json.loads(said(turnout("policy", "schema")))
    assert schema["title"] == "Policy"
    assert "when" in schema["$defs"]["Route"]["properties"]
