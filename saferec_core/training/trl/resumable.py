"""Trainers whose checkpoints are written atomically and hold everything that a step depends on.

Beyond what transformers saves (weights, optimizer, scheduler, random generators, trainer state) a step
depends on TRL's buffer of scored completions and the position in it, on metrics that are not logged yet,
and on plugins that have a state. Each process saves its own. The attributes of TRL and transformers that are
saved are listed in ``_ATTRIBUTES``; one that a version does not have is left out.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from saferec_core.errors import RunError, SaferecError
from saferec_core.files import remove
from saferec_core.models.memory import is_out_of_memory
from saferec_core.plugins.calls import calling, named
from saferec_core.plugins.kept_state import has_state, kept_state
from saferec_core.runs.checkpoints import TRAINING_STATE
from saferec_core.runs.layout import RunLayout, list_checkpoints
from saferec_core.runs.sealing import damage, seal, sealed_facts, thin
from saferec_core.training.trl.random_states import random_state, set_random_state

__all__ = ["Resumable", "StepState", "UnsavedError", "parts_with_state"]

_ATTRIBUTES = (
    "_step",
    "_buffered_inputs",
    "_total_train_tokens",
    "_current_train_step_time",
    "_tr_loss",
    "_total_loss_scalar",
    "_globalstep_last_logged",
    "_initial_global_step",
)
_NOT_NEEDED = ("training_args.bin", "README.md")
"""Files that the engines write into every checkpoint: an unused pickle, and a model card about "None"."""


class UnsavedError(RunError):
    """A checkpoint cannot be written."""


class Resumable:
    """Mixin that precedes a TRL trainer among the bases of a class."""

    _draft: Path | None = None
    _resumed: Path | None = None
    _first_epoch_from: Path | None = None
    _epoch_random: dict[str, Any] | None = None
    """The random generators as an epoch began: samplers draw its order from them."""
    _at_step_begin: dict[str, Any] | None = None
    _moving = False
    """Whether the weights are being moved, so that they belong to no step."""
    starts_with = "--model"
    """Flag of the policy that a stage starts from."""
    stage_folder: Path
    """Folder of the stage, whose logs go with its checkpoints."""
    kept_whole: int | None
    """How many checkpoints keep their training state, the newest; None: all."""
    weights_are_kept: bool
    """Whether older checkpoints keep their weights, for one of them to be chosen."""

    def keep_state_in(self: Any, folder: Path, *, limit: int | None, weights_are_kept: bool) -> None:
        """Set where the stage's logs are and how many checkpoints are kept; call before training."""
        self.stage_folder, self.kept_whole, self.weights_are_kept = folder, limit, weights_are_kept
        self.callback_handler.callbacks.insert(0, StepState(self))

    def stateful_parts(self) -> Mapping[str, Any]:
        """Return what has a state of its own that a step depends on, by name.

        Each has ``state_dict()``, of tensors, numbers, text and containers of these, and ``load_state_dict``.
        """
        return {}

    def resume(self: Any, checkpoint: Path) -> None:
        """Continue training from a checkpoint that is whole.

        Raises:
            RunError: It was written by another number of processes, or by versions that keep something else.
        """
        processes = sealed_facts(checkpoint)["processes"]
        if processes != self.args.world_size:
            raise RunError(
                f"{checkpoint} was written by {processes} process(es), but {self.args.world_size} work now; "
                f"launch {processes} again, since each process holds a part of the rollouts"
            )
        self._resumed = self._first_epoch_from = checkpoint
        try:
            self.train(resume_from_checkpoint=str(checkpoint))
        except Exception as error:
            began = self._resumed is None
            if began or isinstance(error, SaferecError) or is_out_of_memory(error):
                raise
            raise RunError(
                f"cannot resume from {checkpoint}, although it is intact: {type(error).__name__}: {error}. "
                "It may be of other versions of saferec, TRL or transformers (manifest.json names them). "
                f"Install those, or start a new run from its weights with {self.starts_with} {checkpoint}"
            ) from error

    def process_state(self: Any) -> dict[str, Any]:
        """Return all that transformers does not save, in types that are read without running code."""
        state = {name: _now(getattr(self, name)) for name in _ATTRIBUTES if hasattr(self, name)}
        metrics = getattr(self, "_metrics", {})
        state["_metrics"] = {mode: {k: list(v) for k, v in of.items()} for mode, of in metrics.items()}
        state["epoch_random"] = self._epoch_random
        parts = self.stateful_parts().items()
        state["parts"] = {name: kept_state(part, named(name, part)) for name, part in parts}
        return state

    def restore_process_state(self: Any) -> None:
        """Put back what :meth:`process_state` returned; once the engines have set their own beginnings."""
        if self._resumed is None:
            return
        path = self._resumed / _state_name(self.args.process_index)
        device = self.args.device
        if device.type == "cpu":  # among several processes it is cpu:0, which torch.load does not know
            device = torch.device("cpu")
        state = torch.load(path, map_location=device, weights_only=True)
        for name in _ATTRIBUTES:
            if name in state and hasattr(self, name):
                setattr(self, name, state[name])
        if hasattr(self, "_metrics"):
            self._metrics = {mode: defaultdict(list, of) for mode, of in state["_metrics"].items()}
        self._epoch_random = state["epoch_random"]
        for name, part in self.stateful_parts().items():
            if name not in state["parts"]:
                raise RunError(
                    f"cannot resume from {self._resumed}: {named(name, part)} has a state now, and had none "
                    "when the checkpoint was written; install the version that the run began with "
                    "(manifest.json)"
                )
            with calling(named(name, part), doing=f" to take up its state from {self._resumed}"):
                part.load_state_dict(state["parts"][name])
        self._resumed = None

    def remember_step(self: Any) -> None:
        """Keep the state between two steps, should the one that begins fail."""
        tokens = self.state.num_input_tokens_seen  # TRL adds to it while it generates
        self._at_step_begin = {**self.process_state(), "rng": random_state(), "tokens": tokens}

    def save_after_failure(self: Any) -> Path | None:
        """Save the state as it was after the last complete step; None where that cannot be.

        It cannot be with several processes, since the others may be waiting for this one, or where the step
        failed while it was changing the weights.
        """
        state, step = self._at_step_begin, int(self.state.global_step)
        if state is None or step == 0 or self.args.world_size > 1 or self._moving:
            return None
        set_random_state(state.pop("rng"))
        self.state.num_input_tokens_seen = state.pop("tokens")
        self.model.zero_grad()
        self._save_checkpoint(self.model, None, failed=True)
        target: Path = self._target()
        return target

    def create_model_card(self, *_args: Any, **_kwargs: Any) -> None:
        """Write no card: a checkpoint is part of a run, whose manifest documents it."""

    def _target(self: Any) -> Path:
        return Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"

    def _get_output_dir(self: Any, trial: Any) -> str:
        return str(self._draft) if self._draft is not None else super()._get_output_dir(trial)  # type: ignore[misc]

    def _run_epoch(self: Any, *args: Any, **kwargs: Any) -> None:
        """Train an epoch in the order that it had before; none if the run was resumed after its last step."""
        if self.state.global_step >= self.state.max_steps:
            self.control.should_training_stop = True
            self.model.train()  # TRL logs the figures of training only in this mode
            return
        if self._first_epoch_from is not None:
            if kwargs["steps_trained_in_current_epoch"] > 0:
                # That of the checkpoint follows once batches are skipped.
                set_random_state(self._epoch_random)
            else:
                self._load_rng_state(str(self._first_epoch_from))
            self._first_epoch_from = None
        self._epoch_random = random_state()
        super()._run_epoch(*args, **kwargs)  # type: ignore[misc]

    def _save_checkpoint(self: Any, model: Any, trial: Any, *, failed: bool = False) -> None:
        """Write a checkpoint under another name, seal it, and rename it to its final name.

        Raises:
            UnsavedError: It cannot be written; those before it are as they were.
        """
        target = self._target()
        main = self.is_world_process_zero()
        if target in list_checkpoints(target.parent) and not damage(target):
            return  # already saved when the request to stop came
        draft = Path(self.args.output_dir) / ".saving"
        if main:
            shutil.rmtree(draft, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        self._draft = draft
        try:
            super()._save_checkpoint(model, trial)  # type: ignore[misc]
            state = self._at_step_begin if failed else self.process_state()
            torch.save(state, draft / target.name / _state_name(self.args.process_index))
            self.accelerator.wait_for_everyone()
            if main:
                self._put_in_place(draft / target.name, target)
            self.accelerator.wait_for_everyone()
        except (OSError, SafetensorError, RuntimeError) as error:
            shutil.rmtree(draft, ignore_errors=True)
            if isinstance(error, RuntimeError) and not _is_of_writing(error):
                raise
            reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:200]
            if isinstance(error, RuntimeError):
                reason = f"the disk may be full ({reason})"
            intact = ". Those before it are intact" if list_checkpoints(target.parent) else ""
            raise UnsavedError(f"checkpoint {target} cannot be written: {reason}{intact}") from error
        finally:
            self._draft = None

    def _put_in_place(self: Any, draft: Path, target: Path) -> None:
        for name in _NOT_NEEDED:
            (draft / name).unlink(missing_ok=True)
        logs = {path.name: path.stat().st_size for path in RunLayout(self.stage_folder).logs if path.exists()}
        step = int(self.state.global_step)
        seal(draft, {"step": step, "processes": int(self.args.world_size), "logs": logs})
        remove(target)  # damaged, if it exists
        draft.replace(target)
        shutil.rmtree(draft.parent, ignore_errors=True)
        if self.kept_whole is not None:
            _thin_out(
                list_checkpoints(target.parent), self.kept_whole, weights_are_kept=self.weights_are_kept
            )


