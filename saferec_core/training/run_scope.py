"""What surrounds the training of either stage: processes that join, the run folder, requests to stop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Literal

from saferec_core.config.durations import seconds
from saferec_core.config.schema import SftConfig, TrainConfig
from saferec_core.errors import ConfigError, RunError, SaferecError
from saferec_core.plugins.contracts.lifecycle import RunStarted
from saferec_core.plugins.offered import Plugins
from saferec_core.runs.distributed import from_main, is_main, join, lonely_launch, lost_contact, process_index
from saferec_core.runs.folder import RunFolder
from saferec_core.runs.heartbeat import watched
from saferec_core.runs.layout import list_checkpoints
from saferec_core.runs.observer import Observer, with_hooks
from saferec_core.runs.resuming import OpenRun
from saferec_core.runs.sealing import damage
from saferec_core.runs.stopping import Stop
from saferec_core.runs.working import working_on

__all__ = ["LESS_MEMORY", "begin", "joined", "stop_of", "whole_checkpoints", "within"]

LESS_MEMORY = (
    "--use-lora",
    "--load-in-4bit with it",
    "a smaller --vllm-gpu-memory-utilization where vLLM shares the GPU",
)
"""What makes a model fit that does not."""


def joined(config: SftConfig | TrainConfig, plugins: Plugins, observer: Observer) -> Observer:
    """Let this process join those that it was launched with; return whom it reports to.

    Of several processes only the main one reports.

    Raises:
        ConfigError: No model is named, or the processes cannot work together.
    """
    if config.model.model is None:
        raise ConfigError("no model is named; give --model (hub id, folder or GGUF file)")
    join(config.processes, seconds(config.process_timeout))
    observer = with_hooks(observer, plugins) if is_main() else Observer()
    if note := lonely_launch():
        observer.note(note)
    return observer


def stop_of(config: SftConfig | TrainConfig, folder: RunFolder, command: str) -> Stop:
    """Return the object that notices requests to stop a run and names the command that continues it."""
    limit = config.logging.max_time
    return Stop(f"saferec {command} --resume-from {folder.path}", None if limit is None else seconds(limit))


@contextmanager
def within(
    config: SftConfig | TrainConfig, folder: RunFolder, observer: Observer, *, opened: OpenRun, stop: Stop
) -> Iterator[None]:
    """Work in a run folder: no other command does, requests to stop are noticed, a heartbeat is written.

    A new run folder is removed if the run fails before its first step has ended; a resumed one never is.
    """
    discarded = nullcontext() if opened.is_resumed else folder.discarded_unless(lambda: stop.any_step_ended)
    heartbeat = _heartbeat(config, folder, observer)
    with working_on(folder), stop.listening(), discarded, _continuable(stop, opened), heartbeat, _contact():
        yield


@contextmanager
def _contact() -> Iterator[None]:
    """Name the loss of another process, which raises wherever this one waits for it."""
    try:
        yield
    except RuntimeError as error:
        if reason := lost_contact(error):
            raise RunError(
                "contact with the other processes of the run is lost: one ended, was killed (possibly out "
                "of memory), or did not answer within --process-timeout. If it could say why, that is above. "
                f"({reason})"
            ) from error
        raise


@contextmanager
def _continuable(stop: Stop, opened: OpenRun) -> Iterator[None]:
    """Add to an error how to continue, if anything was trained."""
    try:
        yield
    except SaferecError as error:
        if (stop.any_step_ended or opened.is_resumed) and stop.command not in str(error):
            error.add_note(f"Once the cause is repaired, continue with: {stop.command}")
        raise


def begin(
    config: SftConfig | TrainConfig,
    plugins: Plugins,
    folder: RunFolder,
    stage: Literal["sft", "train"],
    observer: Observer,
    *,
    form: Mapping[str, Any],
) -> None:
    """Write the manifest of a stage and tell the observer that it starts.

    Args:
        config: The stage.
        plugins: What is installed.
        folder: Gets the manifest.
        stage: Which stage it is.
        observer: Told.
        form: What the training prompts look like, as the policy is to be asked later.

    Raises:
        RunError: It is resumed with other data than it began with; raised on every process.
    """

    def write() -> list[str]:
        notes = folder.write_manifest(config, plugins, stage)
        folder.extend_manifest({"prompts": form})
        return notes

    for sentence in from_main(write):
        observer.note(sentence)
    observer.happened(RunStarted(stage, folder.path, config.model_dump(mode="json")))


def whole_checkpoints(folder: RunFolder, observer: Observer) -> list[Path]:
    """Return the checkpoints of a stage to choose among; damaged ones are reported and left out."""

    def look() -> list[Path]:
        whole = []
        for checkpoint in list_checkpoints(folder.checkpoints):
            if reason := damage(checkpoint):
                observer.note(f"{checkpoint} is damaged and is left out: {reason}.")
            else:
                whole.append(checkpoint)
        return whole

    return from_main(look)


def _heartbeat(
    config: SftConfig | TrainConfig, folder: RunFolder, observer: Observer
) -> AbstractContextManager[None]:
    """Report what the run is doing, on every process."""
    limit = config.logging.stall_time
    stall = None if limit is None else seconds(limit)
    return watched(folder, process=process_index(), stall_seconds=stall, report=observer.note)
