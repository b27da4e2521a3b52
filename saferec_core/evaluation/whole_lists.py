"""Metrics of all lists together, as a table."""

from __future__ import annotations

from collections.abc import Mapping

from saferec_core.analysis.metrics import label
from saferec_core.analysis.results import MetricFacts
from saferec_core.runs.observer import Observer

__all__ = ["show_whole"]


def show_whole(observer: Observer, columns: Mapping[str, Mapping[str, float]]) -> None:
    """Show what was measured of all lists together, a column for each policy."""
    names = dict.fromkeys(name for whole in columns.values() for name in whole)
    rows = [
        {
            "metric": label(name, MetricFacts("none", "whole", "")),
            **{title: _number(whole.get(name, float("nan"))) for title, whole in columns.items()},
        }
        for name in names
    ]
    if rows:
        observer.table("All lists together (no intervals)", rows)


def _number(value: float) -> str:
    return f"{value:.4f}" if value == value else "no value"
