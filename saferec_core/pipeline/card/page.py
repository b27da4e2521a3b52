"""The dataset card as one self-contained HTML page."""

from __future__ import annotations

import re
from functools import partial

from markupsafe import Markup

from saferec_core.pages.environment import asset, environment, safe
from saferec_core.pipeline.card.charts import SERIES, draw, is_drawing_possible
from saferec_core.pipeline.card.facts import CardFacts
from saferec_core.pipeline.card.parts import CardAnswer, CardCell, Table
from saferec_core.pipeline.card.sections import SUMMARY, headline, sections

__all__ = ["page"]

_PACKAGE = "saferec_core.pipeline.card"
_WITHOUT_CHARTS = "There are no charts because altair or vl-convert is missing: pip install 'saferec[data]'."
_NUMBER = re.compile(r"[0-9.,-]*%?")
_LONG = 24
"""Characters from which a column of text is widened."""

_CAPTIONS = {
    "steps": "Rows after each step",
    "traits": "Samples with each trait as a constraint",
    "truth": "Samples by size of the ground truth",
    "lists": "Completions by number of titles",
    "time": "Samples by time",
}


def page(facts: CardFacts) -> str:
    """Write the card as an HTML page: the sections of the Markdown card, with charts.

    The page is self-contained and runs no scripts. Every chart stands beside a table
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
    """Return the legend of a chart: labels with their colors."""
    if chart == "steps":
        return [("written", "var(--series-1)"), ("removed or rejected", "var(--faint)")]
    if chart == "truth":
        return [("before", "var(--faint)"), ("after", "var(--series-1)")]
    if chart in {"traits", "time"}:
        return [(split, f"var(--series-{SERIES[split]})") for split in facts.splits]
    return []


def _cell(content: CardCell) -> str:
    if isinstance(content, CardAnswer):
        return Markup('<span class="{}">{}</span>').format("good" if content.good else "bad", content.text)
    return f"{content:,}" if isinstance(content, int) else content


def _kind(table: Table, column: int) -> Markup:
    """Return the class of a column: numbers are aligned right, columns with long texts are wider."""
    cells = [cell.text if isinstance(cell := row[column], CardAnswer) else str(cell) for row in table.rows]
    if column and any(cells) and all(_NUMBER.fullmatch(text) for text in cells):
        return safe(' class="number"')
    return safe(' class="text"' if column and any(len(text) > _LONG for text in cells) else "")
