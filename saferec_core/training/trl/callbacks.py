"""Pass what TRL's trainers log on to the observer and the run folder."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from transformers import (
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.integrations import (
    INTEGRATION_TO_CALLBACK,
    TensorBoardCallback,
    TrackioCallback,
    WandbCallback,
)

from saferec_core.config.schema import StageConfig
from saferec_core.config.settings import as_yaml
from saferec_core.errors import RunError
from saferec_core.files import remove
from saferec_core.plugins.contracts.alarm import LogRow
from saferec_core.plugins.contracts.lifecycle import CheckpointSaved
from saferec_core.runs.checkpoints import copy_weights
from saferec_core.runs.folder import RunFolder
from saferec_core.runs.observer import Observer, StepReport
from saferec_core.training.alarms import AlarmWatch, is_of_training

__all__ = ["Watcher", "save_policy", "watch"]

_TRACKERS = (TensorBoardCallback, TrackioCallback, WandbCallback)
"""What ``logging.report_to`` can name."""


def watch(trainer: Trainer, watcher: Watcher, config: StageConfig) -> None:
    """Have *watcher* follow the trainer, instead of the trainer's own printing.

    Trackers run after it and so receive the metrics that it keeps, under the same names. A tracker that
    transformers adds on its own, because of an environment variable, is removed.

    Args:
        trainer: Set up, its training not begun.
        watcher: Writes and shows the metrics.
        config: The stage; trackers keep it beside the settings of the engine.
    """
    trainer.remove_callback(PrinterCallback)
    known = tuple(INTEGRATION_TO_CALLBACK.values())
    trackers = [callback for callback in trainer.callback_handler.callbacks if isinstance(callback, known)]
    for tracker in trackers:
        trainer.remove_callback(tracker)
    trainer.add_callback(watcher)
    for tracker in trackers:
        if isinstance(tracker, _TRACKERS):
            trainer.add_callback(tracker)
        if isinstance(tracker, TensorBoardCallback) and tracker.logging_dir is None:
            tracker.logging_dir = str(watcher.folder.path / "tensorboard")
        if isinstance(tracker, WandbCallback):
            trainer.add_callback(_WandbEnd())
    trainer.add_callback(_Settings(trackers, config))


def save_policy(trainer: Trainer, folder: Path) -> None:
    """Save weights and tokenizer; only the adapters' weights where adapters are trained.

    The folder appears complete or not at all.

    Raises:
        RunError: It cannot be written.
    """
    draft = folder.with_name(f".{folder.name}.written")
    if trainer.is_world_process_zero():
        remove(draft)
    trainer.accelerator.wait_for_everyone()
    try:
        trainer.save_model(str(draft))
    except (OSError, SafetensorError) as error:
        remove(draft)
        reason = getattr(error, "strerror", None) or error
        raise RunError(f"the policy cannot be written to {folder}: {reason}") from error
    if trainer.is_world_process_zero():
        copy_weights(draft, folder)
        remove(draft)
    trainer.accelerator.wait_for_everyone()


_NOT_OURS = ("rewards/", "reward_std", "frac_reward_zero_std", "total_flos", "profiling/")
"""What TRL logs about the one scalar that it sees as the reward."""


class _Settings(TrainerCallback):  # type: ignore[misc]  # transformers is not followed
    """Gives trackers the configuration; its turn comes after theirs, when they have begun a run."""

    def __init__(self, trackers: Sequence[TrainerCallback], config: StageConfig) -> None:
        """Serve these trackers."""
        self._trackers = trackers
        self._config = config

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Write it under the name ``saferec``."""
        if not state.is_world_process_zero:
            return
        settings = {"saferec": self._config.model_dump(mode="json")}
        for tracker in self._trackers:
            if isinstance(tracker, TensorBoardCallback) and tracker.tb_writer is not None:
                tracker.tb_writer.add_text("saferec", f"```yaml\n{as_yaml(self._config)}```")
            elif isinstance(tracker, WandbCallback):
                import_module("wandb").config.update(settings, allow_val_change=True)
            elif isinstance(tracker, TrackioCallback):
                import_module("trackio").config.update(settings, allow_val_change=True)


class _WandbEnd(TrainerCallback):  # type: ignore[misc]  # transformers is not followed
    """Ends wandb's run with the stage that began it; otherwise the next stage would log into it."""

    def __init__(self) -> None:
        """Note whether a run is already active, which is then not ours to end."""
        self._wandb = import_module("wandb")
        self._not_ours = self._wandb.run is not None

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """End it; its callback came before this one."""
        if state.is_world_process_zero and not self._not_ours:
            self._wandb.finish()


class Watcher(TrainerCallback):  # type: ignore[misc]  # transformers is not followed
    """Reports every step, and writes every log to ``metrics.jsonl``."""

    def __init__(
        self, name: str, folder: RunFolder, observer: Observer, alarms: AlarmWatch | None = None
    ) -> None:
        """Watch the stage called *name*, with alarms if there are any."""
        self._name = name
        self.folder = folder
        self._observer = observer
        self._alarms = alarms

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Announce the stage; a resumed one continues its log, which was cut back to the checkpoint."""
        if state.is_world_process_zero:
            if self._alarms is not None:
                self._alarms.continue_from(self.folder.metrics, self._name)
            self._observer.stage_began(self._name, state.max_steps)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Report progress."""
        if state.is_world_process_zero:
            self._observer.stepped(StepReport(state.global_step))

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Keep and show the metrics of a log, and leave only those to the trackers that run after this."""
        if not logs:
            return
        figures = {
            name: float(value)
            for name, value in logs.items()
            if isinstance(value, int | float) and not name.startswith(_NOT_OURS)
        }
        logs.clear()
        logs.update(figures)
        if not state.is_world_process_zero:
            return
        row: dict[str, Any] = {"stage": self._name, "step": state.global_step, **figures}
        raised = self._look({"step": float(state.global_step), **figures}, last=_is_last(state))
        if raised:
            row["alarms"] = raised
        self.folder.append(self.folder.metrics, [row])
        self._observer.stepped(StepReport(state.global_step, figures))

    def _look(self, figures: LogRow, *, last: bool) -> dict[str, str]:
        """Ask the alarms about a row of training figures; others, such as the closing ones, say nothing."""
        if self._alarms is None or not is_of_training(figures):
            return {}
        return self._alarms.look(figures, last=last)

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Report a checkpoint, which is whole and in its place by now."""
        if state.is_world_process_zero:
            folder = self.folder.checkpoints / f"checkpoint-{state.global_step}"
            self._observer.happened(CheckpointSaved(state.global_step, folder))

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Close the stage."""
        if state.is_world_process_zero:
            self._observer.stage_ended()


def _is_last(state: TrainerState) -> bool:
    return bool(state.global_step >= state.max_steps)
