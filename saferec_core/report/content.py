"""All that a page says about runs, worked out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from saferec_core.analysis.compare import MIN_CELL
from saferec_core.analysis.metrics import label, primary_metric
from saferec_core.analysis.results import Results
from saferec_core.data.traits import short_names
from saferec_core.report.alarms import raised_alarms
from saferec_core.report.boards import board
from saferec_core.report.curves import curve_sections
from saferec_core.report.drawing import Picture
from saferec_core.report.estimates import Estimator
from saferec_core.report.facts import facts, facts_table, provenance
from saferec_core.report.guarantee import LEARNED, guarantee_table, missing_guided
from saferec_core.report.moments import Moment, is_guided, lists_of
from saferec_core.report.packing import pack
from saferec_core.report.pictures import TraitBars, checkpoint_pareto, policy_pareto, trait_bars
from saferec_core.report.progress import unfinished
from saferec_core.report.reading import Run
from saferec_core.report.tables import MetricTable, checkpoint_table, metric_table
from saferec_core.rl.rollout_log import TOKENS_KEPT

__all__ = ["page_content"]

_TOGETHER = (("before", "after"), ("policy",), ("chosen",))
"""Evaluations of one run that stand side by side."""


def page_content(runs: Sequence[Run]) -> dict[str, Any]:
    """Return what the page's template asks for, by name."""
    estimator = Estimator()
    decodings = sorted(
        {moment.decoding for run in runs for moment in run.evaluations},
        key=lambda decoding: (is_guided(decoding), decoding),
    )
    main, others = _tables(runs, decodings, estimator)
    known = {metric: described for run in runs for metric, described in run.metric_facts.items()}
    relevance, safety = primary_metric(known, "relevance"), primary_metric(known, "safety")
    free = [kind for kind in decodings if not is_guided(kind)]  # guided ones violate nothing
    bars = {kind: _bars(_policies(runs, kind), safety) for kind in free}
    paretos: dict[str, Picture | None] = {}
    checkpoints = None
    if relevance and safety:
        axes = {metric: known[metric] for metric in (relevance, safety)}
        paretos = {kind: policy_pareto(runs, kind, axes, estimator) for kind in free}
        checkpoints = checkpoint_pareto(runs, axes)
    curves = curve_sections(runs)
    drawn: list[Picture | None] = [panel for section in curves for panel in section.panels]
    drawn += [*(by_trait.picture for by_trait in bars.values()), *paretos.values(), checkpoints]
    pictured = checkpoints is not None or any(
        drawing is not None for drawing in (*paretos.values(), *(bar.picture for bar in bars.values()))
    )
    return {
        "runs": runs,
        "unfinished": [(run, sentences) for run in runs if (sentences := unfinished(run))],
        "alarms": [(run, alarms) for run in runs if (alarms := raised_alarms(run))],
        "limits": [(run, verdicts) for run in runs if (verdicts := run.manifest.get("limits"))],
        "facts": facts,
        "facts_table": facts_table,
        "provenance": provenance,
        "boards": [board(table) for table in main],
        "tables": main,
        "folded": [(title, list(under)) for title, under in groupby(others, lambda table: table.heading)],
        "trait_metrics": {metric: label(metric, known[metric]) for metric in (safety, relevance) if metric},
        "short": short_names(_traits(runs)),
        "pictured": pictured or any(bar.suppressed for bar in bars.values()),
        "decodings": free,
        "bars": bars,
        "bar_names": {kind: list(_policies(runs, kind)) for kind in free},
        "missing_guided": missing_guided(runs[0]) if len(runs) == 1 else None,
        "paretos": paretos,
        "checkpoint_pareto": checkpoints,
        "curves": curves,
        "checkpoints": [
            (run, stage.name, stage.checkpoints, checkpoint_table(stage.checkpoints, run.metric_facts))
            for run in runs
            for stage in run.stages
            if stage.checkpoints
        ],
        "packed": pack(runs),
        "weights": {run.name: _weights(run) for run in runs},
        "pictures": [picture for picture in drawn if picture],
        "min_cell": MIN_CELL,
        "tokens_kept": TOKENS_KEPT,
    }