def _is_of_writing(error: RuntimeError) -> bool:
    """Tell whether torch could not write a file; if it notices only at the end, it names a wrong position."""
    text = str(error)
    return "writing file" in text or ("inline_container" in text and "unexpected pos" in text)


def _thin_out(checkpoints: Sequence[Path], kept: int, *, weights_are_kept: bool) -> None:
    """Delete what older checkpoints hold from the disk."""
    for checkpoint in checkpoints[:-kept]:
        if weights_are_kept:
            thin(checkpoint, TRAINING_STATE)
        else:
            shutil.rmtree(checkpoint, ignore_errors=True)


def parts_with_state(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return those that can save and load a state."""
    return {name: part for name, part in parts.items() if has_state(part, named(name, part))}


class StepState(TrainerCallback):  # type: ignore[misc]  # transformers is not followed
    """Restores a trainer's state when training begins, and remembers it between two steps."""

    def __init__(self, trainer: Any) -> None:
        """Serve one trainer."""
        self._trainer = trainer

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Put back what the checkpoint holds."""
        self._trainer.restore_process_state()

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Keep the state before the step."""
        self._trainer.remember_step()

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Note that the weights begin to move."""
        self._trainer._moving = True

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Note that they have moved."""
        self._trainer._moving = False


def _now(value: Any) -> Any:
    """Copy a running sum: transformers adds to the tensor itself."""
    return value.clone() if isinstance(value, torch.Tensor) else value


def _state_name(process: int) -> str:
    return f"process_state_{process}.pth"
