"""The first stage: Safe SFT, and the choice of a checkpoint."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from saferec_core.config.schema import SftConfig
from saferec_core.data.records import Record
from saferec_core.data.selected import Selected
from saferec_core.data.truncate import Fitted, fit_records
from saferec_core.errors import DataError
from saferec_core.evaluation.setup import Parts, assemble
from saferec_core.models.lengths import token_lengths
from saferec_core.models.loading import Policy, declared_context, load_policy, merged_folder
from saferec_core.models.memory import memory_advised
from saferec_core.models.record_view import RecordReader
from saferec_core.plugins.contracts.lifecycle import RunFinished
from saferec_core.plugins.offered import Plugins
from saferec_core.runs.checkpoints import copy_weights, remove_passed_over, resolve_folder
from saferec_core.runs.distributed import from_main, is_main
from saferec_core.runs.folder import RunFolder
from saferec_core.runs.manifest import now
from saferec_core.runs.observer import Observer
from saferec_core.runs.resuming import OpenRun, open_run
from saferec_core.runs.stopping import Stop
from saferec_core.training.checkpoint_selection import best_checkpoint, rule_of
from saferec_core.training.first_records import check_first_records
from saferec_core.training.optimizers import settled
from saferec_core.training.plans import sft_plan
from saferec_core.training.precision import for_training
from saferec_core.training.run_scope import LESS_MEMORY, begin, joined, stop_of, whole_checkpoints, within

__all__ = ["run_sft", "train_sft"]


def run_sft(config: SftConfig, plugins: Plugins, observer: Observer) -> Path:
    """Fine-tune by imitation in a new run folder, and return the folder."""
    observer = joined(config, plugins, observer)
    config, optimizer = settled(config)
    parts = assemble(config, plugins, needs={"completion": "Safe SFT"})
    opened = from_main(lambda: open_run(config, "sft", observer.note))
    folder = RunFolder(opened.path)
    if opened.is_complete:
        observer.note(f"The run is complete already: {folder.policy} holds its policy.")
        return folder.path
    stop = stop_of(config, folder, "sft")
    with within(config, folder, observer, opened=opened, stop=stop):
        train_sft(config, plugins, parts, folder, observer, optimizer=optimizer, opened=opened, stop=stop)
        if is_main():
            folder.extend_manifest({"finished": now()})
            observer.happened(RunFinished(folder.path))
            observer.finished(folder.path)
    return folder.path


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
    validation = _fitted(_with_completions(parts.validation), policy, longest)
    if not validation.records and config.eval_strategy != "no":
        observer.note("There are no validation records with completions, so no validation loss is computed.")
    begin(config, plugins, folder, "sft", observer, form=parts.form)
    if is_main():
        observer.plan(
            sft_plan(
                config,
                parts,
                fitted,
                longest=longest,
                policy=policy,
                optimizer=optimizer,
                folder=folder.path,
            )
        )
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


def _with_completions(records: Sequence[Record]) -> Sequence[Record]:
    """Leave out records that have nothing to imitate."""
    return Selected(records, array("q", (n for n, record in enumerate(records) if record.completion)))


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
