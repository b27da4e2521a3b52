"""The second stage: Safe-Rank-GRPO, evaluated before and after."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from saferec_core.config.schema import TrainConfig
from saferec_core.errors import SaferecError
from saferec_core.evaluation.evaluator import Evaluation
from saferec_core.evaluation.setup import assemble
from saferec_core.models.generation import PolicyGenerator
from saferec_core.models.loading import (
    Policy,
    check_same_vocabulary,
    context_length,
    load_tokenizer,
)
from saferec_core.models.memory import memory_advised
from saferec_core.models.record_view import RecordReader
from saferec_core.models.resume import journal_of
from saferec_core.models.whole_policy import whole_policy
from saferec_core.plugins.contracts.lifecycle import (
    EvaluationFinished,
    RunFinished,
)
from saferec_core.plugins.offered import Plugins
from saferec_core.rl.limits import Limits, limits_of
from saferec_core.runs.checkpoints import copy_weights, remove_passed_over
from saferec_core.runs.distributed import from_main, is_main
from saferec_core.runs.folder import RunFolder
from saferec_core.runs.manifest import now
from saferec_core.runs.observer import Observer
from saferec_core.runs.resuming import open_run
from saferec_core.training.alarms import build_alarms
from saferec_core.training.before_after import check_evaluations, evaluate, report_comparison
from saferec_core.training.checkpoint_selection import best_checkpoint, rule_of
from saferec_core.training.dead_knobs import dead_knobs
from saferec_core.training.first_records import check_first_records
from saferec_core.training.fitting import fitted_prompts, prompt_limit
from saferec_core.training.idle_settings import idle_limits
from saferec_core.training.optimizers import settled
from saferec_core.training.plans import rank_grpo_plan
from saferec_core.training.precision import for_training
from saferec_core.training.run_scope import LESS_MEMORY, begin, joined, stop_of, whole_checkpoints, within
from saferec_core.training.setup import build_normalizer, build_rewards
from saferec_core.training.start_check import faults_of_start
from saferec_core.training.starting_point import starting_point
from saferec_core.training.watched_trainer import RankGRPORun, watched_trainer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


__all__ = ["run_train"]


def run_train(config: TrainConfig, plugins: Plugins, observer: Observer) -> Path:
    """Train a policy by Safe-Rank-GRPO in a new run folder, and return the folder.

    Raises:
        SaferecError: Something the user can correct; raised before anything is trained where possible.
    """
    observer = joined(config, plugins, observer)
    config, optimizer = settled(config)
    rewards = build_rewards(config, plugins)
    normalizer = build_normalizer(config, plugins)
    needs = {"completion": "Safe SFT"} if config.sft_comes_first else {}
    parts = assemble(config, plugins, rewards=rewards, needs=needs)
    check_evaluations(config, parts)
    rule = rule_of(config, parts, plugins)
    limits = Limits(limits_of(config.limits.limit, parts.judge), config.limits)
    alarms = build_alarms(config, plugins, observer.note, rewards)
    opened = from_main(lambda: open_run(config, "train", observer.note))
    folder = RunFolder(opened.path)
    if opened.is_complete:
        observer.note(f"The run is complete already: {folder.policy} holds its policy.")
        return folder.path
    stop = stop_of(config, folder, "train")
    run = RankGRPORun(
        config=config,
        plugins=plugins,
        parts=parts,
        rewards=rewards,
        normalizer=normalizer,
        limits=limits,
        alarms=alarms,
        rule=rule,
        folder=folder,
        observer=observer,
        optimizer=optimizer,
        opened=opened,
        stop=stop,
    )
    with within(config, folder, observer, opened=opened, stop=stop):
        _train(run)
    return folder.path


def _train(run: RankGRPORun) -> None:
    """Train and evaluate within the run's folder."""
    from saferec_core.training.trl.stage import train_stage  # imports transformers
    from saferec_core.training.trl.whole import can_be_sharded, policy_of

    config, folder, observer = run.config, run.folder, run.observer
    begin(config, run.plugins, folder, "train", observer, form=run.parts.form)
    idle = [
        *dead_knobs(config, run.rewards, run.normalizer),
        *idle_limits(run.limits.limits, run.parts.train),
    ]
    if idle and config.sft_comes_first and is_main():  # the plan of this stage follows minutes or hours later
        observer.note(f"Without effect: {'; '.join(idle)}.")
    start, reference = starting_point(
        config, run.plugins, run.parts, folder, observer, opened=run.opened, stop=run.stop
    )
    if folder.policy.is_dir():  # resumed after training
        before = _evaluate(run, whole_policy(start, for_training(config.model)), "before", start)
        _finish(run, before, whole_policy(str(folder.policy), for_training(config.model)))
        return
    tokenizer = load_tokenizer(start, config.model)
    if reference is not None:
        check_same_vocabulary(tokenizer, reference.policy, config.model)
    context = context_length(start, config.model)
    if not config.sft_comes_first:  # which has looked at the same records
        limit = prompt_limit(config, context)
        reader = RecordReader(tokenizer, frozenset(), run.parts.parser, max_length=limit)
        check_first_records(reader, run.parts.train, config, observer, prompts_only=True)
    fitted = fitted_prompts(config, run.parts.train, tokenizer, context)
    if is_main():
        observer.plan(
            rank_grpo_plan(
                config,
                run.parts,
                fitted,
                start=start,
                reference=reference,
                rewards=run.rewards,
                normalizer=run.normalizer,
                limits=run.limits,
                idle=idle,
                optimizer=run.optimizer,
                folder=folder.path,
            )
        )
    with memory_advised("setting up the training", *LESS_MEMORY):
        trainer = watched_trainer(run, start, reference, tokenizer, fitted)
    with policy_of(trainer, tokenizer) as policy:
        before = _evaluate(run, policy, "before", start, sharded=can_be_sharded(trainer))
    for fault in faults_of_start(before, config.evaluation.eval_decoding, run.rewards):
        observer.note(fault)
    train_stage(
        trainer,
        folder=folder,
        observer=observer,
        stop=run.stop,
        checkpoint=from_main(lambda: run.opened.start_of(folder.path, observer.note)),
        limit=config.logging.save_total_limit,
        weights_are_kept=run.rule is not None,
    )
    verdicts = run.limits.verdicts()
    for verdict in verdicts:
        observer.note(verdict.sentence)
    if verdicts and is_main():
        folder.extend_manifest({"limits": [verdict._asdict() for verdict in verdicts]})
    with _kept(run, trainer, tokenizer) as policy:
        _finish(run, before, policy, sharded=can_be_sharded(trainer))


