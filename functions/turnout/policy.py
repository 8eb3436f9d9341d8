"""The policy: which model answers which kind of request. A document, checked and immutable."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
)

from turnout.chat import Need
from turnout.redaction import Kind, checked_pattern
from turnout.threshold import COMPARISON_LIST, Threshold, parse_threshold


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


ThresholdField = Annotated[
    Threshold,
    PlainValidator(parse_threshold),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "pattern": COMPARISON_LIST, "examples": [">= 0.6"]}),
]
EMBEDDINGS: Final = "embeddings"
ANY_MODEL: Final = "any"
"""As a model's id: whichever model the upstream lists first (Ollama, vLLM)."""
DEFAULT_RULE: Final = "default"
PINNED_RULE: Final = "pinned"
"""The rule on record where the caller asked for a model by its name."""
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_OneOrSeveral = BeforeValidator(_as_list, json_schema_input_type=str | tuple[str, ...])
Names = Annotated[tuple[str, ...], _OneOrSeveral, Field(min_length=1)]
AnyNames = Annotated[tuple[str, ...], _OneOrSeveral]
Needs = Annotated[
    tuple[Need, ...], BeforeValidator(_as_list, json_schema_input_type=Need | tuple[Need, ...])
]
Weekdays = Annotated[
    tuple[Weekday, ...],
    BeforeValidator(_as_list, json_schema_input_type=Weekday | tuple[Weekday, ...]),
]
Patterns = Mapping[
    Annotated[str, Field(pattern=r"^[\w -]{1,32}$")],
    Annotated[str, AfterValidator(checked_pattern)],
]
Seconds = Annotated[float, Field(gt=0, le=900)]
Attempts = Annotated[int, Field(ge=1, le=5)]
Hours = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-4]):[0-5]\d$")]


class Part(BaseModel):
    """A part of the policy document: immutable, and strict about its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Price(Part):
    """US dollars per million tokens."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached_input: float | None = Field(default=None, ge=0)


class Model(Part):
    """A model that may be routed to. `context` is in tokens, input and output together.

    Vectors of models that make embeddings can be compared where their `space` is the same; it goes by `id`
    where it is not given."""

    upstream: str = Field(min_length=1)
    id: str = Field(min_length=1)
    context: int = Field(gt=0)
    usd_per_mtok: Price
    can: Needs = ()
    region: str | None = None
    space: str | None = None

    @property
    def vectors(self) -> str:
        """The name of the space that the model's embeddings are in."""
        return self.space or self.id

    @property
    def full_id(self) -> str:
        """The catalogue id, as callers name it: `upstream/id`."""
        return f"{self.upstream}/{self.id}"


def _no_mere_name(value: object) -> object:
    if isinstance(value, str):
        raise ValueError(
            f"{value!r} is not in the catalogue of well-known models: write out upstream, id,"
            " context and usd_per_mtok"
        )
    return value


AnyModel = Annotated[Model, BeforeValidator(_no_mere_name, json_schema_input_type=str | Model)]


class When(Part):
    """Conditions of a route; all that are given must hold. `hours` and `weekday` are UTC's."""

    category: Names | None = None
    probability: Mapping[str, ThresholdField] = Field(default_factory=dict)
    difficulty: ThresholdField | None = None
    confidence: ThresholdField | None = None
    input_tokens: ThresholdField | None = None
    language: Names | None = None
    needs: Needs = ()
    model: Names | None = None
    tenant: Names | None = None
    group: Names | None = None
    key: Names | None = None
    hours: Hours | None = None
    weekday: Weekdays = ()
    metadata: Mapping[str, Names] = Field(default_factory=dict)

    @cached_property
    def given(self) -> tuple[str, ...]:
        """The names of the conditions that there are."""
        return tuple(name for name in type(self).model_fields if getattr(self, name))


class Share(Part):
    """A model and its share of a route's traffic, relative to the other weights."""

    model: str
    weight: float = Field(default=1, gt=0)


def _as_share(value: object) -> object:
    return {"model": value} if isinstance(value, str) else value


Shares = Annotated[
    tuple[Annotated[Share, BeforeValidator(_as_share, json_schema_input_type=str | Share)], ...],
    Field(min_length=1),
]


class Objective(Part):
    """How much quality and cost weigh against each other in the choice of a model."""

    quality: float = Field(ge=0)
    cost: float = Field(ge=0)


class Choice(Part):
    """Models to draw from by weight, or by an objective, and models to fall back on in their order.

    `timeout_s`, `first_chunk_s` and `attempts`, where given, take the place of the limits'. After
    `hedge_s` without a reply the next model is called beside the first, and the first to begin wins.
    """

    use: Shares
    objective: Objective | None = None
    fallback: tuple[str, ...] = ()
    timeout_s: Seconds | None = None
    first_chunk_s: Seconds | None = None
    attempts: Attempts | None = None
    hedge_s: Seconds | None = None

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
    long one attempt at a stream may take to its first content where another model can be tried;
    `attempts` is how many models are tried at most.
    """

    max_usd_per_request: float | None = Field(default=None, gt=0)
    allowed_upstreams: Names | None = None
    denied_upstreams: AnyNames = ()
    allowed_models: Names | None = None
    denied_models: AnyNames = ()
    regions: Names | None = None
    min_context: int | None = Field(default=None, gt=0)
    timeout_s: Seconds = 300
    first_chunk_s: Seconds = 60
    attempts: Attempts = 3
    expected_output_tokens: int = Field(default=512, gt=0)


class Recording(Part):
    """What is kept of a request beside its decision. `patterns` are redacted by name, beside `redact`."""

    prompts: bool = False
    redact: tuple[Kind, ...] = ()
    patterns: Patterns = Field(default_factory=dict, max_length=8)


class Policy(Part):
    """A whole policy. `version` is that of the language it is written in.

    `quality` is expected quality by model and category (`*` for any), in 0..1, for objectives.
    `shadow` names another policy whose decision is recorded beside each of this one's.
    """

    version: Literal[1]
    models: Mapping[str, AnyModel] = Field(min_length=1)
    routes: tuple[Route, ...] = ()
    default: Choice
    limits: Limits = Limits()
    quality: Mapping[str, Mapping[str, Annotated[float, Field(ge=0, le=1)]]] = Field(
        default_factory=dict
    )
    shadow: str | None = None
    record: Recording = Recording()

    def choices(self) -> Iterator[tuple[str, Choice]]:
        """Yield (path, choice) of every route and of the default."""
        yield from ((f"routes.{i}", route) for i, route in enumerate(self.routes))
        yield "default", self.default


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


def fingerprint(policy: Policy) -> str:
    """Return eight hexadecimal digits that change when anything in the policy does."""
    return hashlib.sha256(policy.model_dump_json().encode()).hexdigest()[:8]
