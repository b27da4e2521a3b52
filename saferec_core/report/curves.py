"""Learning curves: one panel per logged figure, all runs in it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from saferec_core.report.drawing import SERIES_COLORS, SERIES_DASHES, Picture, layered
from saferec_core.report.reading import CheckpointChoice, Run, Stage

__all__ = ["CurveSection", "curve_sections"]

_POINTS = 400  # of a line; more are averaged
_SMOOTHED_FROM = 40  # points; fewer are shown as they are
_HEIGHT = 150
_STEPS = {"tickCount": 4, "tickMinStep": 1, "format": ",d", "labelOverlap": True}
"""The axis of steps."""
_NEAR = {
    "name": "near",
    "select": {"type": "point", "nearest": True, "on": "pointerover", "fields": ["step"]},
}
"""Selects the points of the step that the pointer is nearest to."""

_LISTS = {
    "violation_rate": "Violation rate",
    "repeated": "Repeated titles",
    "seen": "Seen titles",
    "wasted": "Wasted ranks",
    "out_of_catalog": "Out of catalog",
    "list_length": "List length",
    "distinct_titles": "Distinct titles",
    "oracle_coverage": "Known to the oracle",
    "advantage_zero": "Advantages of 0",
    "completions/clipped_ratio": "Cut off at the length limit",
    "kl": "KL from the reference policy",
    "entropy": "Entropy",
}
"""What is shown of a stage that samples lists, after its rewards."""
_TEXT = {
    "loss": "Loss",
    "eval_loss": "Validation loss",
    "mean_token_accuracy": "Token accuracy",
    "eval_mean_token_accuracy": "Validation token accuracy",
}
"""What is shown of a stage that imitates."""
_PREFIXES = {
    "reward/": "Reward: ",
    "advantage_share/": "Share of the advantage: ",
    "limited/": "Limited share: ",
    "multiplier/": "Multiplier: ",
}
_SHARES = {
    "advantage_zero",
    "distinct_titles",
    "oracle_coverage",
    "violation_rate",
    "repeated",
    "seen",
    "wasted",
    "out_of_catalog",
    "completions/clipped_ratio",
    "mean_token_accuracy",
    "eval_mean_token_accuracy",
}


@dataclass(frozen=True)
class CurveSection:
    """The panels of one stage."""

    stage: str
    panels: Sequence[Picture]
    steps: int
    """The last logged step of any run."""
    averaged: int
    """How many logged steps a point stands for, at most."""
    chosen: Mapping[str, str]
    """By run, the chosen checkpoint, where one was chosen."""


@dataclass(frozen=True)
class _Line:
    run: str
    steps: Sequence[float]
    values: Sequence[float]


def curve_sections(runs: Sequence[Run]) -> list[CurveSection]:
    """Draw every stage that was logged, in order; stages of the same name share their panels."""
    by_stage: dict[str, list[tuple[Run, Stage]]] = {}
    for run in runs:
        for stage in run.stages:
            if stage.rows:
                by_stage.setdefault(stage.name, []).append((run, stage))
    names = [run.name for run in runs]
    return [_section(name, trained, names) for name, trained in by_stage.items()]


def _section(name: str, trained: Sequence[tuple[Run, Stage]], names: Sequence[str]) -> CurveSection:
    chosen = {run.name: stage.checkpoints.chosen for run, stage in trained if stage.checkpoints}
    marks = [
        {"step": step, "run": run}
        for run, checkpoint in chosen.items()
        if (step := CheckpointChoice.step(checkpoint)) is not None
    ]
    panels, averaged = [], 1
    for figure in _figures(trained):
        lines = [line for run, stage in trained if (line := _line(run.name, stage, figure)).steps]
        averaged = max(averaged, *(math.ceil(len(line.steps) / _POINTS) for line in lines))
        panels.append(_panel(figure, lines, marks, _bounds(figure, trained), names))
    steps = max(int(row["step"]) for _, stage in trained for row in stage.rows)
    return CurveSection(name, panels, steps, averaged, chosen)


def _figures(trained: Sequence[tuple[Run, Stage]]) -> list[str]:
    """Return what is worth a panel, rewards first."""
    logged = dict.fromkeys(
        name for _, stage in trained for row in stage.rows for name, value in row.items() if _is_number(value)
    )
    prefixed = [name for name in logged if name.startswith(tuple(_PREFIXES))]
    return [*prefixed, *(name for name in (_LISTS if prefixed else _TEXT) if name in logged)]


def _is_share(figure: str) -> bool:
    return figure in _SHARES or figure.startswith(("limited/", "advantage_share/"))


def _title(figure: str) -> str:
    for prefix, words in _PREFIXES.items():
        if figure.startswith(prefix):
            return words + figure.removeprefix(prefix)
    return {**_LISTS, **_TEXT}.get(figure, figure)


def _line(run: str, stage: Stage, figure: str) -> _Line:
    points = [(float(row["step"]), float(row[figure])) for row in stage.rows if _is_number(row.get(figure))]
    return _Line(run, [step for step, _ in points], [value for _, value in points])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _bounds(figure: str, trained: Sequence[tuple[Run, Stage]]) -> list[dict[str, Any]]:
    """Return the bound that a limited share was to keep, for each run that has one."""
    bounds = []
    for run, stage in trained:
        limits = stage.config.get("limits")
        for text in limits.get("limit") or () if isinstance(limits, Mapping) else ():
            share, _, bound = str(text).partition("<=")
            if f"limited/{share.strip()}" == figure:
                bounds.append({"run": run.name, "bound": float(bound)})
    return bounds


def _panel(
    figure: str,
    lines: Sequence[_Line],
    marks: Sequence[Mapping[str, Any]],
    bounds: Sequence[Mapping[str, Any]],
    names: Sequence[str],
) -> Picture:
    """Draw one figure over the steps, in plain Vega-Lite: Altair takes seconds for the panels of a run."""
    title = _title(figure)
    rows = [row for line in lines for row in _points(line)]
    by_step = {
        "x": _quantity("step", title=None, axis=_STEPS),
        "color": _of_run(names, SERIES_COLORS),
        "strokeDash": _of_run(names, SERIES_DASHES),
    }
    axis = {"tickCount": 4, **({"format": "%"} if _is_share(figure) else {})}
    mean = _quantity("mean", title=None, axis=axis, scale={"zero": _is_share(figure)})
    layers: list[dict[str, Any]] = [
        {
            "data": {"name": "logged"},
            "mark": {"type": "line", "strokeWidth": 2, "clip": True},
            "encoding": {**by_step, "y": mean},
        },
        {
            "data": {"name": "logged"},
            "params": [_NEAR],
            "mark": {"type": "point", "filled": True, "size": 55},
            "encoding": {
                **by_step,
                "y": _quantity("mean"),
                "opacity": {
                    "condition": {"param": "near", "value": 1, "empty": False},
                    "value": 1 if len(rows) < 25 else 0,
                },
                "tooltip": _tooltip(figure, smooth=_smooth(lines)),
            },
        },
    ]
    if _smooth(lines) and len(names) == 1:
        raw = {
            "data": {"name": "logged"},
            "mark": {"type": "line", "strokeWidth": 1, "opacity": 0.35},
            "encoding": {**by_step, "y": _quantity("value")},
        }
        layers.insert(0, raw)
    if marks:
        layers += _marked(alone=len(names) == 1, late=marks[0]["step"] > max(row["step"] for row in rows) / 2)
    if bounds:
        layers.append(
            {
                "data": {"name": "bounds"},
                "mark": {"type": "rule", "strokeDash": [6, 4], "strokeWidth": 1.5},
                "encoding": {"y": _quantity("bound"), "color": {"value": "var(--violation)"}},
            }
        )
    summary = "; ".join(
        f"{line.run} from {line.values[0]:.4g} at step {line.steps[0]:g} to {line.values[-1]:.4g} at step "
        f"{line.steps[-1]:g}"
        for line in lines
    )
    limit = "".join(f" The limit is {bound['bound']:g}." for bound in bounds[:1])
    return layered(
        title,
        f"{title} over steps: {summary}.{limit}",
        layers,
        height=_HEIGHT,
        logged=rows,
        chosen=marks,
        bounds=bounds,
    )


def _quantity(field: str, **how: Any) -> dict[str, Any]:
    return {"field": field, "type": "quantitative", **how}


def _of_run(names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    return {"field": "run", "type": "nominal", "legend": None, "scale": {"domain": names, "range": values}}


def _tooltip(figure: str, *, smooth: bool) -> list[dict[str, Any]]:
    form = ".2~%" if _is_share(figure) else ".3~f"
    return [
        {"field": "run", "type": "nominal"},
        _quantity("step", format=","),
        _quantity("value", title=_title(figure).lower(), format=form),
        *([_quantity("mean", title="smoothed", format=form)] if smooth else []),
    ]


def _marked(*, alone: bool, late: bool) -> list[dict[str, Any]]:
    """Draw where a checkpoint was chosen: in words for one run, in its color for several."""
    rule = {
        "data": {"name": "chosen"},
        "mark": {"type": "rule", "strokeDash": [2, 3], "opacity": 0.8},
        "encoding": {
            "x": _quantity("step"),
            "color": {"value": "var(--ink)"} if alone else {"field": "run", "type": "nominal"},
        },
    }
    if not alone:
        return [rule]
    words = {
        "type": "text",
        "text": "chosen",
        "baseline": "bottom",
        "y": -3,
        "color": "var(--muted)",
        **({"align": "right", "dx": 3} if late else {"align": "left", "dx": -3}),
    }
    return [rule, {"data": {"name": "chosen"}, "mark": words, "encoding": {"x": _quantity("step")}}]


def _smooth(lines: Sequence[_Line]) -> bool:
    return any(len(line.steps) >= _SMOOTHED_FROM for line in lines)


def _points(line: _Line) -> list[dict[str, Any]]:
    """Average neighbors until a line has few enough points, and smooth what is left."""
    size = math.ceil(len(line.steps) / _POINTS)
    parts = [slice(start, start + size) for start in range(0, len(line.steps), size)]
    steps = [_mean(line.steps[part]) for part in parts]
    values = [_mean(line.values[part]) for part in parts]
    reach = len(values) // 40 if len(values) >= _SMOOTHED_FROM else 0
    return [
        {
            "run": line.run,
            "step": round(step),
            "value": float(f"{value:.5g}"),
            "mean": float(f"{_mean(values[max(0, point - reach) : point + reach + 1]):.5g}"),
        }
        for point, (step, value) in enumerate(zip(steps, values, strict=True))
    ]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
