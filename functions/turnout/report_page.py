"""A report as a page with charts that needs nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from turnout.charts import Bar, columns, interval, share_bar
from turnout.html_page import Cell, Drawn, Figure, drawings, html_table, page
from turnout.report import Part, Percentiles, Quality, Report
from turnout.report_view import divisions, figures_of, remarks, saved_share, title, usd

_DAY_S: Final = 86400
_HEAD: Final = ("Cost", "Saved", "Requests", "Tokens in", "Tokens out", "Fallbacks", "Failed")
_QUALITY_HEAD: Final = ("Category", "Model", "95 % interval", "Good", "Share")


def as_html(report: Report) -> str:
    """Return a page with the days drawn, and a table of each way to divide the report."""
    told = (f"{remark[0].upper()}{remark[1:]}." for remark in remarks(report))
    return page(title(report), told, _sections(report), _figures(report))


def _figures(report: Report) -> Iterator[Figure]:
    total, baseline = report.totals, report.baseline
    yield Figure("Requests", f"{total.requests:,}", f"{total.failed:,} failed")
    yield Figure(
        "Tokens",
        f"{total.input_tokens + total.output_tokens:,}",
        f"{total.input_tokens:,} in, {total.output_tokens:,} out",
    )
    yield Figure("Spent", _dollars(total.cost_usd))
    if baseline.compared:
        share = saved_share(report)
        yield Figure(
            "Saved",
            _dollars(total.saved_usd),
            f"{share} of {_dollars(baseline.usd)} for the strongest model" if share else "",
        )
    yield Figure("Fallbacks", f"{total.fallbacks:,}", "calls after a request's first")
    p50, p95 = total.ttfb_ms.p50, total.ttfb_ms.p95
    if p50 is not None and p95 is not None:
        yield Figure("First byte", f"{p50:,.0f} ms", f"median; 95 % within {p95:,.0f} ms")


def _sections(report: Report) -> Iterator[tuple[str, str]]:
    for name, parts in divisions(report):
        heading = f"By {name}"
        if name == "day":
            yield f"{heading} (UTC)", drawings(_days(report)) + _table(heading, name, parts)
        else:
            yield heading, _table(heading, name, parts)
    if report.quality:
        heading = "Good replies, by what callers said"
        rows = map(_quality_row, report.quality)
        yield heading, html_table(heading, _QUALITY_HEAD, rows, words=3)


def _days(report: Report) -> Iterator[tuple[str, str]]:
    days = _without_gaps(report)
    drawn: Sequence[tuple[str, Callable[[Part], float], Callable[[float], str]]] = (
        ("Requests", lambda day: day.requests, "{:,}".format),
        ("Cost", lambda day: day.cost_usd, _dollars),
        ("Fallbacks", lambda day: day.fallbacks, "{:,}".format),
        (
            "First byte, within which 95 % came",
            lambda day: day.ttfb_ms.p95 or 0,
            "{:,.0f} ms".format,
        ),
    )
    for caption, size, told in drawn:
        bars = [Bar(_short(day.name), size(day), told(size(day))) for day in days]
        yield caption, columns(bars)


def _without_gaps(report: Report) -> list[Part]:
    """Return every day of the span, also those on which nothing was asked: time is drawn to scale."""
    known = {day.name: day for day in report.by_day}
    first, last = int(report.since // _DAY_S), int((report.until - 1) // _DAY_S)
    names = [time.strftime("%Y-%m-%d", time.gmtime(day * _DAY_S)) for day in range(first, last + 1)]
    return [known.get(name) or _nothing(name) for name in names]


def _nothing(day: str) -> Part:
    return Part(day, 0, 0, 0, 0.0, 0.0, 0, 0, Percentiles(None, None))


def _short(day: str) -> str:
    return time.strftime("%b %d", time.strptime(day, "%Y-%m-%d")).replace(" 0", " ")


def _table(heading: str, name: str, parts: Sequence[Part]) -> str:
    """Return the parts with their figures; the bar of each is its share of the dearest's cost."""
    most = max(part.cost_usd for part in parts) or 1.0
    rows = (_row(_spoken(name, part.name), part, most) for part in parts)
    return html_table(heading, (name.capitalize(), *_HEAD), rows)


def _row(name: str, part: Part, most: float) -> tuple[Cell, ...]:
    """Return a part's row, what it cost before the rest: that is what its bar shows."""
    requests, tokens_in, tokens_out, cost, saved, fallbacks, failed = figures_of(part)
    drawn = Drawn(name, share_bar(part.cost_usd / most))
    return drawn, cost, saved, requests, tokens_in, tokens_out, fallbacks, failed


def _spoken(division: str, name: str) -> str:
    return name.replace("_", " ") if division == "category" else name


def _quality_row(quality: Quality) -> tuple[Cell, ...]:
    told = f"{quality.low:.0%} to {quality.high:.0%}"
    return (
        _spoken("category", quality.category),
        quality.model,
        Drawn(told, interval(quality.low, quality.share, quality.high)),
        f"{quality.up:,} of {quality.n:,}",
        f"{quality.share:.0%}",
    )


def _dollars(amount: float) -> str:
    """Return an amount to cents, of less than a dollar to three digits."""
    if abs(amount) >= 1 or not amount:
        return f"{'-' if amount < 0 else ''}${abs(amount):,.2f}"
    digits = f"{abs(amount):.3g}"
    return f"{'-' if amount < 0 else ''}${digits}" if "e" not in digits else usd(amount)
