"""A report told: as JSON values, as tables for the terminal, and as a page that needs nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final

from turnout.charts import Bar, Interval, bars, columns, intervals
from turnout.html_page import figure, html_table, page
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


def as_html(report: Report) -> str:
    """Return a page with charts and tables."""
    return page(_title(report), _facts(report), _sections(report))


def _sections(report: Report) -> Iterator[tuple[str, str]]:
    spent = [Bar(day.name, day.cost_usd, _usd(day.cost_usd)) for day in report.by_day]
    asked = [Bar(day.name, day.requests, f"{day.requests:,}") for day in report.by_day]
    yield "Cost by day (UTC)", figure(columns(spent))
    yield "Requests by day (UTC)", figure(columns(asked))
    for name, parts in _divisions(report):
        drawn = [Bar(part.name, part.cost_usd, _usd(part.cost_usd)) for part in parts[:_MOST_ROWS]]
        rows = html_table((name, *_HEAD), map(_row, parts))
        yield f"Cost by {name}", (figure(bars(drawn)) if name != "day" else "") + rows
    if report.quality:
        dots = [
            Interval(f"{q.category}, {q.model}", q.share, q.low, q.high, f"{q.up} of {q.n}")
            for q in report.quality
        ]
        rows = html_table(_QUALITY_HEAD, map(_quality_row, report.quality))
        yield "Good replies, by what callers said", figure(intervals(dots)) + rows


def _lines(report: Report) -> Iterator[str]:
    yield _title(report)
    yield from _facts(report)
    for name, parts in _divisions(report):
        yield ""
        yield from table((name, *_HEAD), [_row(part) for part in parts[:_MOST_ROWS]])
        if len(parts) > _MOST_ROWS:
            yield f"and {len(parts) - _MOST_ROWS:,} more"
    if report.quality:
        yield ""
        yield from table(_QUALITY_HEAD, [_quality_row(quality) for quality in report.quality])


def _divisions(report: Report) -> Iterator[tuple[str, Sequence[Part]]]:
    for name, parts in (
        ("day", report.by_day),
        ("category", report.by_category),
        ("model", report.by_model),
        ("key", report.by_key),
        ("tag", report.by_tag),
    ):
        if parts:
            yield name, parts


def _title(report: Report) -> str:
    first, last = (
        time.strftime("%Y-%m-%d %H:%M", time.gmtime(at)) for at in (report.since, report.until)
    )
    return f"Turnout from {first} to {last} UTC"


def _facts(report: Report) -> Iterator[str]:
    total, baseline = report.totals, report.baseline
    yield (
        f"{total.requests:,} requests, {total.input_tokens:,} tokens in, {total.output_tokens:,} out,"
        f" {_usd(total.cost_usd)}; {total.fallbacks:,} fallbacks, {total.failed:,} failed"
    )
    if total.ttfb_ms.p50 is not None and total.ttfb_ms.p95 is not None:
        yield (
            f"time to first byte: {total.ttfb_ms.p50:,.0f} ms in half of the requests,"
            f" {total.ttfb_ms.p95:,.0f} ms in 95 %"
        )
    if baseline.compared:
        yield (
            f"saved {_usd(total.saved_usd)} of {_usd(baseline.usd)} against {baseline.model},"
            f" if {baseline.assumption}"
        )
    if baseline.left_out:
        yield f"{baseline.left_out:,} requests left out of that: their policy's version is not known"
    if not report.complete:
        yield "not every record of the span was read: the earliest are left out"


def _row(part: Part) -> tuple[str, ...]:
    return (
        part.name,
        f"{part.requests:,}",
        f"{part.input_tokens:,}",
        f"{part.output_tokens:,}",
        _usd(part.cost_usd),
        _usd(part.saved_usd),
        f"{part.fallbacks:,}",
        f"{part.failed:,}",
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


def _usd(amount: float) -> str:
    return f"{'-' if amount < 0 else ''}${abs(amount):,.6f}"
