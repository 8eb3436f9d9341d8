"""What a policy must be so that embeddings can be compared: one caller's stay in one space.

Vectors of two models cannot be compared, and nobody notices: searches only find the wrong things.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from turnout.errors import Problem
from turnout.policy import ANY_MODEL, EMBEDDINGS, Choice, Policy, Route

_MAY_DECIDE: Final = frozenset({"needs", "model", "tenant", "group", "key", "metadata"})
"""Conditions that do not depend on the text: they would put one caller's texts into several spaces."""


def embedding_problems(policy: Policy) -> Iterator[Problem]:
    """Yield what is wrong with the policy's models and routes for embeddings."""
    for name, model in policy.models.items():
        if EMBEDDINGS not in model.can:
            if model.space:
                yield Problem(f"models.{name}.space", "only models that can: [embeddings] have one")
        elif model.can != (EMBEDDINGS,):
            yield Problem(f"models.{name}.can", "a model that makes embeddings does nothing else")
        elif model.id == ANY_MODEL:
            yield Problem(f"models.{name}.id", "`any` may be another model tomorrow; name one")
    for place, choice in policy.choices():
        if isinstance(choice, Route) and EMBEDDINGS in choice.when.needs:
            yield from _route_problems(policy, place, choice)
        else:
            yield from _chat_problems(policy, place, choice)


def _route_problems(policy: Policy, place: str, route: Route) -> Iterator[Problem]:
    if others := [name for name in route.when.given if name not in _MAY_DECIDE]:
        yield Problem(
            f"{place}.when.{others[0]}",
            "may differ between the texts of one caller, whose embeddings must be of one space",
        )
    if route.when.needs != (EMBEDDINGS,):
        yield Problem(f"{place}.when.needs", "embeddings need nothing else")
    named = [(path, name) for path, name in route.model_names() if name in policy.models]
    for path, name in named:
        model, first = policy.models[name], policy.models[named[0][1]]
        if EMBEDDINGS not in model.can:
            yield Problem(f"{place}.{path}", f"{name!r} cannot do embeddings")
        elif model.vectors != first.vectors:
            yield Problem(
                f"{place}.{path}",
                f"embeddings of {model.vectors!r} and {first.vectors!r} cannot be compared; where both are"
                " the same model, give them the same `space`",
            )


def _chat_problems(policy: Policy, place: str, choice: Choice) -> Iterator[Problem]:
    for path, name in choice.model_names():
        if name in policy.models and EMBEDDINGS in policy.models[name].can:
            yield Problem(
                f"{place}.{path}",
                f"{name!r} makes embeddings: name it in a route with `when: {{needs: [embeddings]}}`",
            )
