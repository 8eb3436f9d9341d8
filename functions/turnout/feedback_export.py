"""Feedback put to use: as rows for the classifier's training, and as a policy's quality table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from turnout.feedback import Feedback
from turnout.policy import Policy
from turnout.policy_check import ANY_CATEGORY
from turnout.record import DecisionRecord
from turnout.report import rated
from turnout.signals import EMBEDDINGS_CATEGORY, UNKNOWN_CATEGORY

_NO_CATEGORIES = (UNKNOWN_CATEGORY, EMBEDDINGS_CATEGORY)
CORRECTION = "category"
"""The feedback's label that says what kind of work the prompt really was."""


@dataclass(frozen=True, slots=True)
class Rated:
    """A decision and what its caller thought of the reply."""

    record: DecisionRecord
    feedback: Feedback


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """A prompt and the category that it is taken to be of."""

    text: str
    category: str
    source: str = "feedback"


def training_rows(judged: Iterable[Rated]) -> Iterator[TrainingRow]:
    """Yield a row for each rating whose prompt is on record and whose category somebody stands by.

    That is the caller's own correction, else the recorded category of a reply that was found good. A
    bad reply tells nothing about the category.
    """
    for each in judged:
        prompt, category = each.record.prompt, each.feedback.labels.get(CORRECTION, "")
        if not category and each.feedback.score > 0:
            category = each.record.signals.category
        if prompt and category and category not in _NO_CATEGORIES:
            yield TrainingRow(prompt, category)


def quality_table(
    judged: Iterable[Rated], policy: Policy, *, least: int
) -> dict[str, dict[str, float]]:
    """Return the share of good judgements by the policy's model names and by category, `*` for all of them.

    Shares of fewer than `least` judgements, and models that the policy does not have, are left out.
    """
    judged = list(judged)
    names = {model.full_id: name for name, model in policy.models.items()}
    qualities = rated(
        (each.record for each in judged), {each.record.id: each.feedback for each in judged}
    )
    up: Counter[tuple[str, str]] = Counter()
    n: Counter[tuple[str, str]] = Counter()
    for quality in qualities:
        if name := names.get(quality.model):
            for category in (quality.category, ANY_CATEGORY):
                up[name, category] += quality.up
                n[name, category] += quality.n
    table: dict[str, dict[str, float]] = {}
    for (name, category), judgements in sorted(n.items()):
        if judgements >= least and category not in _NO_CATEGORIES:
            table.setdefault(name, {})[category] = round(up[name, category] / judgements, 3)
    return table
