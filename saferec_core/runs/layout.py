"""Layout of a run folder: the only module that knows the names of its files.

    config.yaml       the resolved configuration
    manifest.json     stage, versions, plugins, data and state of the source
    metrics.jsonl     a line per logged step
    rollouts.jsonl    a line per kept completion, with its rewards and advantages
    report.html       the page
    heartbeat.json    what the run is doing at the moment, while it runs
    .lock             held while a process works on the run
    stacks.txt        stacks of all threads, where it made no progress for stall_time
    sft/              a run folder of its own: Safe SFT, where the run began with it
    base/             weights that adapters were merged into, where the run began with such
    reference/        the same of the reference policy, where that is another than the run began with
    checkpoints/      checkpoint-STEP, as the trainer writes them
    policy/           the weights that the run ended with or chose
    evaluation/       WHEN-DECODING.parquet: every sample; .json: a summary; checkpoints.json: the choice

WHEN is ``before`` or ``after`` training, ``policy`` for one that was evaluated by itself, or the name of a
checkpoint; DECODING is ``greedy`` or ``sampled``, with ``-flip`` and the like behind it where constraints
were changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from saferec_core.errors import RunError

__all__ = ["WHEN", "RunLayout", "checkpoint_step", "list_checkpoints", "moved_base", "run_of", "step_of"]

WHEN = ("before", "after", "policy")
"""What may stand in front of the decoding in the name of an evaluation of a run's policy."""

_CHECKPOINT = re.compile(r"checkpoint-(\d+)")
_LEVELS_ABOVE = 3
"""How far below its run folder a policy may lie: ``sft/checkpoints/checkpoint-100``."""


@dataclass(frozen=True)
class RunLayout:
    """The paths of a run folder; none of them need exist."""

    path: Path

    @property
    def config(self) -> Path:
        """The resolved configuration; what has one is a run folder."""
        return self.path / "config.yaml"

    @property
    def manifest(self) -> Path:
        """What the run was made with."""
        return self.path / "manifest.json"

    @property
    def metrics(self) -> Path:
        """What was logged, step by step."""
        return self.path / "metrics.jsonl"

    @property
    def rollouts(self) -> Path:
        """Completions with their rewards and advantages."""
        return self.path / "rollouts.jsonl"

    @property
    def logs(self) -> tuple[Path, ...]:
        """What grows while a stage trains; it belongs to the checkpoint that was written with it."""
        return self.metrics, self.rollouts

    @property
    def report(self) -> Path:
        """The page."""
        return self.path / "report.html"

    @property
    def sft(self) -> Self:
        """The stage of Safe SFT that a run may begin with."""
        return replace(self, path=self.path / "sft")

    @property
    def base(self) -> Path:
        """Weights that adapters were merged into before training."""
        return self.path / "base"

    @property
    def reference(self) -> Path:
        """Weights that the adapters of a reference policy were merged into."""
        return self.path / "reference"

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    def checkpoint(self, step: int) -> Path:
        """The checkpoint that was written after this many optimizer steps."""
        return self.checkpoints / f"checkpoint-{step}"

    @property
    def policy(self) -> Path:
        """Folder of the weights that the run ended with or chose."""
        return self.path / "policy"

    @property
    def evaluation(self) -> Path:
        """Folder of the evaluations."""
        return self.path / "evaluation"

    @property
    def checkpoint_choice(self) -> Path:
        """How the checkpoints did on the validation records, and which one was chosen."""
        return self.evaluation / "checkpoints.json"

    def results(self, name: str) -> Path:
        """Every sample of the evaluation *name*, such as ``"after-greedy"``."""
        return self.evaluation / f"{name}.parquet"

    def summary(self, name: str) -> Path:
        """The summary beside them; that of a before/after comparison is called by its decoding alone."""
        return self.evaluation / f"{name}.json"

    def journal(self, name: str) -> Path:
        """Completions of an evaluation that is not complete yet."""
        return self.evaluation / f"{name}.partial.jsonl"

    def heartbeat(self, process: int) -> Path:
        """What a process of the run is doing at the moment; only there while it runs."""
        return self.path / ("heartbeat.json" if process == 0 else f"heartbeat-{process}.json")

    @property
    def lock(self) -> Path:
        """Held by the process that works on the run."""
        return self.path / ".lock"

    def stacks(self, process: int) -> Path:
        """Stacks of the threads of a process that made no progress."""
        return self.path / ("stacks.txt" if process == 0 else f"stacks-{process}.txt")

    @property
    def exists(self) -> bool:
        """Whether this is a run folder."""
        return self.config.is_file()


def run_of(path: Path) -> RunLayout | None:
    """Return the run folder that a folder is, or lies in; None if there is none."""
    if not path.exists():
        return None
    above = (path, *path.absolute().parents[:_LEVELS_ABOVE])
    return next((run for run in map(RunLayout, above) if run.exists), None)


def moved_base(adapter: Path) -> Path | None:
    """Return the base weights of the run that adapters lie in, wherever the run was moved to."""
    bases = (RunLayout(folder).base for folder in adapter.parents)
    return next((base for base in bases if (base / "config.json").is_file()), None)


def checkpoint_step(name: str) -> int | None:
    """Return the optimizer step in the name of a checkpoint; None for any other name."""
    match = _CHECKPOINT.fullmatch(name)
    return int(match[1]) if match else None


def list_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints of a folder in the order of their steps; none if it does not exist.

    Raises:
        RunError: It cannot be read: a run that then began anew would overwrite them.
    """
    try:
        return sorted((path for path in folder.iterdir() if step_of(path) >= 0), key=step_of)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunError(f"the checkpoints in {folder} cannot be read: {error.strerror or error}") from error


def step_of(checkpoint: Path) -> int:
    """Return the optimizer step that a checkpoint was written after; -1 if it is not a checkpoint."""
    step = checkpoint_step(checkpoint.name)
    return -1 if step is None else step
