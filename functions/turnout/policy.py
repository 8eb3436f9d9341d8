"""The policy: which model answers which kind of request. A document, checked and immutable."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
)

from turnout.chat import Need
from turnout.errors import PolicyError, Problem

_COMPARISON: Final = re.compile(r"\s*(>=|<=|>|<|==)\s*(-?\d+(?:\.\d+)?)\s*")
_COMPARISON_LIST: Final = (
    r"^\s*(>=|<=|>|<|==)\s*-?\d+(\.\d+)?(\s*,\s*(>=|<=|>|<|==)\s*-?\d+(\.\d+)?)*\s*$"
)


@dataclass(frozen=True, slots=True)
class Threshold:
    """A range of numbers, written as comparisons that must all hold: `>= 0.6` or `> 100, <= 4000`."""

    text: str
    comparisons: tuple[tuple[str, float], ...]

    def holds(self, value: float) -> bool:
        return all(_compare(value, operator, bound) for operator, bound in self.comparisons)

    def __str__(self) -> str:
        return self.text


def _compare(value: float, operator: str, bound: float) -> bool:
    match operator:
        case ">=":
            return value >= bound
        case "<=":
            return value <= bound
        case ">":
            return value > bound
        case "<":
            return value < bound
        case _:
            return value == bound


def parse_threshold(value: object) -> Threshold:
    """Return the threshold that `value` writes. Raises ValueError with an example of one."""
    if isinstance(value, Threshold):
        return value
    parts = [_COMPARISON.fullmatch(part) for part in str(value).split(",")]
    if not isinstance(value, str) or not all(parts):
        raise ValueError('write a comparison such as ">= 0.6" or "> 100, <= 4000"')
    comparisons = tuple((part[1], float(part[2])) for part in parts if part)
    return Threshold(text=value.strip(), comparisons=comparisons)


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


ThresholdField = Annotated[
    Threshold,
    PlainValidator(parse_threshold),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "pattern": _COMPARISON_LIST, "examples": [">= 0.6"]}),
]
Names = Annotated[tuple[str, ...], BeforeValidator(_as_list), Field(min_length=1)]
Needs = Annotated[tuple[Need, ...], BeforeValidator(_as_list)]


class Part(BaseModel):
    """A part of the policy document: immutable, and strict about its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Price(Part):
    """US dollars per million tokens."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached_input: float | None = Field(default=None, ge=0)


class Model(Part):
    """A model that may be routed to. `context` is in tokens, input and output together."""

    upstream: str = Field(min_length=1)
    id: str = Field(min_length=1)
    context: int = Field(gt=0)
    usd_per_mtok: Price
    can: Needs = ()

    @property
    def full_id(self) -> str:
        """The catalogue id, as callers name it: `upstream/id`."""
        return f"{self.upstream}/{self.id}"


class When(Part):
    """Conditions of a route; all that are given must hold."""

    category: Names | None = None
    difficulty: ThresholdField | None = None
    confidence: ThresholdField | None = None
    input_tokens: ThresholdField | None = None
    language: Names | None = None
    needs: Needs = ()
    tenant: Names | None = None
    metadata: Mapping[str, Names] = Field(default_factory=dict)


class Share(Part):
    """A model and its share of a route's traffic, relative to the other weights."""

    model: str
    weight: float = Field(default=1, gt=0)


def _as_share(value: object) -> object:
    return {"model": value} if isinstance(value, str) else value


Shares = Annotated[tuple[Annotated[Share, BeforeValidator(_as_share)], ...], Field(min_length=1)]


class Choice(Part):
    """Models to draw from by weight, and models to fall back on in their order."""

    use: Shares
    fallback: tuple[str, ...] = ()

    def model_names(self) -> Iterator[tuple[str, str]]:
        """Yield (path, model name) for every model named here."""
        yield from ((f"use.{i}", share.model) for i, share in enumerate(self.use))
        yield from ((f"fallback.{i}", name) for i, name in enumerate(self.fallback))


class Route(Choice):
    """A choice for the requests that meet its conditions."""

    name: str = Field(min_length=1)
    when: When


class Limits(Part):
    """Bounds that hold whatever the route.

    `timeout_s` covers a request with all its attempts and its whole stream; `first_chunk_s` is how
    long one attempt at a stream may take to its first content before the next model is tried.
    """

    max_usd_per_request: float | None = Field(default=None, gt=0)
    allowed_upstreams: Names | None = None
    timeout_s: float = Field(default=300, gt=0, le=900)
    first_chunk_s: float = Field(default=60, gt=0, le=900)
    expected_output_tokens: int = Field(default=512, gt=0)


class Recording(Part):
    """What is kept of a request beside its decision."""

    prompts: bool = False


class Policy(Part):
    """A whole policy. `version` is that of the language it is written in."""

    version: Literal[1]
    models: Mapping[str, Model] = Field(min_length=1)
    routes: tuple[Route, ...] = ()
    default: Choice
    limits: Limits = Limits()
    record: Recording = Recording()


@dataclass(frozen=True, slots=True)
class PolicyRef:
    """Which version of which policy."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True)
class ActivePolicy:
    """A policy in use, under the name and version that its decisions carry."""

    ref: PolicyRef
    policy: Policy


def parse_policy(document: object, *, categories: Collection[str] | None = None) -> Policy:
    """Return the policy that `document` (parsed YAML or JSON) describes.

    `categories` are those the classifier knows; None leaves category names unchecked.
    Raises PolicyError with every problem and its path.
    """
    try:
        policy = Policy.model_validate(document)
    except ValidationError as error:
        raise PolicyError([_problem(detail) for detail in error.errors()]) from None
    problems = [*_name_problems(policy), *_category_problems(policy, categories)]
    if problems:
        raise PolicyError(problems)
    return policy


def fingerprint(policy: Policy) -> str:
    """Return eight hexadecimal digits that change when anything in the policy does."""
    return hashlib.sha256(policy.model_dump_json().encode()).hexdigest()[:8]


def _name_problems(policy: Policy) -> Iterator[Problem]:
    choices: list[tuple[str, Choice]] = [
        *((f"routes.{i}", route) for i, route in enumerate(policy.routes)),
        ("default", policy.default),
    ]
    for place, choice in choices:
        for path, name in choice.model_names():
            if name not in policy.models:
                yield Problem(
                    f"{place}.{path}", f"no model named {name!r}{_nearest(name, policy.models)}"
                )
    seen: set[str] = set()
    for i, route in enumerate(policy.routes):
        if route.name in seen:
            yield Problem(f"routes.{i}.name", f"a second route named {route.name!r}")
        seen.add(route.name)


def _category_problems(policy: Policy, categories: Collection[str] | None) -> Iterator[Problem]:
    if categories is None:
        return
    for i, route in enumerate(policy.routes):
        for j, name in enumerate(route.when.category or ()):
            if name not in categories:
                known = ", ".join(categories)
                hint = _nearest(name, categories)
                yield Problem(
                    f"routes.{i}.when.category.{j}",
                    f"unknown category {name!r}{hint} (known: {known})",
                )


def _nearest(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _problem(detail: Any) -> Problem:
    path = ".".join(str(step) for step in detail["loc"])
    if detail["type"] == "extra_forbidden":
        name = str(detail["loc"][-1])
        return Problem(path, f"unknown key{_nearest(name, _all_keys())}")
    message = detail["msg"].removeprefix("Value error, ")
    return Problem(path, message[0].lower() + message[1:])


def _all_keys() -> set[str]:
    parts = (Price, Model, When, Share, Route, Limits, Recording, Policy)
    return {key for part in parts for key in part.model_fields}
