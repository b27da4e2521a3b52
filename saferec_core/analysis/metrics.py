"""How metrics are called, ordered and written, wherever they are shown: on pages and in terminals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from saferec_core.analysis.number_format import figures
from saferec_core.analysis.results import MetricFacts

__all__ = [
    "WholeFigure",
    "headline_metrics",
    "is_share",
    "label",
    "ordered",
    "primary_metric",
    "written",
    "written_interval",
]

_ROLES = ("relevance", "safety", "list", "context")
_USUAL_K = 10


class WholeFigure(NamedTuple):
    """A metric of all lists together, which has neither rows nor an interval."""

    value: float
    """NaN is "no value"."""
    facts: MetricFacts

    @property
    def text(self) -> str:
        """The value with its unit."""
        return "no value" if math.isnan(self.value) else written(self.facts, self.value)[0]

    def stored(self) -> dict[str, Any]:
        """Return what a summary holds; :meth:`read` is the reverse."""
        value = None if math.isnan(self.value) else self.value
        return {"value": value, "label": self.facts.label, "unit": self.facts.unit}

    @classmethod
    def read(cls, stored: Any) -> WholeFigure:
        """Read what :meth:`stored` returned, or a bare number, as summaries once held."""
        known = stored if isinstance(stored, Mapping) else {"value": stored}
        facts = MetricFacts(
            "none", "whole", "", label=str(known.get("label", "")), unit=str(known.get("unit", ""))
        )
        value = known.get("value")
        return cls(float(value) if isinstance(value, int | float) else math.nan, facts)


def label(metric: str, facts: MetricFacts) -> str:
    """Return what a reader calls a metric: ``Sensitivity Ratio@10`` for ``sensitivity_ratio@10``."""
    base, at, k = metric.partition("@")
    return f"{facts.label or base.replace('_', ' ').capitalize()}{at}{k}"


def ordered(metrics: Mapping[str, MetricFacts]) -> list[str]:
    """Return the metrics as every table lists them.

    Relevance comes first, then safety, the form of the lists and the context; within a role the metric that
    stands for it, then the others in the order given; each from the smallest K to the largest.
    """
    first_listed: dict[str, int] = {}
    for metric in metrics:
        first_listed.setdefault(_base(metric), len(first_listed))
    return sorted(
        metrics,
        key=lambda metric: (
            _ROLES.index(metrics[metric].role) if metrics[metric].role in _ROLES else len(_ROLES),
            not metrics[metric].primary,
            first_listed[_base(metric)],
            _depth(metric),
        ),
    )


def primary_metric(metrics: Mapping[str, MetricFacts], *roles: str) -> str | None:
    """Return the one metric that stands for the first of *roles* that has any; None if none has.

    Of several K it is the usual 10, else the largest.
    """
    for role in roles:
        of_role = {metric: facts for metric, facts in metrics.items() if facts.role == role}
        if of_role:
            base = _base(ordered(of_role)[0])
            return max(
                (metric for metric in of_role if _base(metric) == base),
                key=lambda metric: (_depth(metric) == _USUAL_K, _depth(metric)),
            )
    return None


def headline_metrics(metrics: Mapping[str, MetricFacts]) -> list[str]:
    """Return the few metrics that summarize a comparison, good or bad, in the order of every table.

    These are the metric that stands for relevance, the one that stands for safety, everything about the form
    of the lists, and what of the context has a better side.
    """
    wanted = {primary_metric(metrics, "relevance"), primary_metric(metrics, "safety")}
    return [
        metric
        for metric in ordered(metrics)
        if metric in wanted
        or metrics[metric].role == "list"
        or (metrics[metric].role == "context" and metrics[metric].better != "none")
    ]


def is_share(facts: MetricFacts) -> bool:
    """Whether a value is a share in 0..1, which reads best as a percentage."""
    return facts.unit.startswith("share")


def written(
    facts: MetricFacts, *numbers: float, like: Sequence[float] = (), change: bool = False
) -> list[str]:
    """Write values of a metric, or changes of it, with its unit and as many decimals as they bear out.

    Args:
        facts: Facts about the metric.
        numbers: Values of it; NaN is "no value".
        like: Numbers, such as an interval's, whose decimals to use instead of those of *numbers*.
        change: Whether *numbers* are differences: they get a sign, and shares are in percentage points.
    """
    scale = 100 if is_share(facts) else 1
    texts = figures(
        *(scale * number for number in numbers),
        sign="+" if change else "",
        like=[scale * number for number in like],
    )
    unit = "" if scale == 1 else " pts" if change else "%"
    return [text if math.isnan(number) else text + unit for text, number in zip(texts, numbers, strict=True)]


def written_interval(
    facts: MetricFacts, mean: float, low: float, high: float, *, change: bool = False
) -> tuple[str, str]:
    """Write a mean with its unit, and its interval as ``[low, high]``; no interval is an empty text."""
    if math.isnan(low) or math.isnan(high):
        return written(facts, mean, change=change)[0], ""
    scale = 100 if is_share(facts) else 1
    sign = "+" if change else ""
    _, *bounds = figures(scale * mean, scale * low, scale * high, sign=sign)
    (text,) = written(facts, mean, like=(mean, low, high), change=change)
    return text, f"[{', '.join(bounds)}]"


def _base(metric: str) -> str:
    return metric.partition("@")[0]


def _depth(metric: str) -> int:
    _, _, k = metric.partition("@")
    return int(k) if k.isdigit() else 0
