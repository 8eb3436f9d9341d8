"""A policy's embeddings can be compared: one route, one space, and nothing about the text decides."""

from typing import Any

import pytest

from support.policies import active, document, model, signals
from turnout.decision import decide
from turnout.errors import PolicyError
from turnout.policy_check import parse_policy

EMBEDS = {"can": ["embeddings"]}


def with_route(*names: str, when: dict[str, Any] | None = None, **models: Any) -> dict[str, Any]:
    """Return a document whose first route is for embeddings by these models."""
    route = {"name": "search", "when": when or {"needs": ["embeddings"]}, "use": list(names)}
    return document(models={"small": model(id="small"), **models}, routes=[route])


def problems(document: dict[str, Any]) -> list[str]:
    with pytest.raises(PolicyError) as raised:
        parse_policy(document)
    return [str(problem) for problem in raised.value.problems]


def test_the_same_model_at_two_upstreams_may_stand_in_for_itself() -> None:
    a, b = model("openai", "embed-3", **EMBEDS), model("azure", "embed-3", **EMBEDS)
    assert parse_policy(with_route("a", "b", a=a, b=b))


def test_two_names_of_one_model_may_where_their_space_says_so() -> None:
    a = model("openai", "embed-3", **EMBEDS)
    b = model("router", "openai/embed-3", space="embed-3", **EMBEDS)
    assert parse_policy(with_route("a", "b", a=a, b=b))


def test_models_of_two_spaces_are_refused() -> None:
    a, b = model(id="embed-3", **EMBEDS), model(id="other", **EMBEDS)
    assert problems(with_route("a", "b", a=a, b=b)) == [
        "routes.0.use.1: embeddings of 'other' and 'embed-3' cannot be compared; where both are the same"
        " model, give them the same `space`"
    ]


@pytest.mark.parametrize(
    ("condition", "place"),
    [
        ({"language": "de"}, "language"),
        ({"category": "coding"}, "category"),
        ({"input_tokens": "< 9"}, "input_tokens"),
        ({"confidence": "< 0.5"}, "confidence"),
        ({"hours": "22:00-06:00"}, "hours"),
    ],
)
def test_no_route_for_embeddings_depends_on_the_text_or_the_time(
    condition: dict[str, Any], place: str
) -> None:
    when = {"needs": ["embeddings"], **condition}
    (problem,) = problems(with_route("a", when=when, a=model(id="a", **EMBEDS)))
    assert problem.startswith(f"routes.0.when.{place}: ")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"can": ["embeddings", "tools"]}, "models.a.can: a model that makes embeddings"),
        ({"can": ["embeddings"], "id": "any"}, "models.a.id: `any` may be another model"),
        ({"can": [], "space": "s"}, "models.a.space: only models that can: [embeddings]"),
    ],
)
def test_a_model_makes_embeddings_alone_and_has_a_name(changes: dict[str, Any], said: str) -> None:
    assert any(each.startswith(said) for each in problems(with_route("a", a=model(**changes))))


def test_chats_and_embeddings_are_not_mixed_in_a_route() -> None:
    embedder = model(id="a", **EMBEDS)
    assert "cannot do embeddings" in problems(with_route("small", a=embedder))[0]
    chat = document(models={"a": embedder, "small": model()}, default={"use": ["small", "a"]})
    assert "'a' makes embeddings: name it in a route" in problems(chat)[0]


def test_a_route_for_embeddings_is_reached_behind_a_route_that_takes_every_chat() -> None:
    policy = with_route("a", a=model(id="a", **EMBEDS))
    policy["routes"].insert(0, {"name": "all", "when": {}, "use": ["small"]})
    asked = signals(needs=("embeddings",), only_for="embeddings")
    decision = decide(active(policy), asked, seed=1)
    assert decision.chosen
    assert (decision.chosen.rule, decision.chosen.model) == ("search", "mock/a")
    chat = decide(active(policy), signals(), seed=1).chosen
    assert chat
    assert chat.rule == "all"
