"""The dataset card as one HTML page that needs nothing besides itself."""

from __future__ import annotations

import re
from functools import partial

from markupsafe import Markup

from saferec_core.pages.environment import asset, environment, safe
from saferec_core.pipeline.card.charts import SERIES, draw, is_drawing_possible
from saferec_core.pipeline.card.facts import CardFacts
from saferec_core.pipeline.card.parts import Answer, Cell, Table
from saferec_core.pipeline.card.sections import SUMMARY, headline, sections

__all__ = ["page"]

_PACKAGE = "saferec_core.pipeline.card"
_WITHOUT_CHARTS = "There are no charts because altair or vl-convert is missing: pip install 'saferec[data]'."
_NUMBER = re.compile(r"[0-9.,-]*%?")
_LONG = 24
"""Characters from which on a column of text gets room."""

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
    return (
        environment(_PACKAGE)
        .get_template("card.html")
        .render(
            title=facts.name,
            summary=SUMMARY if charts else f"{SUMMARY} {_WITHOUT_CHARTS}",
            own_style=safe(asset(_PACKAGE, "card.css")),
            headline=headline(facts),
            sections=sections(facts),
            charts=charts,
            captions=_CAPTIONS,
            keys=partial(_keys, facts),
            draw=lambda name: safe(draw(name, facts)),
            kind=_kind,
            cell=_cell,
        )
    )


def _keys(facts: CardFacts, chart: str) -> list[tuple[str, str]]:
    """Say what the colors of a chart stand for."""
    if chart == "steps":
        return [("written", "var(--series-1)"), ("removed or rejected", "var(--faint)")]
    if chart == "truth":
        return [("before", "var(--faint)"), ("after", "var(--series-1)")]
    if chart in {"traits", "time"}:
        return [(split, f"var(--series-{SERIES[split]})") for split in facts.splits]
    return []


def _cell(found: Cell) -> str:
    if isinstance(found, Answer):
        return Markup('<span class="{}">{}</span>').format("good" if found.good else "bad", found.text)
    return f"{found:,}" if isinstance(found, int) else found


def _kind(table: Table, column: int) -> Markup:
    """Return the class of a column: numbers are set to the right, long texts get room."""
    cells = [found.text if isinstance(found := row[column], Answer) else str(found) for row in table.rows]
    if column and any(cells) and all(_NUMBER.fullmatch(cell) for cell in cells):
        return safe(' class="number"')
    return safe(' class="text"' if column and any(len(cell) > _LONG for cell in cells) else "")
