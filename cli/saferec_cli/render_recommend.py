"""A recommended list as a table."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from saferec_cli.consoles import PlainConsole
from saferec_core.recommendation.recommender import Recommendation
from saferec_core.recommendation.verdicts import JudgedTitle

__all__ = ["recommended", "title_table"]

_STYLES = {"safe": "green", "violation": "bold red", "unknown": "yellow", "unjudged": "dim"}


def recommended(recommendation: Recommendation) -> None:
    """Print a list: rank, title, verdict and in a line what it rests on."""
    console = PlainConsole()
    console.print(title_table(recommendation.titles))
    if recommendation.note:
        console.print(recommendation.note)


def title_table(titles: Sequence[JudgedTitle]) -> Table:
    """Lay out judged titles, a row for each rank."""
    table = Table(box=SIMPLE_HEAD, show_edge=False)
    table.add_column("rank", justify="right", no_wrap=True)
    table.add_column("title", ratio=3)
    table.add_column("verdict", no_wrap=True)
    table.add_column("evidence", ratio=2, style="dim")
    for title in titles:
        table.add_row(
            str(title.rank),
            escape(str(title.title)),
            f"[{_STYLES[title.verdict]}]{title.verdict}[/]",
            escape(_evidence(title)),
        )
    return table


def _evidence(title: JudgedTitle) -> str:
    """Say what is wrong with the rank, and what the verdict rests on."""
    marks = [
        name
        for name, applies in (
            ("repeated", title.repeated),
            ("seen", title.seen),
            ("not in the catalog", not title.in_catalog),
        )
        if applies
    ]
    if title.evidence:
        first = title.evidence[0]
        marks.append(f"{first.trait}: {first.risk:.2f}, {first.source}: {first.detail}")
    return "; ".join(marks)
