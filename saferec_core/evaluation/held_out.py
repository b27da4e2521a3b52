"""Policies on the held-out prompts of a run, before and after training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from saferec_core.analysis.metrics import label
from saferec_core.analysis.results import MetricFacts
from saferec_core.config.schema import RunConfig
from saferec_core.config.sections import EvaluationConfig
from saferec_core.data.records import Record
from saferec_core.errors import ConfigError, DataError
from saferec_core.evaluation.evaluator import Evaluation, Evaluator
from saferec_core.evaluation.measure import build_metrics
from saferec_core.evaluation.protocol import Protocol, protocol_of
from saferec_core.evaluation.setup import Parts
from saferec_core.plugins.contracts.judged_lists import Judge
from saferec_core.plugins.manager import Plugins
from saferec_core.runs.checkpoints import resolve_folder
from saferec_core.runs.observer import Observer, StepReport

__all__ = [
    "INTERVAL",
    "circumstances",
    "evaluator_of",
    "policy_name",
    "run_protocol",
    "staged",
    "tell_whole",
    "used_records",
]

INTERVAL = "95 %, BCa bootstrap over users, Wilson for shares; differences paired"
"""How the intervals of a summary are made."""


def used_records(records: Sequence[Record], settings: EvaluationConfig) -> dict[int, Record]:
    """Return the records that are used, by their places: the first ``eval_prompts`` of the right traits.

    Raises:
        DataError: No record has one of the wanted constraints.
    """
    wanted = set(settings.eval_traits)
    fitting = [pair for pair in enumerate(records) if not wanted or wanted & {*pair[1].constraints}]
    if records and not fitting:
        there = sorted({trait for record in records for trait in record.constraints})
        raise DataError(
            f"no held-out record has one of the constraints eval_traits = {sorted(wanted)}. There: "
            f"{', '.join(there) or 'no constraints at all'}"
        )
    return dict(fitting[: settings.eval_prompts])


def evaluator_of(
    config: RunConfig, parts: Parts, records: Mapping[int, Record], plugins: Plugins
) -> Evaluator:
    """Build the evaluator of a run, with the metrics that it names.

    The training records say how popular a title is; without them, popularity has no value.

    Raises:
        ConfigError: Options are set for a metric that is not computed, or are refused.
    """
    settings = config.evaluation
    names = settings.eval_metrics or [entry.name for entry in plugins.metrics]
    unused = sorted(settings.eval_metric_options.keys() - set(names))
    if unused:
        raise ConfigError(
            f"eval_metric_options sets options of {', '.join(unused)}, which eval_metrics leaves out or no "
            "plugin offers"
        )
    choices = {name: settings.eval_metric_options.get(name, {}) for name in names}
    metrics = build_metrics(plugins, choices, run_protocol(config, parts, "greedy").metric_options)
    catalog = parts.judge.catalog
    judge = Judge(catalog, parts.judge.oracle, parts.popularity)
    return Evaluator(records, parts.parser, judge, metrics, config.evaluation.eval_at)


def policy_name(reference: str) -> str:
    """Return what results call a policy: the whole path of its folder or file, or its id on the hub."""
    place = Path(resolve_folder(reference))
    return str(place.resolve()) if place.exists() else reference


def run_protocol(config: RunConfig, parts: Parts, kind: Literal["greedy", "sampled"]) -> Protocol:
    """Return the protocol of one of a run's decodings."""
    judge = parts.judge
    return protocol_of(config, kind, catalog=judge.catalog, parser=parts.parser, oracle=judge.oracle)


def circumstances(
    config: RunConfig, evaluation: Evaluation, *, engine: str = "transformers"
) -> dict[str, Any]:
    """Return what a protocol leaves out of how figures were made."""
    results = evaluation.results
    columns = results.table.select(["record", "user", "constraints"]).to_pylist()
    records = {row["record"]: row for row in columns}.values()
    return {
        "policy": results.policy,
        "data_sha256": results.data_sha256,
        "records": len(records),
        "users": len({row["user"] for row in records}),
        "constraints": dict(sorted(Counter(t for row in records for t in row["constraints"]).items())),
        "eval_at": config.evaluation.eval_at,
        "engine": engine,
        "batch_size": config.evaluation.eval_batch_size,
        "seed": config.seed,
    }


def tell_whole(observer: Observer, columns: Mapping[str, Mapping[str, float]]) -> None:
    """Show what was measured of all lists together, a column for each policy."""
    names = dict.fromkeys(name for whole in columns.values() for name in whole)
    rows = [
        {
            "metric": label(name, MetricFacts("none", "whole", "")),
            **{title: _number(whole.get(name, float("nan"))) for title, whole in columns.items()},
        }
        for name in names
    ]
    if rows:
        observer.table("All lists together (no intervals)", rows)


@contextmanager
def staged(observer: Observer, name: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show the progress of something; what is yielded is called with how much is done."""
    observer.stage_began(name, total)
    try:
        yield lambda done: observer.stepped(StepReport(done))
    finally:
        observer.stage_ended()


def _number(value: float) -> str:
    return f"{value:.4f}" if value == value else "no value"
