"""The first stage: Safe SFT, and the choice of a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from saferec_core.assembly import Parts, assemble, require_path
from saferec_core.checkpoints import Choice, choose, copy_weights, list_checkpoints, step_of
from saferec_core.config import SftConfig
from saferec_core.errors import ConfigError, DataError
from saferec_core.evaluation import Evaluation, Evaluator
from saferec_core.extras import check_extras
from saferec_core.generation import Decoding
from saferec_core.models import Policy, load_policy, merged_folder, resolve_folder
from saferec_core.observer import Observer, Plan, StepReport
from saferec_core.plugins import Plugins
from saferec_core.processes import from_main, is_main
from saferec_core.prompts import Fitted, fit_records
from saferec_core.records import Record
from saferec_core.runs import RunFolder

__all__ = ["run_sft", "train_sft"]


def run_sft(config: SftConfig, plugins: Plugins, observer: Observer) -> Path:
    """Fine-tune by imitation in a new run folder, and return the folder."""
    if config.model.model is None:
        raise ConfigError("no model is named; give --model (hub id, folder or GGUF file)")
    check_extras(config)
    parts = assemble(config, plugins, needs={"completion": "Safe SFT"})
    folder = from_main(lambda: RunFolder.create(config, "sft"))
    with folder.discarded_if_nothing_was_done():
        train_sft(config, plugins, parts, folder, observer)
    observer.finished(folder.path)
    return folder.path


def train_sft(
    config: SftConfig, plugins: Plugins, parts: Parts, folder: RunFolder, observer: Observer
) -> None:
    """Do the stage within *folder*: train, evaluate every checkpoint, keep the best as ``policy``.

    The best checkpoint is the one with the highest Recall@K on the validation split, as in the
    document; K is 10 or, if that is not evaluated, the largest that is.
    """
    from saferec_core.trainers.safe_sft import sft_trainer  # TRL takes seconds
    from saferec_core.trainers.watching import Watcher, save_policy, watch

    reference = resolve_folder(str(config.model.model))
    start = from_main(lambda: merged_folder(reference, config.model, folder.path / "base"))
    policy = load_policy(start, config.model)
    fitted = _fitted(parts.train, policy, config.max_length)
    validation = _fitted([r for r in parts.validation if r.completion], policy, config.max_length)
    if is_main():
        folder.write_manifest(config, plugins)
        observer.plan(_plan(config, folder, fitted, policy))
    trainer = sft_trainer(
        policy,
        config,
        train=fitted.records,
        validation=validation.records,
        output_dir=folder.checkpoints,
    )
    watch(trainer, Watcher("Safe SFT", folder, observer))
    trainer.train()
    checkpoints = list_checkpoints(folder.checkpoints)
    if not checkpoints:
        save_policy(trainer, folder.policy)
    elif is_main():
        copy_weights(_best(config, parts, folder, checkpoints, observer), folder.policy)
    trainer.accelerator.wait_for_everyone()


def _best(
    config: SftConfig,
    parts: Parts,
    folder: RunFolder,
    checkpoints: Sequence[Path],
    observer: Observer,
) -> Path:
    """Evaluate the checkpoints on the validation split; without one, the last is the best."""
    settings = config.evaluation
    records = parts.validation[: settings.eval_prompts]
    if not records:
        observer.note("No validation records: the last checkpoint is kept.")
        return checkpoints[-1]
    evaluator = Evaluator(records, parts.parser, parts.judge, config.num_ranks, settings.eval_at)
    decoding = Decoding(
        "greedy",
        config.max_completion_length,
        batch_size=settings.eval_batch_size,
        seed=config.seed,
    )
    k = 10 if 10 in settings.eval_at else max(settings.eval_at)
    observer.stage_began("Evaluate checkpoints", len(records) * len(checkpoints))

    def evaluate(checkpoint: Path) -> Evaluation:
        done = checkpoints.index(checkpoint) * len(records)
        return evaluator(
            load_policy(str(checkpoint), config.model),
            decoding,
            progress=lambda n: observer.stepped(StepReport(done + n)),
        )

    choice = choose(checkpoints, f"recall@{k}", evaluate)
    observer.stage_ended()
    observer.table(f"Checkpoints on {len(records)} validation prompts (greedy)", _checkpoint_rows(choice, k))
    folder.write_json(
        "evaluation/checkpoints.json",
        {
            "rule": f"highest {choice.metric} on the validation split",
            "chosen": choice.best.name,
            "protocol": choice.evaluations[0][1].protocol,
            "checkpoints": {path.name: found.summary() for path, found in choice.evaluations},
        },
    )
    return choice.best


def _checkpoint_rows(choice: Choice, k: int) -> Sequence[Mapping[str, str]]:
    shown = {
        f"Recall@{k}": f"recall@{k}",
        f"NDCG@{k}": f"ndcg@{k}",
        f"Sens.Ratio@{k}": f"sensitivity_ratio@{k}",
        "length": "list_length",
        "out of catalog": "out_of_catalog",
    }
    rows = []
    for path, evaluation in choice.evaluations:
        row = {"step": str(step_of(path))}
        for label, metric in shown.items():
            if metric in evaluation.samples:
                mean = evaluation.mean(metric)
                row[label] = f"{mean:.4f}" if mean == mean else "no value"
        row["chosen"] = "<- highest" if path == choice.best else ""
        rows.append(row)
    return rows


def _fitted(records: Sequence[Record], policy: Policy, limit: int) -> Fitted:
    """Shorten or leave out what has more than *limit* tokens."""
    fitted = fit_records(records, limit, lambda record: _length(record, policy))
    if records and not fitted.records:
        raise DataError(f"no record fits into max_length = {limit} tokens; raise it with --max-length")
    return fitted


def _length(record: Record, policy: Policy) -> int:
    """Count the tokens of prompt and completion."""
    messages = [*record.prompt, *(record.completion or ())]
    tokenizer: Any = policy.tokenizer
    text = tokenizer.apply_chat_template([dict(m) for m in messages], tokenize=False)
    return len(tokenizer(text, add_special_tokens=False)["input_ids"])


def _plan(config: SftConfig, folder: RunFolder, fitted: Fitted, policy: Policy) -> Plan:
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
            f"out as longer than {config.max_length} tokens)",
            "adapters": f"LoRA r={config.model.lora_r}" if config.model.use_lora else "none",
            "steps": f"{length} of {batch} samples a process",
            "optimizer": f"{optimization.optim}, learning rate {optimization.learning_rate:g}",
            "run folder": str(folder.path),
        },
    )
