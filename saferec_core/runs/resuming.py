"""Continuing a run: which folder, from which checkpoint, and that it is the same run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any

import yaml

from saferec_core.config.schema import StageConfig
from saferec_core.config.settings import as_yaml
from saferec_core.errors import RunError
from saferec_core.runs.checkpoints import run_folder_of
from saferec_core.runs.folder import RunFolder
from saferec_core.runs.layout import RunLayout, list_checkpoints, step_of
from saferec_core.runs.manifest import is_finished
from saferec_core.runs.sealing import damage, newest_resumable, sealed_facts

__all__ = ["OpenRun", "differences", "find_run", "open_run", "rewind"]

_MAY_DIFFER = {
    "logging.max_time",
    "logging.report_to",
    "logging.save_total_limit",
    "logging.stall_time",
    "output_dir",
    "preset",
    "process_timeout",
    "processes",
    "run_name",
    "sft.logging.max_time",
    "sft.logging.report_to",
    "sft.logging.save_total_limit",
    "sft.logging.stall_time",
}
"""Settings that change no number of a run, so that it may be resumed with other values. All of alarms are."""


@dataclass(frozen=True)
class OpenRun:
    """A run folder to work in, new or continued."""

    path: Path
    is_resumed: bool = False
    checkpoint: Path | None = None
    """The checkpoint that the user has named to continue from; None: the newest one that is whole."""

    @property
    def is_complete(self) -> bool:
        """Whether the run has been finished before, and its policy is there."""
        run = RunLayout(self.path)
        return self.is_resumed and is_finished(run) and run.policy.is_dir()

    def start_of(self, stage: Path, report: Callable[[str], None]) -> Path | None:
        """Return the checkpoint that a stage continues from; None: it begins anew.

        A checkpoint that the user has named makes the later ones of its stage stand aside.

        Args:
            stage: Folder of the stage.
            report: Called with a sentence for every damaged checkpoint that is passed over.

        Raises:
            RunError: The named checkpoint is damaged or holds only weights.
        """
        if not self.is_resumed:
            return None
        folder = RunLayout(stage).checkpoints
        named = self.checkpoint
        if named is None or named.resolve().parent != folder.resolve():
            return newest_resumable(folder, report)
        if reason := damage(named):
            raise RunError(
                f"cannot resume from {named}: {reason}; --resume-from {self.path} takes another one"
            )
        if not sealed_facts(named).get("resumable", True):
            raise RunError(f"cannot resume from {named}: only its weights were kept (--save-total-limit)")
        for later in list_checkpoints(folder):
            if step_of(later) > step_of(named):
                later.rename(_aside(later))
        return named


def _aside(checkpoint: Path) -> Path:
    """Return where a checkpoint stands aside, also if one of its step does so already."""
    names = chain(["superseded"], (f"superseded-{number}" for number in count(2)))
    aside = (checkpoint.with_name(f"{name}-{checkpoint.name}") for name in names)
    return next(path for path in aside if not path.exists())


def open_run(config: StageConfig, command: str, note: Callable[[str], None]) -> OpenRun:
    """Make the folder of a run, or find the one to continue.

    Args:
        config: The run, resolved.
        command: Name of the command, for the folder's name.
        note: Called with a sentence where there is nothing to resume, or something that could be.

    Raises:
        RunError: The folder cannot be made, or the run to resume has other settings.
    """
    if config.resume_from is not None:
        run: Path | None = run_folder_of(config.resume_from)
    else:
        run = find_run(config) if config.resume else None
    if run is None:
        if config.resume:
            note("No run with these settings exists yet, so a new one is started.")
        elif config.run_name is None and (same := find_run(config)) and not is_finished(RunLayout(same)):
            note(f"{same} has these settings and did not finish; --resume continues it. This is a new run.")
        return OpenRun(RunFolder.create(config, command).path)
    if differing := differences(run, config):
        listed = "".join(f"\n  {difference}" for difference in differing)
        raise RunError(
            f"run {run} has other settings and cannot be resumed with these:{listed}\n"
            f"'saferec {command} --resume-from {run}' alone resumes it with its own; a new run needs another "
            "--run-name."
        )
    layout = RunLayout(run)
    if is_finished(layout) and not layout.policy.is_dir() and not list_checkpoints(layout.checkpoints):
        raise RunError(
            f"run {run} is finished, but its policy and its checkpoints were removed. To train it again, "
            "choose another --run-name: the logs of this one would be overwritten"
        )
    named = config.resume_from
    if named is not None and named.is_symlink() and named.resolve() != run.resolve():
        named = named.resolve()
    is_checkpoint = named is not None and step_of(named) >= 0
    return OpenRun(run, is_resumed=True, checkpoint=named if is_checkpoint else None)


def find_run(config: StageConfig) -> Path | None:
    """Return the folder that ``--resume`` means: by the run's name, else the newest with these settings."""
    if config.run_name is not None:
        named = config.output_dir / config.run_name
        return named if RunLayout(named).exists else None
    runs = [run for run in map(RunLayout, config.output_dir.glob("[!.]*")) if run.exists]
    runs.sort(key=lambda run: run.config.stat().st_mtime, reverse=True)
    return next((run.path for run in runs if not differences(run.path, config)), None)


def differences(folder: Path, config: StageConfig) -> list[str]:
    """Return each setting that differs from the run's own and changes its numbers, as a phrase."""
    try:
        stored = yaml.safe_load(RunLayout(folder).config.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        return [f"config.yaml cannot be read: {error}"]
    if not isinstance(stored, Mapping):
        return ["config.yaml is damaged: it holds no settings"]
    then, now = (dict(_flat(settings)) for settings in (stored, yaml.safe_load(as_yaml(config))))
    return [
        f"{key} was {then.get(key)!r}, is now {now.get(key)!r}"
        for key in sorted(then.keys() | now.keys())
        if then.get(key) != now.get(key) and key not in _MAY_DIFFER and not key.startswith("alarms.")
    ]


def rewind(folder: Path, sizes: Mapping[str, int]) -> None:
    """Cut the logs of a run back to what they were when a checkpoint was written; all else stays.

    Args:
        folder: Folder of the stage.
        sizes: Sizes in bytes, by file name; a log that is not among them did not exist.
    """
    for path in RunLayout(folder).logs:
        size = sizes.get(path.name, 0)
        if path.exists() and path.stat().st_size > size:
            os.truncate(path, size)


def _flat(settings: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(settings, Mapping) and settings:
        for key, value in settings.items():
            yield from _flat(value, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, settings
