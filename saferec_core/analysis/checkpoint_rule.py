"""Which of a run's checkpoints is kept: a rule over its metrics, and the reason for the choice.

A rule compares means, as the reference implementation of the Safe-Rank-GRPO paper does. The sentence that
goes with the choice adds what the intervals support.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from saferec_core.analysis.compare import compare
from saferec_core.analysis.estimates import Difference, estimate_means
from saferec_core.analysis.number_format import figures, interval
from saferec_core.analysis.results import MetricFacts, Results
from saferec_core.errors import ConfigError, UnknownNameError

__all__ = ["Choice", "Condition", "Rule", "choose", "read_rule"]

Direction = Literal["highest", "lowest"]

_EXAMPLE = "recall@10 subject to sensitivity_ratio@10<=0.02"
_RULE = re.compile(
    r"(?:(?P<direction>highest|lowest)\s+)?(?P<metric>[^\s<>=,]+)(?:\s+subject\s+to\s+(?P<conditions>.+))?",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"\s*,\s*(?:and\s+)?|\s+and\s+", re.IGNORECASE)
_CONDITION = re.compile(
    r"(?P<metric>[^\s<>=,]+)\s*(?P<sign><=|>=)\s*(?P<limit>[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)",
    re.IGNORECASE,
)
_ROUNDING = 1e-9
"""Means that differ by no more than this are the same; their sums were rounded."""


@dataclass(frozen=True)
class Condition:
    """A limit that the mean of a metric has to keep."""

    metric: str
    sign: Literal["<=", ">="]
    limit: float

    def excess(self, value: float) -> float:
        """Return by how much a mean breaks the limit; 0 if it keeps it, infinity for NaN."""
        if math.isnan(value):
            return math.inf  # a policy that lists nothing has no share of violations, and is not safe
        beyond = value - self.limit if self.sign == "<=" else self.limit - value
        return beyond if beyond > _ROUNDING else 0.0

    def __str__(self) -> str:
        return f"{self.metric} {self.sign} {self.limit:g}"


@dataclass(frozen=True)
class Rule:
    """The highest or lowest mean of a metric, among the checkpoints that keep the conditions."""

    metric: str
    direction: Direction | None = None
    """None: the direction that the metric declares as better."""
    conditions: Sequence[Condition] = ()

    @property
    def metrics(self) -> list[str]:
        """Every metric that the rule looks at, without repetition."""
        return list(dict.fromkeys([self.metric, *(condition.metric for condition in self.conditions)]))

    def resolved(self, metrics: Mapping[str, MetricFacts]) -> Rule:
        """Return the rule with its direction, once all that it names is known.

        Args:
            metrics: Those of the evaluation, by column.

        Raises:
            UnknownNameError: It looks at a metric that is not evaluated.
            ConfigError: Neither direction of the metric is better, and the rule names none.
        """
        for name in self.metrics:
            if name not in metrics:
                raise UnknownNameError("metric", name, metrics, hint="Depths are those of --eval-at.")
        better = metrics[self.metric].better
        if self.direction is None and better not in {"higher", "lower"}:
            raise ConfigError(
                f"neither a higher nor a lower {self.metric} is better in itself; write 'highest "
                f"{self.metric}' or 'lowest {self.metric}'"
            )
        return replace(self, direction=self.direction or ("highest" if better == "higher" else "lowest"))

    def __str__(self) -> str:
        chosen = f"{self.direction} {self.metric}" if self.direction else self.metric
        conditions = " and ".join(map(str, self.conditions))
        return f"{chosen} subject to {conditions}" if conditions else chosen


@dataclass(frozen=True)
class Choice:
    """The chosen checkpoint, and why it is this one."""

    rule: Rule
    chosen: str
    means: Mapping[str, Mapping[str, float]]
    """Mean of each of the rule's metrics by checkpoint, the earliest first; NaN for no value."""
    within: Sequence[str]
    """The checkpoints that keep every condition; if there are none, the chosen one comes closest."""
    runner_up: tuple[str, Difference] | None
    """The next best that keeps every condition, and how the chosen one differs from it, in pairs."""
    sentence: str
    """The choice and its reason, and what of it may be chance."""

    def as_data(self) -> dict[str, Any]:
        """Return everything but the means, ready for JSON."""
        runner_up = None
        if self.runner_up is not None:
            name, difference = self.runner_up
            bounds = {"difference": difference.mean, "low": difference.low, "high": difference.high}
            runner_up = {"checkpoint": name, **bounds, "p": difference.p, "users": difference.users}
        return {
            "select": str(self.rule),
            "chosen": self.chosen,
            "sentence": self.sentence,
            "satisfied": self.chosen in self.within,
            "within": list(self.within),
            "runner_up": runner_up,
        }


def read_rule(text: str) -> Rule:
    """Read ``[highest|lowest] METRIC [subject to METRIC<=NUMBER and ...]``.

    Raises:
        ConfigError: It is not a valid rule; the message quotes the part that is not understood.
    """
    match = _RULE.fullmatch(text.strip())
    if match is None:
        raise ConfigError(
            f"--select {text!r} is not a valid rule; expected [highest|lowest] METRIC [subject to "
            f"METRIC<=NUMBER and ...], such as {_EXAMPLE!r}"
        )
    conditions = []
    for part in _BETWEEN.split(match["conditions"]) if match["conditions"] else ():
        part_match = _CONDITION.fullmatch(part.strip())
        if part_match is None:
            raise ConfigError(
                f"--select {text!r}: {part.strip()!r} is not a valid condition; expected METRIC<=NUMBER or "
                f"METRIC>=NUMBER, several joined by 'and', such as {_EXAMPLE!r}"
            )
        sign = cast("Any", part_match["sign"])
        conditions.append(Condition(part_match["metric"], sign, float(part_match["limit"])))
    direction = match["direction"].lower() if match["direction"] else None
    return Rule(match["metric"], cast("Any", direction), tuple(conditions))


