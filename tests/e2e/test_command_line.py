"""The command line: readable answers, JSON on request, and errors in one line that says what to do."""

import json
from pathlib import Path

import pytest

INFRA = Path(__file__).parents[2] / "infra"

COMMANDS = [
    [], ["serve"], ["route"], ["explain"], ["session"], ["report"],
    ["feedback"], ["feedback", "export"], ["policy"],
    *(["policy", name] for name in (
        "validate", "schema", "push", "list", "show", "diff", "activate", "rollback", "delete", "replay",
    )),
    ["train"], ["eval"], ["keys"], ["keys", "create"], ["keys", "list"], ["keys", "revoke"],
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command) or "turnout")
def test_every_command_has_help(turnout, command: list[str]) -> None:
    result = turnout(*command, "--help")
    assert result.returncode == 0
    assert result.stdout.startswith("Usage: ")


def test_route_shows_bars_candidates_and_the_reason(turnout) -> None:
    result = turnout("route", "Write a Python function that merges two sorted lists.")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("coding ")
    assert "█" in result.stdout
    assert "->  anthropic/claude-sonnet-5-5" in result.stdout
    assert "by rule code: category coding meets coding" in result.stdout


def test_route_as_json_is_the_decision_as_it_is_on_the_wire(turnout) -> None:
    result = turnout("route", "--json", "-", stdin="Translate into French: good morning")
    decision = json.loads(result.stdout)
    assert decision["signals"]["category"] == "translation"
    assert decision["outcome"] == "decided"


def test_route_takes_another_policy_and_a_system_prompt(turnout) -> None:
    result = turnout("route", "--json", "--policy", "frugal", "--system", "You are terse.", "hi")
    assert json.loads(result.stdout)["policy"]["name"] == "frugal"


def test_an_unknown_policy_is_one_line(turnout) -> None:
    result = turnout("route", "--policy", "nothing", "hi")
    assert result.returncode == 1
    assert result.stderr.startswith("Error: no model 'policy/nothing'; try auto, policy/default")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["default", "frugal"])
def test_a_shipped_policy_is_valid_with_the_shipped_classifier(turnout, name: str) -> None:
    result = turnout("policy", "validate", str(INFRA / "policies" / f"{name}.yaml"))
    assert result.returncode == 0, result.stderr
    assert "valid" in result.stdout


def test_a_bad_policy_lists_everything_wrong_with_it(turnout) -> None:
    text = (INFRA / "policies" / "default.yaml").read_text()
    bad = turnout.folder / "bad.yaml"
    bad.write_text(text.replace("category: coding", "category: codin").replace("[general]", "[x]"))
    result = turnout("policy", "validate", "bad.yaml")
    assert result.returncode == 1
    assert (
        "routes.1.when.category.0: unknown category 'codin'; did you mean 'coding'?"
        in result.stderr
    )
    assert "routes.0.use.0: no model named 'x'" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_missing_policy_file_is_one_line(turnout) -> None:
    result = turnout("policy", "validate", "absent.yaml")
    assert result.returncode == 1
    assert result.stderr == "Error: cannot read absent.yaml: No such file or directory\n"


def test_keys_are_made_listed_and_revoked(turnout) -> None:
    key = turnout("keys", "create", "acme").stdout.strip()
    assert key.startswith("tn_")
    key_id, tenant = turnout("keys", "list").stdout.split()
    assert tenant == "acme"
    assert turnout("keys", "revoke", key_id).returncode == 0
    again = turnout("keys", "revoke", key_id)
    assert again.returncode == 1
    assert "turnout keys list" in again.stderr
