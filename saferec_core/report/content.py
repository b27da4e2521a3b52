"""All that a page says about runs, worked out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from saferec_core.analysis.compare import MIN_CELL
from saferec_core.analysis.results import Results
from saferec_core.report.curves import curve_sections
from saferec_core.report.estimates import Estimator
from saferec_core.report.facts import facts, facts_table, primary_decoding, provenance
from saferec_core.report.headline import headlines, tiles
from saferec_core.report.naming import label, relevance_metric, safety_metric
from saferec_core.report.packing import pack
from saferec_core.report.pictures import TraitBars, pareto, trait_bars
from saferec_core.report.reading import Moment, Run
from saferec_core.report.tables import MetricTable, checkpoint_table, metric_table
from saferec_core.rl.rollout_log import TOKENS_KEPT

__all__ = ["page_content"]

_TOGETHER = (("before", "after"), ("policy",), ("chosen",))
"""Evaluations of one run that stand side by side."""


def page_content(runs: Sequence[Run]) -> dict[str, Any]:
    """Return what the page's template asks for, by name."""
    estimator = Estimator()
    decoding = _common_decoding(runs)
    tables = _tables(runs, decoding, estimator)
    main = tables[0] if tables else None
    metrics = [row.metric for row in main.rows] if main else _checkpoint_metrics(runs)
    relevance, safety = relevance_metric(metrics), safety_metric(metrics)
    policies = _policies(runs, decoding)
    bars = _bars(policies, safety)
    picture = pareto(runs, decoding, relevance, safety, estimator) if relevance and safety else None
    curves = curve_sections(runs)
    packed = pack(runs)
    pictures = [panel for section in curves for panel in section.panels]
    pictures += [found for found in (bars.picture, picture) if found]
    return {
        "runs": runs,
        "facts": facts,
        "facts_table": facts_table,
        "provenance": provenance,
        "headlines": headlines(main) if main else [],
        "tiles": tiles(main) if main else [],
        "tables": tables,
        "folded": [(title, list(under)) for title, under in groupby(tables[1:], lambda table: table.heading)],
        "trait_metrics": [metric for metric in (safety, relevance) if metric],
        "bars": bars,
        "bar_names": list(policies),
        "pareto": picture,
        "curves": curves,
        "checkpoints": [
            (run, stage.name, stage.checkpoints, checkpoint_table(stage.checkpoints))
            for run in runs
            for stage in run.stages
            if stage.checkpoints
        ],
        "decoding": decoding,
        "packed": packed,
        "weights": {run.name: _weights(run) for run in runs},
        "pictures": pictures,
        "label": label,
        "min_cell": MIN_CELL,
        "tokens_kept": TOKENS_KEPT,
    }


def _common_decoding(runs: Sequence[Run]) -> str:
    """Return the first run's decoding, or another one that more runs were evaluated with."""
    wanted = primary_decoding(runs[0])
    kinds = dict.fromkeys([wanted, *(moment.decoding for run in runs for moment in run.evaluations)])
    return max(kinds, key=lambda kind: sum(kind in run.final for run in runs))


def _tables(runs: Sequence[Run], decoding: str, estimator: Estimator) -> list[MetricTable]:
    """Lay runs side by side where there are several, then each before and after; *decoding* first."""
    kinds = sorted(
        {moment.decoding for run in runs for moment in run.evaluations},
        key=lambda kind: (kind != decoding, kind),
    )
    tables = []
    for kind in kinds if len(runs) > 1 else ():
        ends = {run.name: run.final[kind] for run in runs if kind in run.final}
        if len(ends) > 1:
            title = f"Runs, {kind} lists"
            tables.append(metric_table(title, title, ends, estimator))
    for run in runs:
        for kind in kinds:
            tables += _tables_of(run, kind, estimator, several=len(runs) > 1)
    return tables


def _tables_of(run: Run, decoding: str, estimator: Estimator, *, several: bool) -> list[MetricTable]:
    """Lay one run before and after side by side; a policy that was evaluated by itself stands alone."""
    tables = []
    for together in _TOGETHER:
        moments = [moment for when in together if (moment := Moment(when, decoding)) in run.evaluations]
        if not moments:
            continue
        names = " and ".join(_called(moment, run) for moment in moments)
        title = f"{names[:1].upper()}{names[1:]}, {decoding} lists"
        heading = title
        if several:
            title, heading = f"{run.name}: {title}", f"{run.name} by itself"
        found = {_called(moment, run): run.evaluations[moment] for moment in moments}
        whole = [run.whole.get(moment, {}) for moment in moments]
        tables.append(metric_table(title, heading, found, estimator, whole))
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
        if found := {_called(m, run): run.evaluations[m] for m in moments if m in run.evaluations}:
            return found
    return {}


def _bars(policies: Mapping[str, Results], safety: str | None) -> TraitBars:
    if not policies or safety is None:
        return TraitBars(None, ())
    return trait_bars(policies, int(safety.partition("@")[2]))


def _checkpoint_metrics(runs: Sequence[Run]) -> list[str]:
    return [
        metric
        for run in runs
        for stage in run.stages
        if stage.checkpoints
        for metrics in stage.checkpoints.metrics.values()
        for metric in metrics
    ]


def _weights(run: Run) -> dict[str, float]:
    rewards = run.config.get("rewards")
    if not isinstance(rewards, Mapping):
        return {}
    return {
        str(name): float(choice.get("weight", 1.0))
        for name, choice in rewards.items()
        if isinstance(choice, Mapping)
    }