def _finish(run: RankGRPORun, before: list[Evaluation], policy: Policy, *, sharded: bool = True) -> None:
    """Evaluate the policy that the run keeps, compare, report, and mark the run as finished."""
    config, folder, observer = run.config, run.folder, run.observer
    after = _evaluate(run, policy, "after", str(folder.policy), sharded=sharded)
    for when in ("before", "after"):
        journal_of(folder, when).remove()
    if is_main():
        report_comparison(config, folder, observer, before, after)
        _report(run)
        folder.extend_manifest({"finished": now()})
        observer.happened(RunFinished(folder.path))
        observer.finished(folder.path)


def _evaluate(
    run: RankGRPORun, policy: Policy, when: str, name: str, *, sharded: bool = True
) -> list[Evaluation]:
    """Evaluate a policy and keep every sample at once, so that an interrupted run has its figures."""
    generator = PolicyGenerator(
        policy, journal_of(run.folder, when), sharded=sharded, note=cache(run.observer.note)
    )
    made = evaluate(run.config, run.parts, run.plugins, generator, run.observer, when=when, policy=name)
    if is_main():
        for kind, evaluation in zip(run.config.evaluation.eval_decoding, made, strict=False):
            evaluation.results.write(run.folder.results(f"{when}-{kind}"))
            if run.plugins.lifecycle_hooks:
                run.observer.happened(EvaluationFinished(when, kind, evaluation.summary()))
    return made


@contextmanager
def _kept(run: RankGRPORun, trainer: Any, tokenizer: PreTrainedTokenizerBase) -> Iterator[Policy]:
    """Write the run's policy, and give it: the last state or, by a rule, one of the checkpoints."""
    from saferec_core.training.trl.callbacks import save_policy  # imports transformers
    from saferec_core.training.trl.whole import policy_of

    config, folder = run.config, run.folder
    checkpoints = whole_checkpoints(folder, run.observer)
    if run.rule is None or not checkpoints:
        save_policy(trainer, folder.policy)
        with policy_of(trainer, tokenizer) as policy:
            yield policy
        return
    chosen = best_checkpoint(config, run.plugins, run.parts, folder, checkpoints, run.rule, run.observer)
    if is_main():
        copy_weights(chosen, folder.policy)
        remove_passed_over(checkpoints, chosen, config.logging.save_total_limit)
        if not run.parts.test:
            run.observer.note(
                "There are no test records: the results below come from the records that the checkpoint was "
                "chosen on, which flatters it."
            )
    trainer.accelerator.wait_for_everyone()
    yield whole_policy(str(folder.policy), config.model)


def _report(run: RankGRPORun) -> None:
    """Write the page about the run; failing to write it does not fail the run."""
    from saferec_core.report import write_report  # scipy is slow to import

    try:
        write_report([run.folder.path], run.folder.report)
    except SaferecError as error:
        run.observer.note(f"No report was written: {error}")
