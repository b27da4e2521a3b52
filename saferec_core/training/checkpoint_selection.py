"""Evaluate a stage's checkpoints on the validation records, and choose the one to keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path

from saferec_core.analysis.checkpoint_rule import Choice, Rule, choose, read_rule
from saferec_core.analysis.estimates import Interval
from saferec_core.analysis.metrics import primary_metric
from saferec_core.analysis.number_format import interval
from saferec_core.analysis.results import MetricFacts, Results
from saferec_core.config.schema import SftConfig, TrainConfig
from saferec_core.errors import ConfigError
from saferec_core.evaluation.files import INTERVAL
from saferec_core.evaluation.measure import facts_of
from saferec_core.evaluation.setup import Parts, evaluator_of, run_protocol, used_records
from saferec_core.models.generation import PolicyGenerator
from saferec_core.models.resume import journal_of
from saferec_core.models.whole_policy import whole_policy
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.metric import Role
from saferec_core.plugins.offered import Plugins
from saferec_core.runs.distributed import is_main
from saferec_core.runs.folder import RunFolder
from saferec_core.runs.layout import step_of
from saferec_core.runs.observer import Observer, staged

__all__ = ["best_checkpoint", "rule_of"]

_ALSO_SHOWN: Sequence[Role] = ("relevance", "safety", "list")
"""Roles whose main metric the table of checkpoints has beside the metrics of the rule."""


def rule_of(config: SftConfig | TrainConfig, parts: Parts, plugins: Plugins) -> Rule | None:
    """Return the rule that a stage's checkpoints are chosen by; None: the last one is kept.

    Unless the stage states one, Safe SFT keeps the checkpoint that is best in the main metric of relevance:
    Recall@10 (the rule of the Safe-Rank-GRPO paper's reference implementation) or, if 10 is not evaluated,
    Recall at the largest K that is.

    Raises:
        SaferecError: The rule cannot be followed; to be asked before anything is trained.
    """
    settings = config.evaluation
    missing = _missing(config, parts)
    if config.select is not None:
        stated = read_rule(config.select)
        if missing:
            raise ConfigError(f"--select chooses among checkpoints on held-out prompts and needs {missing}")
    elif isinstance(config, TrainConfig) or missing:
        return None
    used_records(parts.validation, settings, parts.prompts)  # refuses constraints that no record has
    metrics = _metrics(config, parts, plugins)
    if config.select is None:
        main = primary_metric(metrics, "relevance")
        if main is None:
            raise ConfigError(
                "Safe SFT keeps the checkpoint with the highest relevance, but eval_metrics leaves out every "
                "metric of relevance; add one, or state another rule with --select"
            )
        stated = Rule(main)
    return stated.resolved(metrics)


def best_checkpoint(
    config: SftConfig | TrainConfig,
    plugins: Plugins,
    parts: Parts,
    folder: RunFolder,
    checkpoints: Sequence[Path],
    rule: Rule,
    observer: Observer,
) -> Path:
    """Evaluate checkpoints with greedy decoding, show and keep the figures, and return the chosen one.

    All processes that train together have to call; each generates a part.

    Args:
        config: The stage.
        plugins: What is installed.
        parts: What the stage works with.
        folder: Gets ``evaluation/checkpoints.json`` and the rows of each checkpoint.
        checkpoints: At least one, the earliest first.
        rule: What chooses among them.
        observer: Shown the progress, the figures and the reason.
    """
    settings = config.evaluation
    records = used_records(parts.validation, settings, parts.prompts)
    evaluator = evaluator_of(config, parts, records, plugins)
    protocol = run_protocol(config, parts, "greedy")
    results: dict[str, Results] = {}
    summaries: dict[str, Mapping[str, Interval | None]] = {}
    journal, note = journal_of(folder, "checkpoints"), cache(observer.note)
    with staged(observer, "Evaluate checkpoints", len(records) * len(checkpoints)) as progress:
        for number, checkpoint in enumerate(checkpoints):
            evaluation = evaluator(
                PolicyGenerator(
                    whole_policy(str(checkpoint), config.model), journal, sharded=True, note=note
                ),
                protocol,
                policy=str(checkpoint),
                batch_size=settings.eval_batch_size,
                seed=config.seed,
                progress=partial(_progress_from, number * len(records), progress),
            )
            results[checkpoint.name] = evaluation.results
            summaries[checkpoint.name] = evaluation.summary()
            if is_main():
                evaluation.results.write(folder.results(f"{checkpoint.name}-greedy"))
    journal.remove()
    choice = choose(rule, results)
    also = _also_shown(rule, evaluation.results.metrics)
    title = f"Checkpoints on {len(records)} validation prompts (greedy)"
    observer.table(title, _rows(choice, checkpoints, summaries, also))
    observer.note(choice.sentence)
    if is_main():
        folder.write_json(
            folder.checkpoint_choice,
            {
                "rule": f"{rule} on the validation split",
                **choice.as_data(),
                "protocol": protocol.id,
                "interval": INTERVAL,
                "checkpoints": summaries,
            },
        )
    return next(checkpoint for checkpoint in checkpoints if checkpoint.name == choice.chosen)


def _also_shown(rule: Rule, metrics: Mapping[str, MetricFacts]) -> list[str]:
    """Return the main metric of each role, at the K of the rule if it has one."""
    depths = [metric.partition("@")[2] for metric in rule.metrics if "@" in metric]
    at = {name: facts for name, facts in metrics.items() if name.partition("@")[2] in ("", *depths[:1])}
    of_roles = (primary_metric(at if depths else metrics, role) for role in _ALSO_SHOWN)
    return [metric for metric in of_roles if metric is not None]


def _progress_from(start: int, progress: Callable[[int], None], done: int) -> None:
    progress(start + done)


def _missing(config: SftConfig | TrainConfig, parts: Parts) -> str:
    """Return what a choice among checkpoints needs and the run lacks; empty if nothing."""
    if not parts.validation:
        return "validation records; name them with --validation-path"
    if config.evaluation.eval_prompts == 0:
        return "--eval-prompts of at least 1"
    if config.logging.save_strategy == "no":
        return "checkpoints; set --save-strategy to steps or epoch"
    return ""


def _metrics(config: SftConfig | TrainConfig, parts: Parts, plugins: Plugins) -> dict[str, MetricFacts]:
    """Return the metrics that an evaluation of each list will have, by column."""
    active = evaluator_of(config, parts, {}, plugins).metrics
    nothing = JudgedLists([], [], parts.judge, config.num_ranks)
    columns = [
        column
        for metric in active
        if metric.function.kind != "whole"
        for column in metric.columns(nothing, config.evaluation.eval_at)
    ]
    return facts_of(columns, active)


def _rows(
    choice: Choice,
    checkpoints: Sequence[Path],
    summaries: Mapping[str, Mapping[str, Interval | None]],
    also: Sequence[str],
) -> list[dict[str, str]]:
    """Return the table of checkpoints: the rule's metrics with intervals, then those of *also*."""
    mark = f"<- {choice.rule.direction}" if choice.within else "<- closest"
    rows = []
    for checkpoint in checkpoints:
        name, summary = checkpoint.name, summaries[checkpoint.name]
        row = {"step": str(step_of(checkpoint))}
        for metric in choice.rule.metrics:
            value = summary[metric]
            row[metric] = "no value" if value is None else interval(*value)
        for metric in also:
            if metric not in row:
                value = summary[metric]
                row[metric] = "no value" if value is None else f"{value[0]:.4f}"
        if choice.rule.conditions:
            row["conditions"] = "kept" if name in choice.within else "broken"
        row["chosen"] = mark if name == choice.chosen else ""
        rows.append(row)
    return rows
