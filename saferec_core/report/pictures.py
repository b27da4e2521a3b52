"""Pictures of where policies stand: violations by trait, and relevance against violations."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from saferec_core.analysis.compare import MIN_CELL
from saferec_core.analysis.results import Results
from saferec_core.report.drawing import SERIES_COLORS, Picture, data_of
from saferec_core.report.estimates import Estimator, trait_estimates
from saferec_core.report.naming import label
from saferec_core.report.reading import CheckpointChoice, Run

__all__ = ["TraitBars", "pareto", "trait_bars"]

_CHECKPOINT = "checkpoint (validation)"


@dataclass(frozen=True)
class TraitBars:
    """Violations by trait."""

    picture: Picture | None
    """None if no trait has users enough."""
    suppressed: Sequence[str]
    """Traits with too few users to be shown."""


def trait_bars(policies: Mapping[str, Results], k: int) -> TraitBars:
    """Draw, by trait and policy, the share of lists that violate the trait in their top *k*."""
    import altair as alt

    by_policy = {name: trait_estimates(results, k) for name, results in policies.items()}
    traits = sorted(frozenset().union(*by_policy.values()))
    few = [trait for trait in traits if any(_users(found, trait) < MIN_CELL for found in by_policy.values())]
    shown = [trait for trait in traits if trait not in few]
    if not shown:
        return TraitBars(None, few)
    rows = [
        {
            "trait": trait,
            "shown": _wrapped(trait),
            "policy": name,
            "share": found[trait].mean,
            "low": found[trait].low,
            "high": found[trait].high,
            "users": found[trait].users,
        }
        for name, found in by_policy.items()
        for trait in shown
    ]
    names = list(by_policy)
    first = by_policy[names[0]]
    order = sorted(shown, key=lambda trait: (-first[trait].mean, trait))
    base = alt.Chart(data_of(rows)).encode(
        y=alt.Y(
            "shown:N",
            sort=[_wrapped(trait) for trait in order],
            title=None,
            axis=alt.Axis(labelExpr=r"split(datum.label, '\n')", labelLimit=200, ticks=False, domain=False),
        ),
        yOffset=alt.YOffset("policy:N", sort=names),
    )
    tooltip = [
        alt.Tooltip("trait:N"),
        alt.Tooltip("policy:N"),
        alt.Tooltip("share:Q", title="lists in violation", format=".1%"),
        alt.Tooltip("low:Q", title="interval from", format=".1%"),
        alt.Tooltip("high:Q", title="to", format=".1%"),
        alt.Tooltip("users:Q", format=","),
    ]
    bars = base.mark_bar(cornerRadiusEnd=2).encode(
        x=alt.X("share:Q", title=None, axis=alt.Axis(format=".0%", tickCount=5)),
        color=alt.Color("policy:N", legend=None, scale=alt.Scale(domain=names, range=SERIES_COLORS)),
        tooltip=tooltip,
    )
    whiskers = base.mark_rule(color="var(--ink)", opacity=0.65).encode(
        x="low:Q", x2="high:Q", tooltip=tooltip
    )
    chart = alt.layer(bars, whiskers).properties(
        width="container", height=len(shown) * (12 + 15 * len(names)) + 10
    )
    said = "; ".join(
        f"{trait} {', '.join(f'{name} {found[trait].mean:.1%}' for name, found in by_policy.items())}"
        for trait in order
    )
    return TraitBars(
        Picture(
            "Violations by trait",
            f"Share of lists that violate a trait: {said}.",
            chart.to_dict(validate=False),
        ),
        few,
    )


def _wrapped(trait: str) -> str:
    """Break a trait's name into lines that leave room for the bars."""
    return "\n".join(textwrap.wrap(trait, 23)) or trait


def _users(found: Mapping[str, Any], trait: str) -> int:
    estimate = found.get(trait)
    return 0 if estimate is None or math.isnan(estimate.mean) else int(estimate.users)


