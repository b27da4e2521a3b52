"""Alarms that were raised while a run was trained, as its log has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from saferec_core.report.reading import Run

__all__ = ["RaisedAlarm", "raised_alarms"]


@dataclass(frozen=True)
class RaisedAlarm:
    """An alarm at the step where it was raised."""

    name: str
    stage: str
    step: int
    sentence: str
    """What was seen, what it means and which setting to change."""


def raised_alarms(run: Run) -> list[RaisedAlarm]:
    """Return the alarms of a run in the order in which they were raised; one may be raised again."""
    return [
        RaisedAlarm(str(name), stage.name, int(row["step"]), str(sentence))
        for stage in run.stages
        for row in stage.rows
        if isinstance(raised := row.get("alarms"), Mapping)
        for name, sentence in raised.items()
    ]
