"""A page of HTML that needs nothing else: no scripts, no addresses, tables and drawings in one file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final


def page(title: str, facts: Iterable[str], sections: Iterable[tuple[str, str]]) -> str:
    """Return the page. Title, facts and the sections' headings are text; their bodies are HTML."""
    return _PAGE.format(
        title=escape(title),
        facts="".join(f"<li>{escape(fact)}</li>" for fact in facts),
        sections="\n".join(f"<h2>{escape(heading)}</h2>\n{body}" for heading, body in sections),
    )


def figure(drawing: str) -> str:
    """Return a drawing that scrolls on narrow screens."""
    return f"<figure>{drawing}</figure>"


def html_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of text."""
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


_PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --line: #8884; --quiet: #8886; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.5rem }} h2 {{ font-size: 1.1rem; margin-top: 2.5rem }}
ul {{ padding-left: 1.2rem }}
table {{ border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }}
th, td {{ text-align: right; padding: .3rem .6rem; border-bottom: 1px solid var(--line) }}
th:first-child, td:first-child {{ text-align: left }}
figure {{ margin: 1rem 0; overflow-x: auto }} svg {{ width: 100%; height: auto; min-width: 36rem }}
svg text {{ font: 13px system-ui, sans-serif; fill: currentColor }}
</style>
<h1>{title}</h1>
<ul>{facts}</ul>
{sections}
</html>
"""
