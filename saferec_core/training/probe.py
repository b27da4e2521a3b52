"""Measure how long a step of a run takes, on the machine and with the settings that the run would have."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from saferec_core.config.schema import SftConfig, StageConfig, TrainConfig
from saferec_core.plugins.offered import Plugins
from saferec_core.runs.observer import Observer, StepReport
from saferec_core.runs.stopping import RunStopped

__all__ = ["StageTime", "probe"]

ConfigT = TypeVar("ConfigT", bound=StageConfig)

MEASURED = 3
"""Steps of a stage that are measured at least, after those that warm up."""


@dataclass(frozen=True)
class StageTime:
    """How long one stage of a run takes, evaluations and checkpoints aside."""

    stage: str
    seconds_per_step: float
    steps: int

    @property
    def seconds(self) -> float:
        """What all steps take."""
        return self.seconds_per_step * self.steps


def probe(config: TrainConfig, plugins: Plugins) -> list[StageTime]:
    """Train each stage of a run for a few real steps in a folder that is removed, and return their times.

    Safe-Rank-GRPO starts from the model without Safe SFT; what a policy writes then may be longer or
    shorter than later, and its steps with it.

    Raises:
        SaferecError: Whatever would keep the run from starting.
    """
    from saferec_core.training.rank_grpo import run_train  # imports TRL
    from saferec_core.training.sft import run_sft

    silent = replace(plugins, lifecycle_hooks=[])  # this is not a run that plugins would observe
    times = []
    with TemporaryDirectory(prefix="saferec-probe-") as name:
        if config.sft_comes_first:
            clock = _Clock(warm_up=1)
            clock.stop(lambda: run_sft(_short(config.sft_config(), Path(name) / "sft"), silent, clock))
            times.append(clock.time())
        clock = _Clock(warm_up=_steps_per_generation_batch(config))
        shortened = _short(config, Path(name) / "train").model_copy(update={"sft": None, "select": None})
        clock.stop(lambda: run_train(shortened, silent, clock))
        times.append(clock.time())
    return times


def _steps_per_generation_batch(config: TrainConfig) -> int:
    """Return how many optimizer steps a generation batch serves; the first of them takes longest."""
    accumulated = config.optimization.gradient_accumulation_steps
    slices = config.steps_per_generation or accumulated
    return max(1, slices * config.num_iterations // accumulated)


def _short(config: ConfigT, folder: Path) -> ConfigT:
    """Return a configuration that neither evaluates nor saves, and writes to *folder* alone."""
    changes: dict[str, Mapping[str, Any]] = {
        "evaluation": {"eval_prompts": 0},
        "logging": {"save_strategy": "no", "report_to": [], "max_time": None},
    }
    sections = {name: getattr(config, name).model_copy(update=dict(new)) for name, new in changes.items()}
    own = {"eval_strategy": "no"} if isinstance(config, SftConfig) else {"eval_steps": None}
    places = {"output_dir": folder, "run_name": "probe", "resume": False, "resume_from": None}
    return config.model_copy(update={**sections, **own, **places})


class _EnoughError(BaseException):
    """Ends a probe; like a request to stop, it is not a failure to be saved after."""


@dataclass
class _Clock(Observer):
    """Notes when each step ends, and ends the run when enough are measured."""

    warm_up: int
    """Steps that are not measured: the first generation batch sets up kernels and caches."""
    stage: str = ""
    steps: int = 0
    ends: list[float] = field(default_factory=list)
    """When training began, then when each step ended."""

    def stop(self, run: Any) -> None:
        """Run, until enough steps are measured."""
        try:
            run()
        except _EnoughError:
            pass
        except RunStopped:
            raise KeyboardInterrupt from None  # there is nothing to continue

    def time(self) -> StageTime:
        """Return the mean time of the measured steps; of all, if the run has no more than those."""
        first = self.warm_up if len(self.ends) > self.warm_up + 1 else 0
        measured = len(self.ends) - 1 - first
        return StageTime(self.stage, (self.ends[-1] - self.ends[first]) / max(1, measured), self.steps)

    def stage_began(self, name: str, total: int | None) -> None:
        """Start the clock."""
        self.stage, self.steps, self.ends = name, total or 0, [time.perf_counter()]

    def stepped(self, report: StepReport) -> None:
        """Note the end of a step; the figures of a step are reported once more."""
        if report.figures:
            return
        self.ends.append(time.perf_counter())
        batches = -(-MEASURED // self.warm_up)  # whole generation batches
        if len(self.ends) - 1 >= self.warm_up * (1 + batches):
            raise _EnoughError

    def stage_ended(self) -> None:
        """End a run that has fewer steps."""
        if len(self.ends) > 1:
            raise _EnoughError
