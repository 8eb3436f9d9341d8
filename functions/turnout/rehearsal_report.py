"""A rehearsal told: as JSON values, as a table for the terminal, and as a page that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, Final

from turnout.html_page import drawing, html_table, page
from turnout.policy import PolicyRef
from turnout.rehearsal import Part, Rehearsal
from turnout.sankey import sankey
from turnout.table_text import table

_MOST_FLOWS: Final = 20


def as_json(rehearsal: Rehearsal, policy: PolicyRef) -> dict[str, Any]:
    """Return the rehearsal as JSON values; flows and rules are lists of from, to, decisions."""
    return {
        "policy": asdict(policy),
        "total": asdict(rehearsal.total),
        "categories": {name: asdict(part) for name, part in rehearsal.categories.items()},
        "flows": _pairs(rehearsal.flows),
        "rules": _pairs(rehearsal.rules),
        "measured": rehearsal.measured,
        "refused_before": rehearsal.refused_before,
        "refused_after": rehearsal.refused_after,
        "other_policies": rehearsal.other_policies,
    }


def as_text(rehearsal: Rehearsal, policy: PolicyRef) -> str:
    """Return the rehearsal for the terminal."""
    return "\n".join(_lines(rehearsal, policy))


def as_html(rehearsal: Rehearsal, policy: PolicyRef) -> str:
    """Return a page with the flows drawn, and the tables, without scripts and without addresses."""
    return page(
        f"Rehearsal of {policy}",
        _facts(rehearsal),
        [
            (
                "Where requests go: before on the left, after on the right",
                drawing(sankey(rehearsal.flows)),
            ),
            (
                "By category",
                html_table("By category", _CATEGORY_HEAD, _category_rows(rehearsal)),
            ),
            ("By model", html_table("By model", _FLOW_HEAD, _flow_rows(rehearsal.flows), words=2)),
            ("By rule", html_table("By rule", _RULE_HEAD, _flow_rows(rehearsal.rules), words=2)),
        ],
    )


_CATEGORY_HEAD: Final = ("category", "decisions", "move", "before", "after", "change")
_FLOW_HEAD: Final = ("from model", "to model", "decisions")
_RULE_HEAD: Final = ("from rule", "to rule", "decisions")


def _lines(rehearsal: Rehearsal, policy: PolicyRef) -> Iterator[str]:
    yield f"{policy} on recorded traffic"
    yield from _facts(rehearsal)
    yield ""
    yield from table(_CATEGORY_HEAD, list(_category_rows(rehearsal)))
    moved = {pair: count for pair, count in rehearsal.flows.items() if pair[0] != pair[1]}
    if moved:
        yield ""
        yield from table(_FLOW_HEAD, list(_flow_rows(moved))[:_MOST_FLOWS])


def _facts(rehearsal: Rehearsal) -> Iterator[str]:
    total = rehearsal.total
    yield f"{total.decisions:,} decisions, of which {total.moved:,} move ({_share(total)})"
    yield (
        f"cost ${total.usd_before:,.4f} before, ${total.usd_after:,.4f} after ({_change(total)});"
        f" {rehearsal.measured:,} at measured tokens, the rest at estimates"
    )
    if rehearsal.refused_before or rehearsal.refused_after:
        yield f"refused: {rehearsal.refused_before:,} before, {rehearsal.refused_after:,} after"
    if rehearsal.other_policies:
        yield f"{rehearsal.other_policies:,} decisions of other policies left out"


def _category_rows(rehearsal: Rehearsal) -> Iterator[tuple[str, ...]]:
    parts = sorted(rehearsal.categories.items(), key=lambda item: -item[1].decisions)
    for name, part in [*parts, ("all", rehearsal.total)]:
        yield (
            name,
            f"{part.decisions:,}",
            _share(part),
            f"${part.usd_before:,.4f}",
            f"${part.usd_after:,.4f}",
            _change(part),
        )


def _flow_rows(flows: Mapping[tuple[str, str], int]) -> Iterator[tuple[str, str, str]]:
    for (before, after), count in sorted(flows.items(), key=lambda item: (-item[1], item[0])):
        yield before, after, f"{count:,}"


def _pairs(flows: Mapping[tuple[str, str], int]) -> list[dict[str, Any]]:
    ordered = sorted(flows.items(), key=lambda item: (-item[1], item[0]))
    return [{"from": before, "to": after, "decisions": count} for (before, after), count in ordered]


def _share(part: Part) -> str:
    return f"{part.moved / part.decisions:.1%}" if part.decisions else "-"


def _change(part: Part) -> str:
    if part.usd_before == 0:
        return "-" if part.usd_after == 0 else "from nothing"
    return f"{part.usd_after / part.usd_before - 1:+.1%}"
