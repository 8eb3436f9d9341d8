"""A page of HTML that needs nothing else: no scripts, no addresses, tables and drawings in one file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final


@dataclass(frozen=True, slots=True)
class Drawn:
    """A table's cell that is drawn as well as told; the drawing is HTML."""

    told: str
    drawing: str


@dataclass(frozen=True, slots=True)
class Figure:
    """One of the figures that a page begins with, and what is to be said of it."""

    name: str
    told: str
    more: str = ""


Cell = str | Drawn


def page(
    title: str,
    facts: Iterable[str],
    sections: Iterable[tuple[str, str]],
    figures: Iterable[Figure] = (),
) -> str:
    """Return the page. Title, figures, facts and headings are text; the sections' bodies are HTML."""
    return _PAGE.format(
        title=escape(title),
        figures=_figures(list(figures)),
        facts="".join(f"<p>{escape(fact)}</p>" for fact in facts),
        sections="\n".join(
            f"<section><h2>{escape(heading)}</h2>\n{body}</section>" for heading, body in sections
        ),
    )


def drawing(svg: str, caption: str = "") -> str:
    """Return a drawing that scrolls on narrow screens, with its caption."""
    told = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f"<figure>{told}{svg}</figure>"


def drawings(captioned: Iterable[tuple[str, str]]) -> str:
    """Return drawings beside one another where there is room, each with its caption before it."""
    return f'<div class="pair">{"".join(drawing(svg, caption) for caption, svg in captioned)}</div>'


def html_table(
    name: str, head: Sequence[str], rows: Iterable[Sequence[Cell]], *, words: int = 1
) -> str:
    """Return a table that scrolls by itself. Its first `words` columns are words, the rest figures."""
    kinds = ["word" if i < words else "number" for i in range(len(head))]
    top = "".join(
        f'<th scope="col" class="{kind}">{escape(told)}</th>'
        for kind, told in zip(kinds, head, strict=True)
    )
    body = "".join(
        "<tr>" + "".join(map(_cell, kinds, row, [True, *[False] * (len(head) - 1)])) + "</tr>"
        for row in rows
    )
    return (
        f'<div class="table" role="region" tabindex="0" aria-label="{escape(name)}">'
        f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(kind: str, cell: Cell, is_head: bool) -> str:
    told = f"{escape(cell.told)}{cell.drawing}" if isinstance(cell, Drawn) else escape(cell)
    return (
        f'<th scope="row" class="{kind}">{told}</th>'
        if is_head
        else f'<td class="{kind}">{told}</td>'
    )


def _figures(figures: Sequence[Figure]) -> str:
    """Return the figures as one list, or nothing where there are none."""
    items = "".join(
        f"<div><dt>{escape(figure.name)}</dt><dd>{escape(figure.told)}"
        f"{f'<small>{escape(figure.more)}</small>' if figure.more else ''}</dd></div>"
        for figure in figures
    )
    return items and f"<dl>{items}</dl>"


_PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
:root {{
  color-scheme: light dark;
  --paper: #f6f5f1; --surface: #fffefb; --ink: #18211d; --soft: #535e58; --edge: #dedbd1;
  --ground: #b9bdb4; --band: #a9bfb3; --mark: #0b6b4c; --focus: #0b5fd0;
}}
@media (prefers-color-scheme: dark) {{
  :root {{
    --paper: #0f1513; --surface: #161e1b; --ink: #e9eeea; --soft: #a4b1ab; --edge: #2a3530;
    --ground: #4a5851; --band: #33594a; --mark: #5bd3a0; --focus: #8bb8ff;
  }}
}}
* {{ box-sizing: border-box }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 0 auto; padding: 2rem 1rem 4rem;
  background: var(--paper); color: var(--ink); -webkit-text-size-adjust: 100% }}
h1, h2 {{ line-height: 1.25; text-wrap: balance }}
h1 {{ margin: 0; font-size: 1.6rem; letter-spacing: -.02em }}
h2 {{ margin: 0 0 .75rem; font-size: 1.1rem }}
header > p {{
  max-width: 48rem; margin: .75rem 0 0; color: var(--soft); font-size: .9rem; overflow-wrap: anywhere
}}
dl {{
  display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem;
  margin: 1.5rem 0
}}
dl > div, section {{
  padding: 1rem 1.25rem; border: 1px solid var(--edge); border-radius: .75rem; background: var(--surface)
}}
dt {{ color: var(--soft); font-size: .8rem; font-weight: 600 }}
dd {{ margin: 0; font-size: 1.25rem; font-weight: 650; font-variant-numeric: tabular-nums }}
dd small {{ display: block; color: var(--soft); font-size: .8rem; font-weight: 400 }}
section {{ margin-top: 1.25rem }}
.pair {{
  display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 1rem 2rem; margin-bottom: 1rem
}}
figure {{ margin: 0; overflow-x: auto }}
figcaption {{ color: var(--soft); font-size: .8rem; font-weight: 600 }}
figure svg {{ display: block; width: 100%; height: auto }}
section > figure svg {{ min-width: 36rem }}
svg text {{ font: 13px system-ui, sans-serif; fill: currentColor }}
svg .name, svg .value {{ text-anchor: middle }}
svg .name {{ fill: var(--soft) }}
svg .value {{ font-weight: 600 }}
.ground {{ fill: none; stroke: var(--ground) }}
.mark {{ fill: var(--mark) }}
.band {{ fill: var(--band) }}
.strip {{ display: block; width: 100%; min-width: 7rem; height: .5rem; margin-top: .2rem }}
.table {{ overflow-x: auto }}
.table:focus-visible {{ outline: 2px solid var(--focus); outline-offset: 2px }}
table {{ border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums }}
th, td {{
  padding: .4rem 1.25rem .4rem 0; border-bottom: 1px solid var(--edge); font-weight: 400;
  vertical-align: top
}}
th:last-child, td:last-child {{ padding-right: 0 }}
tbody tr:last-child > * {{ border-bottom: 0 }}
thead th {{ color: var(--soft); font-size: .8rem; white-space: nowrap }}
.word {{ text-align: left }}
.number {{ text-align: right; white-space: nowrap }}
tbody .word {{ min-width: 8rem; max-width: 22rem; overflow-wrap: break-word }}
@media (max-width: 36rem) {{ .pair {{ grid-template-columns: minmax(0, 1fr) }} }}
@media print {{
  :root {{
    --paper: #fff; --surface: #fff; --ink: #000; --soft: #444; --edge: #ccc; --ground: #999; --band: #bbb;
    --mark: #0b6b4c
  }}
  html {{ font-size: 11px; print-color-adjust: exact; -webkit-print-color-adjust: exact }}
  body {{ max-width: none; padding: 0; font-size: 1rem }}
  th, td {{ padding-right: .8rem }}
  tbody .word {{ min-width: 6rem; overflow-wrap: anywhere }}
  section, dl > div {{ border-radius: 0; break-inside: avoid-page }}
  .table, figure {{ overflow: visible }}
  tr, figure, dl {{ break-inside: avoid }}
}}
</style>
<header>
<h1>{title}</h1>
{facts}
</header>
<main>
{figures}
{sections}
</main>
</html>
"""