def _tables(
    runs: Sequence[Run], decodings: Sequence[str], estimator: Estimator
) -> tuple[list[MetricTable], list[MetricTable]]:
    """Return the tables that answer the page's question, one for each decoding, and all others.

    The question is how runs differ where there are several, else how the run's policy changed.
    """
    alone = {
        run.name: [_tables_of(run, kind, estimator, several=len(runs) > 1) for kind in decodings]
        for run in runs
    }
    if len(runs) == 1:
        by_kind = dict(zip(decodings, alone[runs[0].name], strict=True))
        first = {kind: 2 if is_guided(kind) else 1 for kind in by_kind}
        return [table for kind, tables in by_kind.items() for table in tables[: first[kind]]], [
            table for kind, tables in by_kind.items() for table in tables[first[kind] :]
        ]
    main = []
    for kind in decodings:
        ends = {run.name: run.final[kind] for run in runs if kind in run.final}
        if len(ends) > 1:
            title = lists_of(kind)
            whole = [run.final_whole(kind) for run in runs if kind in run.final]
            main.append(metric_table(title, title, ends, estimator, whole))
    return main, [table for of_run in alone.values() for tables in of_run for table in tables]


def _tables_of(run: Run, decoding: str, estimator: Estimator, *, several: bool) -> list[MetricTable]:
    """Lay one run before and after side by side; a policy that was evaluated by itself stands alone."""
    cost = guarantee_table(run, decoding, estimator, several=several) if is_guided(decoding) else None
    tables = [] if cost is None else [cost]
    for together in _TOGETHER:
        moments = [moment for when in together if (moment := Moment(when, decoding)) in run.evaluations]
        if not moments or (cost is not None and len(moments) == 1):  # which the table of its cost shows
            continue
        names = " and ".join(_called(moment, run) for moment in moments)
        title = f"{lists_of(decoding)}, {names}"
        heading = title
        if several:
            title, heading = f"{run.name}: {title}", f"{run.name} by itself"
        policies = {_called(moment, run): run.evaluations[moment] for moment in moments}
        whole = [run.whole.get(moment, {}) for moment in moments]
        lede = "" if cost is None else LEARNED
        tables.append(metric_table(title, heading, policies, estimator, whole, lede=lede))
    return tables


def _called(moment: Moment, run: Run) -> str:
    if moment.when != "chosen":
        return moment.when
    chosen = [stage.checkpoints.chosen for stage in run.stages if stage.checkpoints]
    return f"{chosen[-1]} on the validation records"


def _policies(runs: Sequence[Run], decoding: str) -> dict[str, Results]:
    """Return what the bars by trait compare: runs, or one run before and after."""
    if len(runs) > 1:
        return {run.name: run.final[decoding] for run in runs if decoding in run.final}
    (run,) = runs
    for together in _TOGETHER:
        moments = [Moment(when, decoding) for when in together]
        if policies := {_called(m, run): run.evaluations[m] for m in moments if m in run.evaluations}:
            return policies
    return {}


def _bars(policies: Mapping[str, Results], safety: str | None) -> TraitBars:
    if not policies or safety is None:
        return TraitBars(None, ())
    return trait_bars(policies, int(safety.partition("@")[2]))


def _traits(runs: Sequence[Run]) -> set[str]:
    """Return every trait that is a constraint of an evaluated record."""
    columns = [results.table.column("constraints") for run in runs for results in run.evaluations.values()]
    return {trait for column in columns for traits in column.to_pylist() for trait in traits or ()}


def _weights(run: Run) -> dict[str, float]:
    rewards = run.config.get("rewards")
    if not isinstance(rewards, Mapping):
        return {}
    return {
        str(name): float(choice.get("weight", 1.0))
        for name, choice in rewards.items()
        if isinstance(choice, Mapping)
    }
