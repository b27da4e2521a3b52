"""The dataset card as one HTML page that needs nothing besides itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from importlib.resources import files
from string import Template

from saferec_core.pipeline.card.charts import SPLIT_COLOURS, draw, is_drawing_possible
from saferec_core.pipeline.card.facts import CardFacts
from saferec_core.pipeline.card.parts import Answer, Cell, Section, Table
from saferec_core.pipeline.card.sections import SUMMARY, headline, sections

__all__ = ["page"]

_WITHOUT_CHARTS = "There are no charts, since altair and vl-convert are missing: pip install 'saferec[data]'."

_NUMBER = re.compile(r"[0-9.-]*(?: %)?")
_RIGHT, _TEXT = ' class="number"', ' class="text"'

_CAPTIONS = {
    "steps": "Rows after each step",
    "traits": "Samples with each trait as a constraint",
    "truth": "Samples by size of the ground truth",
    "lists": "Completions by number of titles",
    "time": "Samples by time",
}


def page(facts: CardFacts) -> str:
    """Write the card as an HTML page: the sections of the Markdown card, with charts.

    The page refers to nothing outside itself and runs no scripts. Every chart stands beside a table
    with its figures; where the extra ``saferec[data]`` is missing, the tables stand alone and the page
    says what to install.
    """
    charts = is_drawing_possible()
    tiles = "\n".join(
        f"<div><dt>{escape(what)}</dt><dd>{escape(figure)}</dd></div>" for figure, what in headline(facts)
    )
    body = "\n".join(_section(section, facts, charts=charts) for section in sections(facts))
    template = files("saferec_core.pipeline.card").joinpath("page.html").read_text(encoding="utf-8")
    return Template(template).substitute(
        title=escape(facts.name),
        summary=escape(SUMMARY if charts else f"{SUMMARY} {_WITHOUT_CHARTS}"),
        tiles=tiles,
        sections=body,
    )


def _section(section: Section, facts: CardFacts, *, charts: bool) -> str:
    name = section.title.lower().replace(" ", "-")
    parts = [f'<section aria-labelledby="{name}">', f'<h2 id="{name}">{escape(section.title)}</h2>']
    if section.text:
        parts.append(f"<p>{escape(section.text)}</p>")
    tables = [_table(table) for table in section.tables]
    if charts and section.charts:
        figures = [_figure(chart, facts) for chart in section.charts]
        parts += ['<div class="shown">', *figures, tables.pop(0), "</div>"]
    if tables:
        parts += ['<div class="more">', *tables, "</div>"]
    if section.code:
        parts.append(f'<pre tabindex="0"><code>{escape(section.code)}</code></pre>')
    return "\n".join([*parts, "</section>"])


def _figure(name: str, facts: CardFacts) -> str:
    caption = _CAPTIONS[name]
    keys = "".join(
        f'<span class="key"><i style="background:var(--{colour})"></i>{escape(label)}</span>'
        for label, colour in _keys(name, facts)
    )
    legend = f'<span class="keys">{keys}</span>' if keys else ""
    return (
        f"<figure><figcaption>{caption}{legend}</figcaption>"
        f'<div class="chart" role="img" aria-label="{caption}; the table has the figures">'
        f"{draw(name, facts)}</div></figure>"
    )


def _keys(chart: str, facts: CardFacts) -> list[tuple[str, str]]:
    """Say what the colours of a chart stand for."""
    if chart == "steps":
        return [("written", "first"), ("removed or rejected", "faint")]
    if chart == "truth":
        return [("before", "faint"), ("after", "first")]
    if chart in {"traits", "time"}:
        return [(split, SPLIT_COLOURS[split]) for split in facts.splits]
    return []


def _table(table: Table) -> str:
    kinds = [_kind(table, column) for column in range(len(table.head))]
    head = "".join(
        f'<th scope="col"{kind}>{escape(title)}</th>' for title, kind in zip(table.head, kinds, strict=True)
    )
    rows = "\n".join(f"<tr>{''.join(_cells(row, kinds))}</tr>" for row in table.rows)
    wide = " wide" if _TEXT in kinds else ""
    return (
        f'<div class="table{wide}" role="region" tabindex="0" aria-label="{escape(table.caption)}"><table>'
        f"<caption>{escape(table.caption)}</caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{rows}\n</tbody></table></div>"
    )


def _cells(row: tuple[Cell, ...], kinds: list[str]) -> Iterator[str]:
    yield f'<th scope="row">{_shown(row[0])}</th>'
    for cell, kind in zip(row[1:], kinds[1:], strict=True):
        yield f"<td{kind}>{_shown(cell)}</td>"


def _shown(cell: Cell) -> str:
    if isinstance(cell, Answer):
        return f'<span class="{"good" if cell.good else "note"}">{escape(cell.text)}</span>'
    return f"{cell:,}" if isinstance(cell, int) else escape(cell)


def _kind(table: Table, column: int) -> str:
    """Return the class of a column: numbers stand to the right, long texts get room."""
    cells = [cell.text if isinstance(cell := row[column], Answer) else str(cell) for row in table.rows]
    if column and any(cells) and all(_NUMBER.fullmatch(cell) for cell in cells):
        return _RIGHT
    return _TEXT if column and any(len(cell) > 24 for cell in cells) else ""
