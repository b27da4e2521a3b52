"""Where in a run a component is called, and figures that it wants to be logged."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Phase", "RunContext"]

Phase = Literal["train", "evaluate", "check"]


@dataclass(frozen=True)
class RunContext:
    """What a reward can know of the run beside the lists."""

    step: int = 0
    """Optimizer step, from 1; 0 outside of a training."""
    steps: int = 0
    """How many the training has; 0 if nobody knows."""
    phase: Phase = "check"
    """``"train"``, ``"evaluate"`` (during a training, without a step), or ``"check"`` outside of a run."""
    figures: dict[str, float] = field(default_factory=dict, compare=False)
    """What was logged, by name."""

    @property
    def progress(self) -> float:
        """How far the training is, in 0..1; 0 if nobody knows."""
        return min(1.0, self.step / self.steps) if self.steps > 0 else 0.0

    def log(self, name: str, value: float) -> None:
        """Have a figure of this batch written to ``metrics.jsonl``, as ``REWARD/NAME``.

        Raises:
            ValueError: It is not a finite number; the run names the plugin.
        """
        if type(name) is not str or not name.isprintable():
            raise ValueError(f"the name of a figure must be text on one line, but is {name!r:.100}")
        number = float(value)
        if not math.isfinite(number):
            raise ValueError(f"figure {name!r} must be a finite number, but is {value!r}")
        self.figures[name] = number
