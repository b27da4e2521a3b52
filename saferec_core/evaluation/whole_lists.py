"""Metrics of all lists together: as a table, and in the summaries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from saferec_core.analysis.metrics import WholeFigure, label
from saferec_core.runs.observer import Observer

__all__ = ["show_whole", "stored_whole"]


def show_whole(observer: Observer, columns: Mapping[str, Mapping[str, WholeFigure]]) -> None:
    """Show what was measured of all lists together, a column for each policy."""
    facts = {name: figure.facts for whole in columns.values() for name, figure in whole.items()}
    rows = [
        {
            "metric": label(name, facts[name]),
            **{title: whole[name].text if name in whole else "no value" for title, whole in columns.items()},
        }
        for name in facts
    ]
    if rows:
        observer.table("All lists together (no intervals)", rows)


def stored_whole(whole: Mapping[str, WholeFigure]) -> dict[str, Any]:
    """Return what a summary holds of one policy, by metric."""
    return {name: figure.stored() for name, figure in whole.items()}
