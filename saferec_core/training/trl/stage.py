"""Train one stage: from its beginning or a checkpoint, until its end, a request to stop, or a failure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from accelerate.utils import reduce
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from saferec_core.errors import RunError, SaferecError
from saferec_core.models.memory import is_out_of_memory
from saferec_core.plugins.last_words import continues_with
from saferec_core.runs.folder import RunFolder
from saferec_core.runs.layout import RunLayout
from saferec_core.runs.observer import Observer
from saferec_core.runs.resuming import rewind
from saferec_core.runs.sealing import newest_resumable, sealed_facts
from saferec_core.runs.stopping import Stop
from saferec_core.training.trl.engine import check_engine, engine_facts
from saferec_core.training.trl.resumable import UnsavedError
from saferec_core.training.trl.vllm_engine import is_of_server, shortened

__all__ = ["train_stage"]


def train_stage(
    trainer: Any,
    *,
    folder: RunFolder,
    observer: Observer,
    stop: Stop,
    checkpoint: Path | None,
    limit: int | None,
    weights_are_kept: bool,
) -> None:
    """Train a stage.

    Args:
        trainer: Set up; its class has ``Resumable`` among its bases.
        folder: The stage's folder; its logs are cut back to where training begins.
        observer: Notified of where it begins, and of what is saved if it fails.
        stop: Asks to end after a step.
        checkpoint: A whole checkpoint to continue from; None: the stage begins anew.
        limit: How many checkpoints can be continued from.
        weights_are_kept: Whether older checkpoints keep their weights.

    Raises:
        RunStopped: It was asked to stop, and has saved.
        SaferecError: It failed; what can be saved is.
    """
    main = trainer.is_world_process_zero()
    continues_with("" if checkpoint is None else stop.command)
    if main:
        rewind(folder.path, {} if checkpoint is None else sealed_facts(checkpoint)["logs"])
        if checkpoint is not None:
            observer.note(f"Continuing from {checkpoint}.")
    check_engine(trainer)
    if main:
        folder.extend_manifest({"engine": engine_facts(trainer)})
    trainer.keep_state_in(folder.path, limit=limit, weights_are_kept=weights_are_kept)
    trainer.add_callback(_StopCheck(stop))
    try:
        with stop.after_the_step():
            if checkpoint is None:
                trainer.train()
            else:
                trainer.resume(checkpoint)
    except Exception as error:
        if _device_fault(error):
            last = newest_resumable(RunLayout(folder.path).checkpoints, observer.note)
            raise RunError(_device_advice(trainer, error, last, stop.command)) from error
        saved = _saved(trainer, observer, error)
        if is_out_of_memory(error):
            raise RunError(_memory_advice(trainer, saved)) from error
        if _server_lost(trainer, error):
            raise RunError(_server_advice(trainer, error, saved, stop.command)) from error
        raise


def _saved(trainer: Any, observer: Observer, failure: Exception) -> Path | None:
    """Save what was trained before a failure; failing to save does not hide that failure."""
    try:
        saved: Path | None = trainer.save_after_failure()
    except SaferecError as error:
        # Where writing a checkpoint is what failed, the failure says it already.
        if not (isinstance(error, UnsavedError) and isinstance(failure, UnsavedError)):
            observer.note(str(error))
        return None
    except Exception as error:  # noqa: BLE001 - after a CUDA fault nothing on the device can be read
        observer.note(
            f"The state could not be saved ({type(error).__name__}: {str(error).partition(chr(10))[0]})."
        )
        return None
    if saved is not None:
        observer.note(f"The state after the last complete step is saved in {saved}.")
    return saved


def _device_fault(error: Exception) -> bool:
    """Whether a GPU met an assertion or another error after which nothing can be read from it."""
    text = str(error)
    broken = "device-side assert" in text or "CUDA error" in text
    return isinstance(error, RuntimeError) and broken and not is_out_of_memory(error)


def _device_advice(trainer: Any, error: Exception, last: Path | None, command: str) -> str:
    step, reason = trainer.state.global_step + 1, str(error).partition("\n")[0]
    begin = "it has no checkpoint and begins anew" if last is None else f"its last checkpoint is {last}"
    return (
        f"the GPU failed in step {step} ({reason}). Nothing can be read from it any more, so that the state "
        f"of the run could not be saved; {begin}. Continue with: {command}\n"
        "If 'probability tensor contains inf, nan' stands above, the policy's logits were not finite: use a "
        "smaller --learning-rate or --no-bf16. After any other assertion, set CUDA_LAUNCH_BLOCKING=1 to see "
        "where it comes from."
    )


def _server_lost(trainer: Any, error: Exception) -> bool:
    """Whether an error comes from requests to a vLLM server."""
    uses_server = getattr(trainer.args, "use_vllm", False) and trainer.args.vllm_mode == "server"
    return uses_server and (isinstance(error, OSError) or is_of_server(error))  # requests raise OSError


def _server_advice(trainer: Any, error: Exception, saved: Path | None, command: str) -> str:
    args = trainer.args
    return (
        f"the vLLM server at {args.vllm_server_host}:{args.vllm_server_port} no longer answers as it should "
        f"({type(error).__name__}: {shortened(error)}). "
        f"Start it again and continue with: {command}"
        + ("" if saved is None else f"\nWhat was trained so far is in {saved}.")
    )


def _memory_advice(trainer: Any, saved: Path | None) -> str:
    step = trainer.state.global_step + 1
    return (
        f"out of memory in step {step}. What helps, in this order: --gradient-checkpointing; half of "
        "--per-device-train-batch-size with twice the --gradient-accumulation-steps; a shorter "
        "--max-completion-length or --max-prompt-length (Safe SFT: --max-length)."
        + (
            ""
            if saved is None
            else f" What was trained so far is in {saved}; a new run with other settings can start from it "
            f"({trainer.starts_with} {saved})."
        )
    )


class _StopCheck(TrainerCallback):  # type: ignore[misc]  # transformers is not followed
    """Saves and stops after a step if any process was asked to stop."""

    def __init__(self, stop: Stop) -> None:
        """Ask *stop* after every step."""
        self._stop = stop

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Name the command that continues the run, should the process die."""
        continues_with(self._stop.command)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Decide together: a signal reaches the processes at different moments."""
        status = self._stop.step_ended()
        if args.world_size > 1:
            statuses = torch.zeros(args.world_size, dtype=torch.int32, device=args.device)
            statuses[args.process_index] = status
            status = int(reduce(statuses, "sum").max())
        if status:
            self._stop.request = status
            control.should_save = control.should_training_stop = True
