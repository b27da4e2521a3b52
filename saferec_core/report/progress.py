"""Whether a run came to its end, and if not, where it stopped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from saferec_core.report.reading import Run, Stage

__all__ = ["unfinished"]

_END = "train_runtime"
"""What the trainer logs once, when a stage has taken its last step."""


def unfinished(run: Run) -> list[str]:
    """Say what a run has left undone; nothing of a run that came to its end.

    A run that is still going looks the same as one that was interrupted.
    """
    open_stages = [stage for stage in run.stages if stage.rows and not _ended(stage)]
    if open_stages:
        command = run.manifest.get("stage")
        how = [f"To continue it: saferec {command} --resume-from {run.folder}."] if command else []
        return [*(_stopped(stage) for stage in open_stages), *how]
    if _trains(run) and not any(stage.rows for stage in run.own_stages):
        return ["The run has not logged a training step yet."] if run.stages else []
    before = [moment.decoding for moment in run.evaluations if moment.when == "before" and not moment.guided]
    missing = [
        kind for kind in before if not any(m.when == "after" and m.decoding == kind for m in run.evaluations)
    ]
    if missing:
        return [f"Training finished, but the {' and '.join(missing)} lists after it were not evaluated."]
    return []


def _stopped(stage: Stage) -> str:
    last = int(stage.rows[-1]["step"])
    planned = _planned(stage)
    of = f" of {planned:,}" if planned and planned > last else ""
    return f"{stage.name} stopped at step {last:,}{of}, or is still running."


def _ended(stage: Stage) -> bool:
    """Tell whether the last step was taken; a stage that was asked to stop logs its end before that."""
    planned = _planned(stage)
    return _END in stage.rows[-1] and (planned is None or stage.rows[-1]["step"] >= planned)


def _planned(stage: Stage) -> int | None:
    """Return how many steps a stage is to take: as configured, else from the epochs done so far."""
    optimization = stage.config.get("optimization")
    settings: Mapping[str, Any] = optimization if isinstance(optimization, Mapping) else {}
    if (steps := settings.get("max_steps") or 0) > 0:
        return int(steps)
    epochs, row = settings.get("num_train_epochs"), stage.rows[-1]
    done = row.get("epoch")
    if not isinstance(epochs, int | float) or not isinstance(done, int | float) or done <= 0:
        return None
    return round(epochs * int(row["step"]) / done)


def _trains(run: Run) -> bool:
    return bool(run.manifest.get("stage", "train") == "train" and "rewards" in run.config)
