"""What a run would do: its settings and where they come from, its batches and tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from saferec_core.config.load import DEFAULT, Resolved
from saferec_core.config.presets import Stage, default_origin
from saferec_core.config.schema import SftConfig, StageConfig, TrainConfig
from saferec_core.config.sections import DataConfig
from saferec_core.config.settings import flat
from saferec_core.data.arrow_rows import arrow_tables
from saferec_core.data.file_kinds import Kind, kind_of
from saferec_core.data.rows import numbered_lines, try_values
from saferec_core.errors import SaferecError
from saferec_core.preflight.check import processes
from saferec_core.preflight.memory import MemoryEstimate, estimate_memory, memory_of_machine
from saferec_core.runs.machine import has_gpu
from saferec_core.runs.references import planned_reference
from saferec_core.training.batches import generation_batch_size
from saferec_core.training.idle_settings import idle_settings
from saferec_core.training.optimizers import choose_optimizer
from saferec_core.training.probe import StageTime

__all__ = ["RunPlan", "Setting", "plan_run"]

ConfigT = TypeVar("ConfigT", bound=StageConfig)


@dataclass(frozen=True)
class Setting:
    """One value of the resolved configuration."""

    path: str
    value: Any
    origin: str
    """Where it came from: ``default``, a file, a flag, ``--set KEY``."""


@dataclass(frozen=True)
class RunPlan:
    """A run that has not begun."""

    stage: str
    settings: list[Setting]
    """Every value of the configuration."""
    batches: Mapping[str, int | float | None]
    """Sizes and counts by name; None where they cannot be known yet."""
    problems: list[str]
    """What keeps the run from starting."""
    without_effect: Sequence[str] = ()
    """Settings that do nothing beside the others, a sentence each."""
    memory: MemoryEstimate | None = None
    """What each process keeps in memory; None if the model's files cannot tell."""
    available: tuple[str, int] = ("machine", 0)
    """What a process has, and how many bytes."""
    times: Sequence[StageTime] = ()
    """How long the stages take, if that was measured."""

    @property
    def chosen(self) -> list[Setting]:
        """Return the settings that are not plain defaults, the same in every run."""
        return [setting for setting in self.settings if setting.origin != DEFAULT]

    def as_json(self) -> dict[str, Any]:
        """Return the plan as JSON has it."""
        return {
            "stage": self.stage,
            "settings": {s.path: {"value": s.value, "origin": s.origin} for s in self.settings},
            "batches": dict(self.batches),
            "memory": None
            if self.memory is None
            else {**self.memory.parts, "in all": self.memory.total, self.available[0]: self.available[1]},
            "times": {
                time.stage: {
                    "seconds per step": time.seconds_per_step,
                    "steps": time.steps,
                    "seconds": time.seconds,
                }
                for time in self.times
            },
            "without effect": list(self.without_effect),
            "problems": self.problems,
        }


def plan_run(resolved: Resolved[ConfigT], problems: list[str], times: Sequence[StageTime] = ()) -> RunPlan:
    """Lay out what a training configuration would do.

    Args:
        resolved: The configuration, with where each value came from.
        problems: What keeps the run from starting.
        times: How long its stages take, if that was measured.
    """
    config = resolved.config
    values = flat(config.model_dump(mode="json"))
    settings = [_setting(path, value, resolved) for path, value in values.items()]
    rows = _count(config.data)
    assert isinstance(config, SftConfig | TrainConfig)
    optimizer = choose_optimizer(config.optimization.optim, has_gpu=has_gpu()).name
    if isinstance(config, TrainConfig):
        stage_name, batches = "Safe-Rank-GRPO", _grpo_batches(config, rows)
    else:
        stage_name, batches = "Safe SFT", _sft_batches(config, rows)
    return RunPlan(
        stage=stage_name,
        settings=settings,
        batches=batches,
        problems=problems,
        without_effect=list(idle_settings(config)),
        memory=estimate_memory(config, optimizer, processes(config)),
        available=memory_of_machine(has_gpu=has_gpu()),
        times=times,
    )


