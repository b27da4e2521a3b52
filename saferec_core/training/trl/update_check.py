"""Measure on a real optimizer step whether the weights move, and stop a run that learns nothing."""

from __future__ import annotations

from typing import Any

import torch
from accelerate.utils import reduce
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from saferec_core.config.presets import Stage
from saferec_core.config.schema import SftConfig, TrainConfig
from saferec_core.errors import RunError
from saferec_core.runs.folder import RunFolder
from saferec_core.runs.observer import Observer
from saferec_core.training.precision import (
    Moved,
    UpdateProbe,
    adapter_rate_advice,
    check_rate,
    gradients_vanish,
    lost_in_rounding,
    masters_in_float32,
    precision_facts,
    slow_bfloat16,
    trained,
)
from saferec_core.training.trl.finiteness import check_gradient

__all__ = ["UpdateCheck", "check_precision"]

_SILENT = 5
"""Measurements in a row without any gradient after which the user is notified."""


def check_precision(
    trainer: Trainer, config: SftConfig | TrainConfig, folder: RunFolder, observer: Observer, *, engine: str
) -> None:
    """Keep trained parameters in float32, refuse those that could not move, and watch whether they do.

    Args:
        trainer: Set up, its training not begun.
        config: The stage's configuration.
        folder: Gets the data types in its manifest.
        observer: Notified of what is wrong.
        engine: The generation engine, for the manifest.

    Raises:
        ConfigError: The learning rate cannot move the weights.
    """
    stage: Stage = "sft" if isinstance(config, SftConfig) else "train"
    masters_in_float32(trainer.model, config.model)
    check_rate(trained(trainer.model), config.optimization)
    if trainer.is_world_process_zero():
        folder.extend_manifest({"precision": precision_facts(trainer.model, config.optimization, engine)})
        for advice in (adapter_rate_advice(config), slow_bfloat16(config.optimization)):
            if advice:
                observer.note(advice)
    trainer.callback_handler.callbacks.insert(0, UpdateCheck(trainer, observer, stage))


class UpdateCheck(TrainerCallback):  # type: ignore[misc]  # transformers is not followed
    """Measures the share of weights that a step moves: on the first step, then on every step that is logged.

    A first step whose updates are lost in rounding stops the run; later ones, gradients that are next to
    nothing, and several steps without a gradient are reported once. The share is logged as ``weights_moved``.
    """

    def __init__(self, trainer: Trainer, observer: Observer, stage: Stage) -> None:
        """Watch a trainer's model."""
        self._trainer = trainer
        self._stage: Stage = stage
        self._probe = UpdateProbe([])
        self._observer = observer
        self._measuring = self._logged = False
        self._passed = False
        self._without_gradient = 0
        self._warned = False
        self._last: float | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Look up the parameters once the engines have wrapped them."""
        self._probe = UpdateProbe(trained(self._trainer.model))

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Remember the weights if this step is measured."""
        self._logged = (state.global_step + 1) % args.logging_steps == 0
        self._measuring = self._probe.sees_something and (self._logged or not self._passed)
        if self._measuring:
            self._probe.remember()

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Note which weights have a gradient; it is gone after the step.

        Raises:
            RunError: The gradient is not finite; the weights are still those of the last step.
        """
        check_gradient(self._trainer.model, state.global_step + 1)
        if self._measuring:
            self._probe.see_gradients()

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Compare.

        Raises:
            RunError: The updates of the first step were lost in rounding.
        """
        if not self._measuring:
            return
        rate = float(kwargs["optimizer"].param_groups[0]["lr"])
        moved = _over_all_processes(self._probe.moved(rate), args.device)
        if rate == 0:  # the first step of a warm-up
            return
        if not moved.with_gradient:
            self._no_gradient()
            return
        self._without_gradient = 0
        if self._logged:
            self._last = moved.share
        if not moved.too_few:
            self._passed = True
        elif moved.by_rounding and not self._passed:
            raise RunError(lost_in_rounding(moved, rate))
        elif rate > 0.1 * args.learning_rate and not self._warned:
            self._warned = True
            self._observer.note(
                f"Step {state.global_step + 1} moved only {moved.share:.1%} of the weights that had a "
                "gradient: updates are lost in rounding."
                if moved.by_rounding
                else gradients_vanish(moved, rate, self._probe.gradient, self._stage)
            )

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Add the share to what is logged."""
        if logs and "loss" in logs and self._last is not None:
            logs["weights_moved"], self._last = self._last, None

    def _no_gradient(self) -> None:
        self._without_gradient += 1
        if self._without_gradient == _SILENT:
            self._observer.note(
                f"No weight had a gradient in the last {_SILENT} measured steps: nothing is learned. In "
                "Safe-Rank-GRPO this happens where all siblings of every group earn the same reward."
            )


def _over_all_processes(moved: Moved, device: torch.device) -> Moved:
    """Add up the counts of processes that hold different weights, so that all make the same decision."""
    counts = reduce(torch.tensor(moved, dtype=torch.float64, device=device), "sum").tolist()
    return Moved(*map(int, counts))
