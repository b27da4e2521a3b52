"""Tell observer and run folder what TRL's trainers log."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import (
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from saferec_core.observer import Observer, StepReport
from saferec_core.runs import RunFolder

__all__ = ["Watcher", "save_policy", "watch"]


def watch(trainer: Trainer, watcher: Watcher) -> None:
    """Have *watcher* told what the trainer does, in place of the trainer's own printing."""
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(watcher)


def save_policy(trainer: Trainer, folder: Path) -> None:
    """Save weights and tokenizer; only the adapters' weights where adapters are trained."""
    trainer.save_model(str(folder))
    if trainer.is_world_process_zero():
        (folder / "training_args.bin").unlink(missing_ok=True)  # a pickle that nobody reads
    trainer.accelerator.wait_for_everyone()


_NOT_OURS = ("rewards/", "reward_std", "frac_reward_zero_std", "total_flos", "profiling/")
"""What TRL logs about the one scalar that it takes for the reward."""


class Watcher(TrainerCallback):  # type: ignore[misc]  # transformers is not followed
    """Reports every step, and writes every log to ``metrics.jsonl``."""

    def __init__(self, name: str, folder: RunFolder, observer: Observer) -> None:
        """Watch the stage called *name*."""
        self._name = name
        self._folder = folder
        self._observer = observer

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Announce the stage."""
        if state.is_world_process_zero:
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
        logs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Keep the figures of a log, and show them."""
        if not state.is_world_process_zero or not logs:
            return
        figures = {
            name: float(value)
            for name, value in logs.items()
            if isinstance(value, int | float) and not name.startswith(_NOT_OURS)
        }
        self._folder.append("metrics.jsonl", [{"stage": self._name, "step": state.global_step, **figures}])
        self._observer.stepped(StepReport(state.global_step, figures))

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Close the stage."""
        if state.is_world_process_zero:
            self._observer.stage_ended()