def _setting(path: str, value: Any, resolved: Resolved[ConfigT]) -> Setting:
    """Name the origin of a value; what ``auto`` stands for is resolved as the run will."""
    origin, config = resolved.origin(path), resolved.config
    if origin == DEFAULT:
        stage: Stage = "sft" if isinstance(config, SftConfig) else "train"
        origin = default_origin(stage, path, use_lora=config.model.use_lora)
    if value is None and path not in resolved.origins:  # a part of what was given, and left out there
        origin = DEFAULT
    if path.endswith("optimization.optim") and value == "auto":
        choice = choose_optimizer(value, has_gpu=has_gpu())
        return Setting(path, choice.name, choice.reason)
    if path == "reference_policy" and value is None and isinstance(config, TrainConfig):
        return Setting(path, *_kept_reference(config, origin))
    return Setting(path, value, origin)


def _kept_reference(config: TrainConfig, origin: str) -> tuple[str | None, str]:
    """Return the reference policy of the run that training starts from, with its origin."""
    with suppress(SaferecError):  # named among the problems
        reference = planned_reference(config) if config.kl_beta else None
        if reference is not None:
            return reference.policy, f"the reference of {reference.kept_from}"
    return None, origin


def _grpo_batches(config: TrainConfig, prompts: int | None) -> dict[str, int | float | None]:
    """Count prompts, completions and tokens; tokens are the most that completions may have."""
    optimization, group = config.optimization, config.rollout.num_generations
    per_step = (
        processes(config)
        * optimization.per_device_train_batch_size
        * optimization.gradient_accumulation_steps
    )
    generation = generation_batch_size(config, processes(config))
    fresh = per_step / config.num_iterations  # completions generated for each optimizer step, on average
    steps: int | None = optimization.max_steps
    if optimization.max_steps < 0:
        steps = None if prompts is None else int(optimization.num_train_epochs * prompts * group / fresh)
    return {
        "processes": processes(config),
        "training prompts": prompts,
        "completions per prompt (G)": group,
        "completions per generation batch": generation,
        "prompts per generation batch": generation / group if generation % group else generation // group,
        "ranks per completion (K)": config.num_ranks,
        "optimizer steps": steps,
        "completions per optimizer step": per_step,
        "completion tokens per step, at most": int(fresh * config.max_completion_length),
        "completions in all": None if steps is None else int(fresh * steps),
        "completion tokens in all, at most": (
            None if steps is None else int(fresh * steps * config.max_completion_length)
        ),
        "passes over the training prompts": (
            None if steps is None or not prompts else round(fresh * steps / group / prompts, 2)
        ),
    }


def _sft_batches(config: SftConfig, samples: int | None) -> dict[str, int | float | None]:
    optimization = config.optimization
    per_step = (
        processes(config)
        * optimization.per_device_train_batch_size
        * optimization.gradient_accumulation_steps
    )
    steps: int | None = optimization.max_steps
    if optimization.max_steps < 0:
        steps = None if samples is None else int(optimization.num_train_epochs * -(-samples // per_step))
    return {
        "processes": processes(config),
        "training samples": samples,
        "samples per optimizer step": per_step,
        "optimizer steps": steps,
        "tokens per step, at most": per_step * config.max_length,
        "tokens in all, at most": None if steps is None else steps * per_step * config.max_length,
        "passes over the training samples": (
            None if steps is None or not samples else round(steps * per_step / samples, 2)
        ),
    }


def _count(data: DataConfig) -> int | None:
    """Count the training records, at most ``max_records``."""
    rows = _count_rows(data.train_path)
    return rows if rows is None or data.max_records is None else min(rows, data.max_records)


def _count_rows(path: Path | None) -> int | None:
    """Count the rows of a file or folder without parsing them where that is possible."""
    if path is None or not path.exists():
        return None
    try:
        kind = kind_of(path)
        if kind is Kind.LINES:
            return sum(1 for _ in numbered_lines(path))
        if kind is Kind.ARROW:
            return sum(int(table.num_rows) for table in arrow_tables(path))
        return sum(1 for _ in try_values(path))
    except SaferecError:
        return None  # named among the problems
