"""A decision on the terminal: category bars, and a table of the candidates; or a session of them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from turnout.decision import Candidate, Chosen
from turnout.explanation import Explanation, RuleTried
from turnout.record import DecisionRecord
from turnout.session import Session
from turnout.table_text import table

BAR_WIDTH: Final = 30
MOST_BARS: Final = 5


def render_decision(record: DecisionRecord) -> str:
    """Return the decision as lines of text."""
    return "\n".join(_lines(record))


def render_explanation(explanation: Explanation) -> str:
    """Return the rules tried, with each condition, and what came of them, as lines of text."""
    return "\n".join(_explained(explanation))


def render_session(session: Session) -> str:
    """Return the session's requests in order, and what they cost, as lines of text."""
    return "\n".join(_in_order(session))


def _in_order(session: Session) -> Iterator[str]:
    yield from table(
        ("at (UTC)", "decision", "category", "model", "cost", "outcome"),
        [
            (
                time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(record.created)),
                record.id,
                record.signals.category,
                record.answered_by,
                "-" if record.cost_usd is None else f"${record.cost_usd:.6f}",
                record.outcome,
            )
            for record in session.records
        ],
    )
    yield ""
    yield f"{len(session.records)} requests, ${session.cost_usd:.6f}"
    if not session.complete:
        yield "there may be earlier ones: no more records were read"


def _explained(explanation: Explanation) -> Iterator[str]:
    for rule in explanation.rules:
        yield f"{rule.name}: {_fate(rule)}"
        for condition in rule.conditions:
            yield f"  {'yes' if condition.holds else 'no ':<3}  {condition}"
    yield ""
    yield from _choice(explanation.candidates, explanation.chosen)
    agrees = "as on record" if explanation.agrees else "NOT as on record"
    yield f"policy {explanation.policy}   seed {explanation.seed}   {agrees}"


def _lines(record: DecisionRecord) -> Iterator[str]:
    signals = record.signals
    yield from _bars(signals.categories)
    yield ""
    needs = ", ".join(signals.needs) or "nothing special"
    yield (
        f"difficulty {signals.difficulty:.2f}   confidence {signals.confidence:.2f}"
        f"   {signals.input_tokens} input tokens   language {signals.language}   needs {needs}"
    )
    yield ""
    yield from _choice(record.candidates, record.chosen)
    yield f"policy {record.policy}   classifier {record.classifier.version}   seed {record.seed}"


def _fate(rule: RuleTried) -> str:
    if not rule.reached:
        return "not reached"
    return "matched" if rule.matched else "not matched"


def _choice(candidates: Sequence[Candidate], chosen: Chosen | None) -> Iterator[str]:
    yield from table(
        ("", "model", "estimated", "why"),
        [
            (
                "->" if chosen and candidate.model == chosen.model else "",
                candidate.model,
                f"${candidate.estimated_cost_usd:.6f}",
                "; ".join(candidate.reasons) or "eligible",
            )
            for candidate in candidates
        ],
    )
    yield ""
    if chosen:
        yield f"{chosen.model} by rule {chosen.rule}: {chosen.reason}"
    else:
        yield "no model may answer this request"


def _bars(categories: Mapping[str, float]) -> Iterator[str]:
    if not categories:
        yield "the classifier could not be used"
    likeliest = sorted(categories.items(), key=lambda item: -item[1])[:MOST_BARS]
    width = max((len(name) for name, _ in likeliest), default=0)
    for name, probability in likeliest:
        bar = "█" * round(probability * BAR_WIDTH)
        yield f"{name:<{width}}  {bar:<{BAR_WIDTH}}  {probability:.2f}"
