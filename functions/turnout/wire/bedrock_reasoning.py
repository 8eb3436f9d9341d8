"""How hard a model of Bedrock's is told to think: each family has its own fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from turnout.wire.claude import (
    ADAPTIVE_SINCE,
    BUDGETS,
    THINKS_SINCE,
    adaptive_thinking,
    known_effort,
    version,
)

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
_SMALLEST_BUDGET: Final = 1024
_OF_THREE: Final = {"none": "low", "minimal": "low", "xhigh": "high", "max": "high"}
"""For the models that know low, medium and high alone."""
NOVA_HIGH: Final = {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}


def reasoning_fields(
    model: str, effort: Effort, *, most_tokens: int | None, last: Mapping[str, Any], forced: bool
) -> dict[str, Any]:
    """Return the fields that tell this family of models how hard to think; most know none.

    `last` is the last turn, as Converse has it; `forced`: a tool is to be called.
    """
    claude, model = version(model), model.lower()
    if "openai." in model or "moonshot" in model:
        return {"reasoning_effort": _OF_THREE.get(effort, effort)}
    if "nova-2" in model:
        return _nova(effort, most_tokens)
    if claude >= ADAPTIVE_SINCE:
        return _adaptive(effort, claude, forced=forced)
    # Claude does not think where a tool is forced on it. With a budget it wants its earlier thoughts
    # back where it is to go on, signed, and they are not kept.
    going_on = last["role"] == "assistant" or any("toolResult" in each for each in last["content"])
    if claude < THINKS_SINCE or effort == "none" or forced or going_on:
        return {}
    return _budget(effort, most_tokens)


def _adaptive(effort: str, claude: tuple[int, int], *, forced: bool) -> dict[str, Any]:
    fields: dict[str, Any] = {"output_config": {"effort": known_effort(effort, claude)}}
    if effort == "none" or forced:
        return fields
    return fields | {"thinking": adaptive_thinking(claude)}


def _nova(effort: str, most: int | None) -> dict[str, Any]:
    if effort in ("none", "minimal"):
        return {}
    effort = _OF_THREE.get(effort, effort)
    if effort == "high":
        # At high effort Nova takes no limit; the caller's is worth more than the last of the effort.
        if not most:
            return dict(NOVA_HIGH)
        effort = "medium"
    return {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": effort}}


def _budget(effort: str, most: int | None) -> dict[str, Any]:
    """Return the tokens to think with. They count towards the most that the caller allows, half of
    which is left for the answer."""
    budget = min(BUDGETS[effort], most // 2) if most else BUDGETS[effort]
    if budget < _SMALLEST_BUDGET:
        return {}
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}