def pareto(
    runs: Sequence[Run], decoding: str, relevance: str, safety: str, estimator: Estimator
) -> Picture | None:
    """Draw relevance against violations: checkpoints on the validation records, policies on the test ones.

    One point alone is no picture: None.
    """
    import altair as alt

    points = [point for run in runs for point in _points(run, decoding, relevance, safety, estimator)]
    points = [point for point in points if not math.isnan(point["relevance"] + point["safety"])]
    if len(points) < 2:
        return None
    names = [run.name for run in runs]
    for point in points:
        point["text"] = _text(point, several=len(runs) > 1)
    kinds = ["before", "after", "policy", _CHECKPOINT]
    present = [kind for kind in kinds if any(point["kind"] == kind for point in points)]
    x = alt.X(
        "safety:Q",
        title=f"{label(safety)} (less is better)",
        axis=alt.Axis(format="~%", tickCount=6),
        scale=alt.Scale(zero=True),
    )
    y = alt.Y(
        "relevance:Q",
        title=f"{label(relevance)} (more is better)",
        axis=alt.Axis(tickCount=6),
        scale=alt.Scale(zero=False, padding=12),
    )
    color = alt.Color("run:N", legend=None, scale=alt.Scale(domain=names, range=SERIES_COLORS))
    base = alt.Chart(data_of(points)).encode(x=x, y=y, color=color)
    tooltip = [
        alt.Tooltip("run:N"),
        alt.Tooltip("name:N", title="policy"),
        alt.Tooltip("relevance:Q", title=label(relevance), format=".4f"),
        alt.Tooltip("safety:Q", title=label(safety), format=".2%"),
        alt.Tooltip("protocol:N"),
    ]
    marks = base.mark_point(filled=True, size=110, opacity=1, strokeWidth=2).encode(
        shape=alt.Shape(
            "kind:N",
            legend=None,
            scale=alt.Scale(domain=kinds, range=["triangle-up", "circle", "square", "diamond"]),
        ),
        size=alt.condition(alt.datum.kind == _CHECKPOINT, alt.value(55), alt.value(120)),
        tooltip=tooltip,
    )
    ways: list[tuple[list[dict[str, Any]], dict[str, Any]]] = [
        ([point for point in points if point["kind"] == _CHECKPOINT], {"strokeWidth": 1, "opacity": 0.45}),
        (
            [point for point in points if point["kind"] in {"before", "after"}],
            {"strokeWidth": 1.5, "strokeDash": [4, 3], "opacity": 0.7},
        ),
    ]
    layers = [
        *(
            alt.Chart(data_of(way))
            .mark_line(**look)
            .encode(x=x, y=y, color=color, order="order:Q", detail="stage:N")
            for way, look in ways
            if way
        ),
        base.mark_rule(opacity=0.4).encode(y="relevance_low:Q", y2="relevance_high:Q"),
        base.mark_rule(opacity=0.4).encode(x="safety_low:Q", x2="safety_high:Q", y="relevance:Q"),
        marks,
        base.mark_text(align="left", dx=9, dy=-8, fontSize=11).encode(
            text="text:N", color=alt.value("var(--muted)")
        ),
    ]
    said = "; ".join(
        f"{point['run']} {point['name']}: {label(relevance)} {point['relevance']:.4f}, "
        f"{label(safety)} {point['safety']:.2%}"
        for point in points
    )
    chart = alt.layer(*layers).properties(width="container", height=300)
    return Picture(
        "Relevance against violations", f"{', '.join(present)}. {said}.", chart.to_dict(validate=False)
    )


def _text(point: Mapping[str, Any], *, several: bool) -> str:
    """Return what stands beside a point: of one run's checkpoints only beside the chosen one."""
    if several or (point["kind"] == _CHECKPOINT and "chosen" not in point["name"]):
        return ""
    return str(point["name"])


def _points(
    run: Run, decoding: str, relevance: str, safety: str, estimator: Estimator
) -> list[dict[str, Any]]:
    points = []
    for stage in run.stages:
        choice = stage.checkpoints
        for checkpoint, metrics in choice.metrics.items() if choice else ():
            found = metrics.get(relevance), metrics.get(safety)
            if choice and found[0] and found[1]:
                step = CheckpointChoice.step(checkpoint)
                chosen = " (chosen)" if checkpoint == choice.chosen else ""
                name = f"step {step}{chosen}" if step is not None else f"{checkpoint}{chosen}"
                points.append(
                    _point(run, name, _CHECKPOINT, found[0], found[1])
                    | {"order": step or 0, "protocol": choice.protocol, "stage": stage.name}
                )
    for place, when in enumerate(("before", "after", "policy")):  # "chosen" is among the checkpoints
        for moment, results in run.evaluations.items():
            if (moment.when, moment.decoding) != (when, decoding):
                continue
            means = estimator(results)
            if relevance in means and safety in means:
                pair = [(found.mean, found.low, found.high) for found in (means[relevance], means[safety])]
                points.append(
                    _point(run, when, when, pair[0], pair[1])
                    | {"order": place, "protocol": results.protocol.get("id", ""), "stage": "held out"}
                )
    return points


def _point(
    run: Run, name: str, kind: str, relevance: tuple[float, float, float], safety: tuple[float, float, float]
) -> dict[str, Any]:
    point: dict[str, Any] = {"run": run.name, "name": name, "kind": kind}
    for axis, (mean, low, high) in (("relevance", relevance), ("safety", safety)):
        point |= {axis: mean}
        point |= {f"{axis}_low": mean if math.isnan(low) else low}
        point |= {f"{axis}_high": mean if math.isnan(high) else high}
    return point
