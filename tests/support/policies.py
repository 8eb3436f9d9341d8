"""Small policies and signals for tests."""

from __future__ import annotations

from typing import Any

from turnout.policy import ActivePolicy, PolicyRef
from turnout.policy_check import parse_policy
from turnout.signals import Signals

ALL_NEEDS = ["tools", "images", "json_schema", "reasoning", "audio"]


def model(upstream: str = "mock", id: str = "ok", **changes: Any) -> dict[str, Any]:  # noqa: A002
    """Return a model of a policy document that can do everything, at $1 in and $2 out."""
    return {
        "upstream": upstream,
        "id": id,
        "context": 100_000,
        "usd_per_mtok": {"input": 1, "output": 2},
        "can": ALL_NEEDS,
        **changes,
    }


def document(**changes: Any) -> dict[str, Any]:
    """Return a policy document with models `small` and `large`, the default using `small`."""
    return {
        "version": 1,
        "models": {"small": model(id="small"), "large": model(id="large")},
        "default": {"use": ["small"]},
        **changes,
    }


def active(document: dict[str, Any], *, name: str = "test", version: str = "1") -> ActivePolicy:
    return ActivePolicy(PolicyRef(name, version), parse_policy(document))


def signals(**changes: Any) -> Signals:
    """Return the signals of an ordinary coding question."""
    values: dict[str, Any] = {
        "category": "coding",
        "confidence": 0.9,
        "categories": {"coding": 0.9, "math": 0.1},
        "difficulty": 0.4,
        "input_tokens": 100,
        "language": "en",
        "upstreams": ("mock",),
        **changes,
    }
    return Signals(**values)
