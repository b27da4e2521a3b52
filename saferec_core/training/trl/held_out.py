"""Evaluate the policy on held-out prompts while it is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from saferec_core.runs.heartbeat import phase

__all__ = ["HeldOutCheck"]


class HeldOutCheck(TrainerCallback):  # type: ignore[misc]  # transformers is not followed
    """Evaluates before the first step, every so many steps, and after the last one.

    The metrics go where those of training go, under their names with ``eval_`` in front: to ``metrics.jsonl``
    and the trackers.
    """

    def __init__(self, trainer: Any, every: int, evaluate: Callable[[], Mapping[str, float]]) -> None:
        """Serve a trainer.

        Args:
            trainer: Set up, with its watcher.
            every: Optimizer steps between two evaluations.
            evaluate: Evaluates the policy as it is; called on all processes.
        """
        self._trainer = trainer
        self._every = every
        self._evaluate = evaluate

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Evaluate what training starts from."""
        if state.global_step == 0:
            self._log(args, state, control)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Evaluate where it is time."""
        if state.global_step % self._every == 0 or state.global_step == state.max_steps:
            self._log(args, state, control)

    def _log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl) -> None:
        with phase("evaluate"):
            metrics = self._evaluate()
        logs = {f"eval_{name}": value for name, value in metrics.items()}
        # Not through trainer.log, which would end the running means of the training metrics.
        self._trainer.callback_handler.on_log(args, state, control, logs)
