"""A decision on the terminal: category bars, and a table of the candidates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from turnout.record import DecisionRecord

BAR_WIDTH: Final = 30
MOST_BARS: Final = 5


def render_decision(record: DecisionRecord) -> str:
    """Return the decision as lines of text."""
    return "\n".join(_lines(record))


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
    yield from _table(
        ("", "model", "estimated", "why"),
        [
            (
                "->" if record.chosen and candidate.model == record.chosen.model else "",
                candidate.model,
                f"${candidate.estimated_cost_usd:.6f}",
                "; ".join(candidate.reasons) or "eligible",
            )
            for candidate in record.candidates
        ],
    )
    yield ""
    if record.chosen:
        yield f"{record.chosen.model} by rule {record.chosen.rule}: {record.chosen.reason}"
    else:
        yield "no model may answer this request"
    yield f"policy {record.policy}   classifier {record.classifier.version}   seed {record.seed}"


def _bars(categories: Mapping[str, float]) -> Iterator[str]:
    if not categories:
        yield "the classifier could not be used"
    likeliest = sorted(categories.items(), key=lambda item: -item[1])[:MOST_BARS]
    width = max((len(name) for name, _ in likeliest), default=0)
    for name, probability in likeliest:
        bar = "█" * round(probability * BAR_WIDTH)
        yield f"{name:<{width}}  {bar:<{BAR_WIDTH}}  {probability:.2f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        yield "  ".join(
            f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)
        ).rstrip()
