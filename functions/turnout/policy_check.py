"""What a policy document must be beyond its shape: its names exist, and every route can be reached."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from turnout.embedding_check import embedding_problems
from turnout.errors import PolicyError, Problem
from turnout.policy import (
    DEFAULT_RULE,
    EMBEDDINGS,
    PINNED_RULE,
    Policy,
    Route,
    When,
)
from turnout.policy_document import nearest, read_document
from turnout.threshold import Threshold

ANY_CATEGORY = "*"


def parse_policy(
    document: object,
    *,
    categories: Collection[str] | None = None,
    upstreams: Collection[str] | None = None,
) -> Policy:
    """Return the policy that `document` (parsed YAML or JSON) describes.

    `categories` are those the classifier knows, `upstreams` those that are configured; None leaves
    their names unchecked. Raises PolicyError with every problem and its path.
    """
    policy = read_document(document)
    problems = [
        *_name_problems(policy),
        *_category_problems(policy, categories),
        *_upstream_problems(policy, upstreams),
        *_objective_problems(policy),
        *_route_problems(policy.routes),
        *embedding_problems(policy),
    ]
    if problems:
        raise PolicyError(problems)
    return policy


def _name_problems(policy: Policy) -> Iterator[Problem]:
    for place, choice in policy.choices():
        for path, name in choice.model_names():
            if name not in policy.models:
                yield Problem(
                    f"{place}.{path}", f"no model named {name!r}{nearest(name, policy.models)}"
                )
    for name in policy.quality:
        if name not in policy.models:
            yield Problem(f"quality.{name}", f"no such model{nearest(name, policy.models)}")
    taken = {DEFAULT_RULE, PINNED_RULE}
    for i, route in enumerate(policy.routes):
        if route.name in taken:
            yield Problem(f"routes.{i}.name", f"a rule is named {route.name!r} already")
        taken.add(route.name)


def _category_problems(policy: Policy, categories: Collection[str] | None) -> Iterator[Problem]:
    if categories is None:
        return
    for i, route in enumerate(policy.routes):
        for j, name in enumerate(route.when.category or ()):
            yield from _category_problem(f"routes.{i}.when.category.{j}", name, categories)
        for name in route.when.probability:
            yield from _category_problem(f"routes.{i}.when.probability.{name}", name, categories)
    for model, table in policy.quality.items():
        for name in table:
            if name != ANY_CATEGORY:
                yield from _category_problem(f"quality.{model}.{name}", name, categories)


def _category_problem(path: str, name: str, categories: Collection[str]) -> Iterator[Problem]:
    if name not in categories:
        known = ", ".join(categories)
        hint = nearest(name, categories)
        yield Problem(path, f"unknown category {name!r}{hint} (known: {known})")


def _upstream_problems(policy: Policy, upstreams: Collection[str] | None) -> Iterator[Problem]:
    if upstreams is None:
        return
    for name, model in policy.models.items():
        if model.upstream not in upstreams:
            hint = nearest(model.upstream, upstreams)
            yield Problem(f"models.{name}.upstream", f"no upstream {model.upstream!r}{hint}")


def _objective_problems(policy: Policy) -> Iterator[Problem]:
    for place, choice in policy.choices():
        for i, share in enumerate(choice.use):
            if choice.objective and not policy.quality.get(share.model):
                yield Problem(
                    f"{place}.use.{i}",
                    f"an objective weighs quality, and quality.{share.model} is not given",
                )


def _route_problems(routes: Sequence[Route]) -> Iterator[Problem]:
    for i, route in enumerate(routes):
        for name, threshold in _thresholds(route.when).items():
            if threshold.is_empty:
                yield Problem(f"routes.{i}.when.{name}", f"no number is {threshold}")
        earlier = next((other for other in routes[:i] if _covers(other.when, route.when)), None)
        if earlier:
            yield Problem(
                f"routes.{i}",
                f"route {route.name!r} is never reached: {earlier.name!r} before it takes all of it",
            )


def _covers(wide: When, narrow: When) -> bool:
    """Tell whether whatever meets `narrow` meets `wide` too."""
    if wide.hours and wide.hours != narrow.hours:
        return False
    if (EMBEDDINGS in wide.needs) != (EMBEDDINGS in narrow.needs):
        return False
    return (
        _thresholds_cover(_thresholds(wide), _thresholds(narrow))
        and _names_cover(_names(wide), _names(narrow))
        and set(wide.needs) <= set(narrow.needs)
    )


def _thresholds(when: When) -> dict[str, Threshold]:
    single = {name: getattr(when, name) for name in ("difficulty", "confidence", "input_tokens")}
    several = {f"probability.{name}": bound for name, bound in when.probability.items()}
    return {name: bound for name, bound in (single | several).items() if bound}


def _names(when: When) -> dict[str, tuple[str, ...]]:
    fields = ("category", "language", "model", "tenant", "group", "key", "weekday")
    single = {name: getattr(when, name) for name in fields}
    several = {f"metadata.{name}": values for name, values in when.metadata.items()}
    return {name: values for name, values in (single | several).items() if values}


def _thresholds_cover(wide: Mapping[str, Threshold], narrow: Mapping[str, Threshold]) -> bool:
    return all(name in narrow and bound.covers(narrow[name]) for name, bound in wide.items())


def _names_cover(
    wide: Mapping[str, tuple[str, ...]], narrow: Mapping[str, tuple[str, ...]]
) -> bool:
    return all(name in narrow and set(narrow[name]) <= set(names) for name, names in wide.items())
