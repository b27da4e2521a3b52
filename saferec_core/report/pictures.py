"""Pictures of policies: violations by trait, and relevance against violations."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from saferec_core.analysis.compare import MIN_CELL
from saferec_core.analysis.estimates import Estimate
from saferec_core.analysis.metrics import is_share, label
from saferec_core.analysis.results import MetricFacts, Results
from saferec_core.data.traits import short_names
from saferec_core.report.drawing import SERIES_COLORS, Picture, chart_of, picture, value_axis
from saferec_core.report.estimates import Estimator, trait_estimates
from saferec_core.report.reading import CheckpointChoice, Run

__all__ = ["TraitBars", "checkpoint_pareto", "policy_pareto", "trait_bars"]

_SHAPES = {"before": "triangle-up", "after": "circle", "policy": "square", "checkpoint": "diamond"}
"""By what a point of a Pareto picture stands for."""


@dataclass(frozen=True)
class TraitBars:
    """Violations by trait."""

    picture: Picture | None
    """None if no trait has enough users."""
    suppressed: Sequence[str]
    """Traits with too few users to be shown."""


def trait_bars(policies: Mapping[str, Results], k: int) -> TraitBars:
    """Draw, by trait and policy, the share of lists that violate the trait in their top *k*."""
    import altair as alt

    by_policy = {name: trait_estimates(results, k) for name, results in policies.items()}
    traits = sorted(frozenset().union(*by_policy.values()))
    few = [
        trait
        for trait in traits
        if any(_users(estimates, trait) < MIN_CELL for estimates in by_policy.values())
    ]
    shown = [trait for trait in traits if trait not in few]
    if not shown:
        return TraitBars(None, few)
    short = short_names(shown)
    rows = [
        {
            "trait": trait,
            "shown": _wrapped(short[trait]),
            "policy": name,
            "share": estimates[trait].mean,
            "low": estimates[trait].low,
            "high": estimates[trait].high,
            "users": estimates[trait].users,
        }
        for name, estimates in by_policy.items()
        for trait in shown
    ]
    names = list(by_policy)
    first = by_policy[names[0]]
    order = sorted(shown, key=lambda trait: (-first[trait].mean, trait))
    base = chart_of("shares").encode(
        y=alt.Y(
            "shown:N",
            sort=[_wrapped(short[trait]) for trait in order],
            title=None,
            axis=alt.Axis(labelExpr=r"split(datum.label, '\n')", labelLimit=200, ticks=False, domain=False),
        ),
        yOffset=alt.YOffset("policy:N", sort=names),
    )
    tooltip = [
        alt.Tooltip("trait:N"),
        alt.Tooltip("policy:N"),
        alt.Tooltip("share:Q", title="lists in violation", format=".2~%"),
        alt.Tooltip("low:Q", title="interval from", format=".2~%"),
        alt.Tooltip("high:Q", title="to", format=".2~%"),
        alt.Tooltip("users:Q", format=","),
    ]
    bars = base.mark_bar(cornerRadiusEnd=2).encode(
        x=alt.X("share:Q", title=None, axis=value_axis(share=True, ticks=5)),
        color=alt.Color("policy:N", legend=None, scale=alt.Scale(domain=names, range=SERIES_COLORS)),
        tooltip=tooltip,
    )
    whiskers = base.mark_rule(color="var(--ink)", opacity=0.65).encode(
        x="low:Q", x2="high:Q", tooltip=tooltip
    )
    chart = alt.layer(bars, whiskers).properties(
        width="container", height=len(shown) * (12 + 15 * len(names)) + 10
    )
    summary = "; ".join(
        f"{trait} {', '.join(f'{name} {estimates[trait].mean:.2%}' for name, estimates in by_policy.items())}"
        for trait in order
    )
    return TraitBars(
        picture(
            "Violations by trait",
            f"Share of lists that violate a trait: {summary}.",
            chart,
            shares=rows,
        ),
        few,
    )


def _wrapped(trait: str) -> str:
    """Break a trait's name into lines that leave room for the bars."""
    return "\n".join(textwrap.wrap(trait, 23)) or trait


def _users(estimates: Mapping[str, Any], trait: str) -> int:
    estimate = estimates.get(trait)
    return 0 if estimate is None or math.isnan(estimate.mean) else int(estimate.users)


def policy_pareto(
    runs: Sequence[Run], decoding: str, axes: Mapping[str, MetricFacts], estimator: Estimator
) -> Picture | None:
    """Draw relevance against violations of policies on the test records, all decoded alike.

    Args:
        runs: Whose policies to draw, a color each.
        decoding: Decoding of the lists; lists of different decodings cannot be compared.
        axes: The metric that stands for relevance and the one that stands for safety.
        estimator: Averages evaluations.

    Returns:
        None where there are fewer than two points.
    """
    relevance, safety = axes
    points = [
        _point(run, moment.when, moment.when, order, _bounds(means[relevance]), _bounds(means[safety]))
        for run in runs
        for order, when in enumerate(("before", "after", "policy"))
        for moment, results in run.evaluations.items()
        if (moment.when, moment.decoding) == (when, decoding)
        if {relevance, safety} <= (means := estimator(results)).keys()
    ]
    return _pareto(points, [run.name for run in runs], axes, f"{decoding} lists, test records")


