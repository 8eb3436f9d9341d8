"""A report told: as JSON values, and as tables for the terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final

from turnout.report import Part, Quality, Report
from turnout.table_text import table

_HEAD: Final = ("requests", "input", "output", "cost", "saved", "fallbacks", "failed")
_QUALITY_HEAD: Final = ("category", "model", "good", "of", "share", "95 % interval")
_MOST_ROWS: Final = 20


def as_json(report: Report) -> dict[str, Any]:
    """Return the report as JSON values."""
    return asdict(report)


def as_text(report: Report) -> str:
    """Return the report for the terminal; of each way to divide it, the dearest."""
    return "\n".join(_lines(report))


def title(report: Report) -> str:
    """Return what the report is on."""
    first, last = (
        time.strftime("%Y-%m-%d %H:%M", time.gmtime(at)) for at in (report.since, report.until)
    )
    return f"Turnout from {first} to {last} UTC"


def divisions(report: Report) -> Iterator[tuple[str, Sequence[Part]]]:
    """Yield every way in which the report is divided, and its parts, where there are any."""
    for name, parts in (
        ("day", report.by_day),
        ("category", report.by_category),
        ("model", report.by_model),
        ("key", report.by_key),
        ("tag", report.by_tag),
    ):
        if parts:
            yield name, parts


def remarks(report: Report) -> Iterator[str]:
    """Yield what the figures rest on: the comparison's assumption, and what was left out."""
    baseline = report.baseline
    if baseline.compared:
        yield f"strongest: {baseline.model}; assumed: {baseline.assumption}"
    if baseline.left_out:
        yield f"{baseline.left_out:,} requests left out of that: their policy's version is not known"
    if not report.complete:
        yield "not every record of the span was read: the earliest are left out"


def usd(amount: float) -> str:
    """Return an amount down to a millionth of a dollar, of which single requests cost a few."""
    return f"{'-' if amount < 0 else ''}${abs(amount):,.6f}"


def saved_share(report: Report) -> str:
    """Return how much of the comparison's cost was saved, or "" where it would have cost nothing."""
    of = report.baseline.usd
    return f"{report.totals.saved_usd / of:.0%}" if of else ""


def figures_of(part: Part) -> tuple[str, ...]:
    """Return a part's figures in the order of the tables' columns."""
    return (
        f"{part.requests:,}",
        f"{part.input_tokens:,}",
        f"{part.output_tokens:,}",
        usd(part.cost_usd),
        usd(part.saved_usd),
        f"{part.fallbacks:,}",
        f"{part.failed:,}",
    )


def _lines(report: Report) -> Iterator[str]:
    yield title(report)
    yield from _facts(report)
    yield from remarks(report)
    for name, parts in divisions(report):
        yield ""
        rows = [(part.name, *figures_of(part)) for part in parts[:_MOST_ROWS]]
        yield from table((name, *_HEAD), rows)
        if len(parts) > _MOST_ROWS:
            yield f"and {len(parts) - _MOST_ROWS:,} more"
    if report.quality:
        yield ""
        yield from table(_QUALITY_HEAD, [_quality_row(quality) for quality in report.quality])


def _facts(report: Report) -> Iterator[str]:
    total, baseline = report.totals, report.baseline
    yield (
        f"{total.requests:,} requests, {total.input_tokens:,} tokens in, {total.output_tokens:,} out,"
        f" {usd(total.cost_usd)}; {total.fallbacks:,} fallbacks, {total.failed:,} failed"
    )
    if total.ttfb_ms.p50 is not None and total.ttfb_ms.p95 is not None:
        yield (
            f"time to first byte: {total.ttfb_ms.p50:,.0f} ms in half of the requests,"
            f" {total.ttfb_ms.p95:,.0f} ms in 95 %"
        )
    if baseline.compared:
        share = saved_share(report)
        yield (
            f"saved {usd(total.saved_usd)} of {usd(baseline.usd)}{f' ({share})' if share else ''}"
            " against always using the strongest model"
        )


def _quality_row(quality: Quality) -> tuple[str, ...]:
    return (
        quality.category,
        quality.model,
        f"{quality.up:,}",
        f"{quality.n:,}",
        f"{quality.share:.0%}",
        f"{quality.low:.0%} to {quality.high:.0%}",
    )
