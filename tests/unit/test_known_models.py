"""The catalogue of well-known models fills in what a policy leaves out, and nothing that it says."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from support.policies import document, model
from turnout.errors import PolicyError
from turnout.known_models import KnownModels, known_models
from turnout.policy_check import parse_policy

FACTS = {"context": 1000, "usd_per_mtok": {"input": 1.0, "output": 2.0}, "can": ["tools"]}
KNOWN = KnownModels("2026-11-01", "test", {"openai/gpt-x": FACTS})


def filled(**models: Any) -> Any:
    filled_in = KNOWN.fill_in(document(models=models, default={"use": list(models)}))
    return parse_policy(filled_in).models


def test_a_model_may_be_only_its_name() -> None:
    fast = filled(fast="openai/gpt-x")["fast"]
    assert (fast.upstream, fast.id, fast.context, fast.can) == ("openai", "gpt-x", 1000, ("tools",))
    assert fast.usd_per_mtok.output == 2.0


def test_what_a_policy_says_itself_stands() -> None:
    price = {"input": 0.5, "output": 0.5}
    fast = filled(fast={"upstream": "openai", "id": "gpt-x", "usd_per_mtok": price, "can": []})[
        "fast"
    ]
    assert (fast.context, fast.usd_per_mtok.input, fast.can) == (1000, 0.5, ())


def test_a_model_that_is_not_in_the_catalogue_is_written_out() -> None:
    assert filled(own=model())["own"].context == 100_000


def test_an_unknown_name_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(PolicyError) as raised:
        filled(fast="openai/gpt-y")
    assert raised.value.problems[0].path == "models.fast"
    assert "did you mean 'openai/gpt-x'?" in raised.value.problems[0].message


@pytest.mark.parametrize("odd", [None, 3, [], {"models": 3}, {"models": {"a": 3, "b": None}}])
def test_a_document_of_another_shape_is_left_to_the_policys_own_check(odd: object) -> None:
    assert KNOWN.fill_in(odd) == odd


def test_without_a_catalogue_nothing_is_known_and_it_says_so(tmp_path: Path) -> None:
    nothing = known_models(tmp_path / "absent.json")
    with pytest.raises(PolicyError, match="no catalogue was built"):
        nothing.fill_in({"models": {"a": "openai/gpt-x"}})


def test_the_catalogue_that_was_built_is_of_this_years_prices_and_agrees_with_the_default_policy() -> (
    None
):
    built = known_models()
    assert datetime.fromisoformat(built.as_of).replace(tzinfo=UTC).year >= 2026
    assert len(built.models) > 300
    luna = built.models["openai/gpt-6-luna"]
    assert luna["usd_per_mtok"] == {"input": 0.1, "output": 0.5, "cached_input": 0.01}
    assert luna["context"] == 272_000
