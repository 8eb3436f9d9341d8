"""Any valid policy document, and any signals, for property tests."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from turnout.signals import Signals

CATEGORIES = ("coding", "math", "planning")
LANGUAGES = ("en", "de", "zh")
NEEDS = ("tools", "images", "json_schema", "reasoning", "audio")
UPSTREAMS = ("mock", "other")
NAMES = ("small", "middle", "large")
TEAMS = ("x", "y")

_needs = st.lists(st.sampled_from(NEEDS), max_size=2, unique=True)
_fraction = st.floats(0, 1).map(lambda value: round(value, 2))


def _some(values: tuple[str, ...]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True)


def _optional(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


_threshold = st.builds(
    lambda operator, bound: f"{operator} {bound}",
    st.sampled_from([">=", ">", "<=", "<"]),
    st.sampled_from(["0.2", "0.5", "0.8"]),
)
_models = st.fixed_dictionaries(
    {
        name: st.fixed_dictionaries(
            {
                "upstream": st.sampled_from(UPSTREAMS),
                "id": st.just(name),
                "context": st.sampled_from([100, 4_000, 200_000]),
                "usd_per_mtok": st.fixed_dictionaries(
                    {"input": st.sampled_from([0, 1, 50]), "output": st.sampled_from([0, 2, 90])}
                ),
                "can": _needs,
            },
            optional={"region": st.sampled_from(["eu", "us"])},
        )
        for name in NAMES
    }
)
_when = _optional(
    {
        "category": _some(CATEGORIES),
        "probability": st.dictionaries(st.sampled_from(CATEGORIES), _threshold, max_size=1),
        "difficulty": _threshold,
        "confidence": _threshold,
        "input_tokens": st.sampled_from(["< 100", ">= 100, < 3000"]),
        "language": _some(LANGUAGES),
        "needs": _needs,
        "model": _some(("auto", "policy/p")),
        "tenant": _some(("acme", "local")),
        "group": _some(("red", "blue")),
        "hours": st.sampled_from(["08:00-18:00", "22:00-06:00"]),
        "weekday": _some(("mon", "sat", "sun")),
        "metadata": st.fixed_dictionaries({"team": _some(TEAMS)}),
    }
)
_shares = st.lists(
    st.fixed_dictionaries(
        {"model": st.sampled_from(NAMES), "weight": st.sampled_from([1, 3, 0.5])}
    ),
    min_size=1,
    max_size=3,
)
_choice = st.fixed_dictionaries(
    {"use": _shares, "fallback": st.lists(st.sampled_from(NAMES), max_size=2)},
    optional={"objective": st.fixed_dictionaries({"quality": _fraction, "cost": _fraction})},
)
_limits = _optional(
    {
        "max_usd_per_request": st.sampled_from([0.0001, 0.01, 1]),
        "allowed_upstreams": _some(UPSTREAMS),
        "denied_upstreams": st.lists(st.sampled_from(UPSTREAMS), max_size=1),
        "allowed_models": _some((*NAMES, "mock/small")),
        "denied_models": st.lists(st.sampled_from((*NAMES, "other/large")), max_size=1),
        "regions": _some(("eu", "us")),
        "min_context": st.sampled_from([1_000, 100_000]),
        "expected_output_tokens": st.sampled_from([1, 512]),
    }
)
_quality = st.fixed_dictionaries(
    {
        name: st.fixed_dictionaries({"*": _fraction}, optional={"coding": _fraction})
        for name in NAMES
    }
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a policy document of the right shape; its routes may hide one another."""
    routes = draw(st.lists(st.tuples(_when, _choice), max_size=3))
    return {
        "version": 1,
        "models": draw(_models),
        "routes": [
            {"name": f"r{i}", "when": when, **choice} for i, (when, choice) in enumerate(routes)
        ],
        "default": draw(_choice),
        "limits": draw(_limits),
        "quality": draw(_quality),
    }


def all_signals() -> st.SearchStrategy[Signals]:
    """Draw signals that the policies' conditions and limits can meet or miss."""
    return st.builds(
        _signals,
        likely=st.permutations([0.7, 0.2, 0.1]),
        difficulty=_fraction,
        input_tokens=st.sampled_from([1, 99, 100, 5_000]),
        language=st.sampled_from(LANGUAGES),
        needs=_needs,
        model=st.sampled_from(["auto", "auto", "policy/p", "small", "other/large"]),
        max_output_tokens=st.sampled_from([None, 10, 100_000]),
        tenant=st.sampled_from(["acme", "local"]),
        group=st.sampled_from(["", "red"]),
        approved_models=st.sampled_from([None, ("small",), ("mock/middle", "large"), ()]),
        metadata=st.sampled_from([{}, {"team": "x"}]),
        upstreams=st.sampled_from([("mock",), ("mock", "other"), ()]),
        at=st.sampled_from([1_795_000_000.0, 1_795_030_000.0, 1_795_100_000.5]),
    )


def _signals(likely: list[float], needs: list[str], **values: Any) -> Signals:
    categories = dict(zip(CATEGORIES, likely, strict=True))
    category = max(categories, key=lambda name: categories[name])
    return Signals(
        category=category, confidence=0.7, categories=categories, needs=tuple(needs), **values
    )