def checkpoint_pareto(runs: Sequence[Run], axes: Mapping[str, MetricFacts]) -> Picture | None:
    """Draw relevance against violations of checkpoints, which were evaluated on the validation records.

    Takes and returns what `policy_pareto` does.
    """
    relevance, safety = axes
    points = []
    for run in runs:
        for choice in (stage.checkpoints for stage in run.stages if stage.checkpoints):
            for checkpoint, metrics in choice.metrics.items():
                step = CheckpointChoice.step(checkpoint)
                chosen = " (chosen)" if checkpoint == choice.chosen else ""
                name = f"{checkpoint if step is None else f'step {step}'}{chosen}"
                if (gain := metrics.get(relevance)) and (cost := metrics.get(safety)):
                    points.append(_point(run, name, "checkpoint", step or 0, gain, cost))
    return _pareto(points, [run.name for run in runs], axes, "greedy lists, validation records")


def _pareto(
    points: Sequence[dict[str, Any]], names: Sequence[str], axes: Mapping[str, MetricFacts], kind: str
) -> Picture | None:
    import altair as alt

    points = [point for point in points if not math.isnan(point["relevance"] + point["safety"])]
    if len(points) < 2:
        return None
    for point in points:
        point["text"] = _text(point, several=len(names) > 1)
    relevance, safety = (label(metric, facts) for metric, facts in axes.items())
    shares = [is_share(facts) for facts in axes.values()]
    forms = [".2~%" if share else ".4f" for share in shares]
    x = alt.X(
        "safety:Q",
        title=f"{safety} (lower is better)",
        axis=value_axis(share=shares[1], ticks=5),
        scale=alt.Scale(zero=True),
    )
    y = alt.Y(
        "relevance:Q",
        title=f"{relevance} (higher is better)",
        axis=value_axis(share=shares[0], ticks=5),
        scale=alt.Scale(zero=False, padding=12),
    )
    color = alt.Color("run:N", legend=None, scale=alt.Scale(domain=list(names), range=SERIES_COLORS))
    base = chart_of("points").encode(x=x, y=y, color=color)
    tooltip = [
        alt.Tooltip("run:N"),
        alt.Tooltip("name:N", title="policy"),
        alt.Tooltip("relevance:Q", title=relevance, format=forms[0]),
        alt.Tooltip("safety:Q", title=safety, format=forms[1]),
    ]
    shape = alt.Shape(
        "kind:N", legend=None, scale=alt.Scale(domain=list(_SHAPES), range=list(_SHAPES.values()))
    )
    path = [point for point in points if point["kind"] != "policy"]
    layers = [
        chart_of("path")
        .mark_line(strokeWidth=1.5, strokeDash=[4, 3], opacity=0.6)
        .encode(x=x, y=y, color=color, order="order:Q"),
        base.mark_rule(opacity=0.4).encode(y="relevance_low:Q", y2="relevance_high:Q"),
        base.mark_rule(opacity=0.4).encode(x="safety_low:Q", x2="safety_high:Q", y="relevance:Q"),
        base.mark_point(filled=True, size=110, opacity=1, strokeWidth=2).encode(shape=shape, tooltip=tooltip),
        base.mark_text(align="left", dx=9, dy=-8, fontSize=11).encode(
            text="text:N", color=alt.value("var(--muted)")
        ),
    ]
    summary = "; ".join(
        f"{point['run']} {point['name']}: {relevance} {point['relevance']:.4f}, "
        f"{safety} {point['safety']:.4f}"
        for point in points
    )
    chart = alt.layer(*(layers if path else layers[1:])).properties(width="container", height=260)
    return picture(
        "Relevance against violations",
        f"{relevance} against {safety}, {kind}: {summary}.",
        chart,
        points=points,
        path=path,
    )


def _bounds(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.mean, estimate.low, estimate.high


def _text(point: Mapping[str, Any], *, several: bool) -> str:
    """Return what stands beside a point; of a run's checkpoints only the chosen one is named."""
    if several or (point["kind"] == "checkpoint" and "chosen" not in point["name"]):
        return ""
    return str(point["name"])


def _point(
    run: Run,
    name: str,
    kind: str,
    order: int,
    relevance: tuple[float, float, float],
    safety: tuple[float, float, float],
) -> dict[str, Any]:
    point: dict[str, Any] = {"run": run.name, "name": name, "kind": kind, "order": order}
    for axis, (mean, low, high) in (("relevance", relevance), ("safety", safety)):
        point |= {axis: mean}
        point |= {f"{axis}_low": mean if math.isnan(low) else low}
        point |= {f"{axis}_high": mean if math.isnan(high) else high}
    return point