def choose(rule: Rule, checkpoints: Mapping[str, Results]) -> Choice:
    """Choose among checkpoints; of equal ones the earliest.

    If none keeps the conditions, the one closest to them is chosen: with the least sum of what it breaks
    them by, each in shares of the range that the checkpoints span in that metric. Where no checkpoint
    that could be chosen has a value to choose by, the last is kept.

    Args:
        rule: Resolved.
        checkpoints: At least one evaluation by the checkpoint's name, the earliest first; all of the same
            records under the same protocol.
    """
    means = {
        name: {metric: _mean(results.values(metric)) for metric in rule.metrics}
        for name, results in checkpoints.items()
    }
    far = _distances(rule, means)
    within = [name for name in means if far[name] == 0]
    merits = {name: (far[name], _demerit(rule, own_means[rule.metric])) for name, own_means in means.items()}
    ranked = sorted(merits, key=merits.__getitem__)
    chosen = ranked[0]
    if math.isnan(means[chosen][rule.metric]):
        chosen = [name for name in means if merits[name] == merits[ranked[0]]][-1]
    second = ranked[1] if len(within) > 1 else None
    runner_up = None
    if second is not None and not math.isnan(means[second][rule.metric]):
        pairs = compare(checkpoints[second], checkpoints[chosen], metrics=[rule.metric], by_trait=False)
        if (difference := pairs.overall.metrics[0].difference) is not None:
            runner_up = (second, difference)
    reason = _reason(rule, chosen, means, within)
    doubts = [*_doubts_of_limits(rule, checkpoints[chosen])] if chosen in within else []
    doubts += _doubts_of_order(runner_up)
    return Choice(rule, chosen, means, within, runner_up, f"{chosen}: {'; '.join([reason, *doubts])}")


def _mean(values: npt.NDArray[np.float64]) -> float:
    present = values[~np.isnan(values)]
    return float(present.mean()) if len(present) else math.nan


def _distances(rule: Rule, means: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return how far each checkpoint is from keeping the conditions; 0 if it keeps them."""
    distances = dict.fromkeys(means, 0.0)
    for condition in rule.conditions:
        values = [own_means[condition.metric] for own_means in means.values()]
        present = [value for value in values if not math.isnan(value)]
        span = (max(present) - min(present) if present else 0.0) or 1.0
        for name, value in zip(means, values, strict=True):
            distances[name] += condition.excess(value) / span
    return distances


def _demerit(rule: Rule, value: float) -> float:
    """Return what is lowest for the best value; without one, infinity."""
    if math.isnan(value):
        return math.inf
    return round(-value if rule.direction == "highest" else value, 9)


def _reason(rule: Rule, chosen: str, means: Mapping[str, Mapping[str, float]], within: Sequence[str]) -> str:
    number, own_means = len(means), means[chosen]
    (value,) = figures(own_means[rule.metric])
    conditions = " and ".join(map(str, rule.conditions))
    if not within:
        reached = ", ".join(
            f"{condition.metric} {figures(own_means[condition.metric])[0]}" for condition in rule.conditions
        )
        where = f"closest to {conditions}, which NONE of the {number} checkpoints keeps"
        if number == 1:
            where = f"the only checkpoint, although it BREAKS {conditions}"
        return f"{where} ({reached}); its {rule.metric} is {value}"
    of = f" with {conditions}" if conditions else ""
    if math.isnan(own_means[rule.metric]):
        return f"the last checkpoint{of}, since none has a value of {rule.metric}"
    if len(within) == 1:
        others = f"the only one of {number} checkpoints" if number > 1 else "the only checkpoint"
        return f"{others}{of}; its {rule.metric} is {value}"
    among = (
        f"among the {len(within)} of {number} checkpoints{of}" if conditions else f"of {number} checkpoints"
    )
    return f"{rule.direction} {rule.metric} ({value}) {among}"


def _doubts_of_order(runner_up: tuple[str, Difference] | None) -> Iterator[str]:
    """Say where chance may have put the chosen checkpoint before the next one."""
    if runner_up is None:
        return
    name, difference = runner_up
    if difference.low > 0 or difference.high < 0:
        return
    if abs(difference.mean) <= _ROUNDING:
        yield f"{name} has the same, and of equals the earliest is kept"
    else:
        shown = interval(difference.mean, difference.low, difference.high)
        yield f"no difference from the runner-up, {name}, can be claimed: {shown}"


def _doubts_of_limits(rule: Rule, results: Results) -> Iterator[str]:
    """Say where the interval of a mean that keeps its limit reaches beyond it."""
    for condition in rule.conditions:
        facts = results.metrics[condition.metric]
        (estimate,) = estimate_means(
            results.values(condition.metric)[:, None],
            results.users,
            generator=np.random.default_rng(0),
            shares=[facts.kind == "share"],
        )
        bound = estimate.high if condition.sign == "<=" else estimate.low
        if not math.isnan(bound) and condition.excess(bound) > 0:
            extreme = "high" if condition.sign == "<=" else "low"
            value, limit = figures(estimate.mean, bound)
            yield f"its {condition.metric} of {value} may be as {extreme} as {limit} (95 %)"
