"""The first stage: Safe SFT, and the choice of a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from saferec_core.config.durations import seconds
from saferec_core.config.schema import SftConfig, TrainConfig
from saferec_core.data.records import Record
from saferec_core.data.truncate import Fitted, fit_records
from saferec_core.errors import ConfigError, DataError
from saferec_core.evaluation.protocol import described
from saferec_core.evaluation.setup import Parts, assemble, require_path
from saferec_core.models.lengths import token_lengths
from saferec_core.models.loading import Policy, declared_context, load_policy, merged_folder
from saferec_core.models.memory import memory_advised
from saferec_core.models.record_view import RecordReader
from saferec_core.plugins.contracts.lifecycle import RunFinished, RunStarted
from saferec_core.plugins.manager import Plugins
from saferec_core.runs.checkpoints import copy_weights, remove_passed_over, resolve_folder
from saferec_core.runs.distributed import from_main, is_main, join, lonely_launch, process_index
from saferec_core.runs.folder import RunFolder
from saferec_core.runs.heartbeat import watched
from saferec_core.runs.layout import list_checkpoints
from saferec_core.runs.manifest import now
from saferec_core.runs.observer import Observer, Plan, with_hooks
from saferec_core.runs.resuming import OpenRun, open_run
from saferec_core.runs.sealing import damage
from saferec_core.runs.stopping import Stop
from saferec_core.runs.working import working_on
from saferec_core.training.checkpoint_selection import best_checkpoint, rule_of
from saferec_core.training.first_records import check_first_records
from saferec_core.training.optimizers import settled
from saferec_core.training.precision import for_training, planned_precision

__all__ = ["discarded_on_failure", "heartbeat_of", "run_sft", "stop_of", "train_sft", "whole_checkpoints"]


LESS_MEMORY = (
    "--use-lora",
    "--load-in-4bit with it",
    "a smaller --vllm-gpu-memory-utilization where vLLM shares the GPU",
)
"""What makes a model fit that does not."""


def run_sft(config: SftConfig, plugins: Plugins, observer: Observer) -> Path:
    """Fine-tune by imitation in a new run folder, and return the folder."""
    if config.model.model is None:
        raise ConfigError("no model is named; give --model (hub id, folder or GGUF file)")
    join(config.processes, seconds(config.process_timeout))
    observer = with_hooks(observer, plugins) if is_main() else Observer()  # one speaks for all
    if note := lonely_launch():
        observer.note(note)
    config, optimizer = settled(config)
    parts = assemble(config, plugins, needs={"completion": "Safe SFT"})
    opened = from_main(lambda: open_run(config, "sft", observer.note))
    folder = RunFolder(opened.path)
    if opened.is_complete:
        observer.note(f"The run is complete already: {folder.policy} holds its policy.")
        return folder.path
    stop = stop_of(config, folder, "sft")
    with (
        working_on(folder),
        stop.listening(),
        discarded_on_failure(folder, opened),
        heartbeat_of(config, folder, observer),
    ):
        train_sft(config, plugins, parts, folder, observer, optimizer=optimizer, opened=opened, stop=stop)
        if is_main():
            folder.extend_manifest({"finished": now()})
            observer.happened(RunFinished(folder.path))
            observer.finished(folder.path)
    return folder.path


def stop_of(config: SftConfig | TrainConfig, folder: RunFolder, command: str) -> Stop:
    """Return the object that notices requests to stop a run and names the command that continues it."""
    limit = config.logging.max_time
    return Stop(f"saferec {command} --resume-from {folder.path}", None if limit is None else seconds(limit))


def heartbeat_of(
    config: SftConfig | TrainConfig, folder: RunFolder, observer: Observer
) -> AbstractContextManager[None]:
    """Report what the run is doing, on every process."""
    limit = config.logging.stall_time
    stall = None if limit is None else seconds(limit)
    return watched(folder, process=process_index(), stall_seconds=stall, report=observer.note)


def discarded_on_failure(folder: RunFolder, opened: OpenRun) -> AbstractContextManager[None]:
    """Remove a new run folder if nothing was done in it; a resumed one is never removed."""
    return nullcontext() if opened.is_resumed else folder.discarded_if_nothing_was_done()


def train_sft(
    config: SftConfig,
    plugins: Plugins,
    parts: Parts,
    folder: RunFolder,
    observer: Observer,
    *,
    optimizer: str,
    opened: OpenRun,
    stop: Stop,
) -> None:
    """Run the stage in *folder*: train, evaluate every checkpoint, keep the chosen one as ``policy``.

    :func:`saferec_core.training.checkpoint_selection.rule_of` says how it is chosen.

    Args:
        config: The stage.
        plugins: What is installed.
        parts: What the stage works with.
        folder: The stage's folder.
        observer: Notified of what happens.
        optimizer: The optimizer, with the reason for it.
        opened: Where the stage continues, if it does.
        stop: Whether the run is asked to end.
    """
    from saferec_core.training.trl.callbacks import Watcher, save_policy, watch
    from saferec_core.training.trl.sft_setup import sft_trainer  # TRL takes seconds
    from saferec_core.training.trl.stage import train_stage
    from saferec_core.training.trl.update_check import check_precision

    rule = rule_of(config, parts, plugins)
    reference = resolve_folder(str(config.model.model))
    start = from_main(lambda: merged_folder(reference, config.model, folder.base))
    with memory_advised("loading the model", *LESS_MEMORY):
        policy = load_policy(start, for_training(config.model))
    longest = min(config.max_length, declared_context(policy.model.config) or config.max_length)
    reader = RecordReader(policy.tokenizer, policy.end_ids, parts.parser, parts.judge, longest)
    check_first_records(reader, parts.train, config, observer)
    fitted = _fitted(parts.train, policy, longest)
    validation = _fitted([r for r in parts.validation if r.completion], policy, longest)
    if not validation.records and config.eval_strategy != "no":
        observer.note("There are no validation records with completions, so no validation loss is computed.")
    if is_main():
        folder.write_manifest(config, plugins, "sft")
        observer.happened(RunStarted("sft", folder.path, config.model_dump(mode="json")))
        observer.plan(_plan(config, parts, folder, fitted, longest, policy, optimizer))
    trainer = sft_trainer(
        policy,
        config,
        train=fitted.records,
        validation=validation.records,
        output_dir=folder.checkpoints,
    )
    watch(trainer, Watcher("Safe SFT", folder, observer), config)
    check_precision(trainer, config, folder, observer, engine="none")
    limit = config.logging.save_total_limit
    train_stage(
        trainer,
        folder=folder,
        observer=observer,
        stop=stop,
        checkpoint=from_main(lambda: opened.start_of(folder.path, observer.note)),
        limit=limit,
        weights_are_kept=rule is not None,
    )
    checkpoints = whole_checkpoints(folder, observer)
    if not checkpoints:
        save_policy(trainer, folder.policy)
    else:
        chosen = checkpoints[-1]
        if rule is None:
            observer.note("Checkpoints are not evaluated on validation records; the last one is kept.")
        else:
            chosen = best_checkpoint(config, plugins, parts, folder, checkpoints, rule, observer)
        if is_main():
            copy_weights(chosen, folder.policy)
            remove_passed_over(checkpoints, chosen, limit)
    trainer.accelerator.wait_for_everyone()


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


def _fitted(records: Sequence[Record], policy: Policy, limit: int) -> Fitted:
    """Shorten or leave out records that exceed *limit* tokens."""
    fitted = fit_records(
        records, limit, lambda some: token_lengths(some, partial(_text, policy.tokenizer), policy.tokenizer)
    )
    if records and not fitted.records:
        raise DataError(f"no record fits into {limit} tokens (--max-length, or the model's context)")
    return fitted


def _text(tokenizer: Any, record: Record) -> str:
    """Return prompt and completion as the policy reads them."""
    messages = [dict(message) for message in (*record.prompt, *(record.completion or ()))]
    text: str = tokenizer.apply_chat_template(messages, tokenize=False)
    return text


def _plan(
    config: SftConfig,
    parts: Parts,
    folder: RunFolder,
    fitted: Fitted,
    longest: int,
    policy: Policy,
    optimizer: str,
) -> Plan:
    optimization = config.optimization
    batch = optimization.per_device_train_batch_size * optimization.gradient_accumulation_steps
    length = (
        f"{optimization.max_steps} steps"
        if optimization.max_steps > 0
        else f"{optimization.num_train_epochs:g} epochs"
    )
    parameters = sum(p.numel() for p in policy.model.parameters())
    return Plan(
        "Safe SFT",
        {
            "model": f"{config.model.model} ({parameters / 1e6:.1f} M parameters)",
            "data": f"{require_path(config.data.train_path, 'training data', '--train-path')}: "
            f"{len(fitted.records)} samples ({fitted.shortened} lost old turns, {fitted.left_out} left "
            f"out as longer than {longest} tokens)",
            "parser": described(config.data.parser.name, parts.parser),
            "adapters": f"LoRA r={config.model.lora_r}" if config.model.use_lora else "none",
            "completions end with": " or ".join(
                sorted(str(policy.tokenizer.decode([end])) for end in policy.end_ids)
            ),
            "steps": f"{length} of {batch} samples a process",
            "optimizer": f"{optimizer}, learning rate {optimization.learning_rate:g}",
            "precision": planned_precision(config.model, optimization, policy.model.dtype),
            "run folder": str(folder.path),
        },
    )
