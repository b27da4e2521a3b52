"""Compute metrics over judged lists, and refuse what breaks the metric contract."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from saferec_core.analysis.results import COLUMNS, MetricFacts
from saferec_core.errors import ConfigError, PluginError
from saferec_core.plugins.build import build
from saferec_core.plugins.calls import calling, named, overseen, undisturbed
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.metric import Better, Kind, Metric, Role, Unit
from saferec_core.plugins.contracts.unchanged import unchanged
from saferec_core.plugins.manager import load_plugins
from saferec_core.plugins.offered import Plugins
from saferec_core.plugins.values import as_values

__all__ = ["ActiveMetric", "build_metrics", "default_metrics", "facts_of", "measure", "measure_whole"]


@dataclass(frozen=True)
class ActiveMetric:
    """A metric of an evaluation under its name."""

    name: str
    function: Metric
    summary: str = ""
    """What it measures, in one line."""

    def __post_init__(self) -> None:
        """Refuse a class that lacks a declaration, or a name that cannot be a column's.

        Raises:
            PluginError: The message names the metric and the attribute.
        """
        if "@" in self.name or self.name in COLUMNS.names:
            reason = "what follows an @ is a depth" if "@" in self.name else "each row has another column so"
            raise PluginError(f"a metric cannot be called {self.name!r}: {reason}; rename it")
        declared: dict[str, tuple[object, ...]] = {
            "at_depth": (True, False),
            "better": get_args(Better),
            "kind": get_args(Kind),
            "unit": get_args(Unit),
            "role": get_args(Role),
        }
        for attribute, allowed in declared.items():
            value = getattr(self.function, attribute, None)
            if value not in allowed:
                wanted = " or ".join(map(repr, allowed))
                raise PluginError(
                    f"metric {self.name!r} must have the class attribute {attribute} = {wanted}, but has "
                    f"{value!r}"
                )

    @property
    def facts(self) -> MetricFacts:
        """What a reader of the metric's column has to know."""
        function = self.function
        return MetricFacts(
            function.better,
            function.kind,
            self.summary,
            label=function.label or self.name.replace("_", " ").capitalize(),
            unit=function.unit,
            role=function.role,
            primary=function.primary,
        )

    def columns(self, lists: JudgedLists, at: Sequence[int]) -> dict[str, int]:
        """Return the name of each column and its k; none if what the metric needs is missing."""
        judge = lists.judge
        if self.function.needs_oracle and judge.oracle is None:
            return {}
        if self.function.needs_popularity and judge.popularity is None:
            return {}
        if self.function.at_depth:
            return {f"{self.name}@{k}": k for k in at}
        return {self.name: lists.num_ranks}


def build_metrics(
    plugins: Plugins,
    choices: Mapping[str, Mapping[str, Any]] | None = None,
    inherited: Mapping[str, Any] | None = None,
) -> list[ActiveMetric]:
    """Build the metrics of an evaluation.

    Args:
        plugins: What is installed.
        choices: The options of each metric by its name; those of :func:`default_metrics` unless given.
        inherited: Options that the protocol sets for every metric that has them.

    Raises:
        UnknownNameError: No plugin offers one of them.
        ConfigError: An option is refused.
        PluginError: A metric cannot be built, or its class lacks a declaration.
    """
    if choices is None:
        choices = {name: {} for name in default_metrics(plugins)}
    metrics = []
    for name, options in choices.items():
        entry = plugins.find(plugins.metrics, name)
        metrics.append(ActiveMetric(entry.name, build(entry, options, inherited), entry.summary))
    return metrics


def default_metrics(plugins: Plugins) -> list[str]:
    """Return the metrics of an evaluation that names none: saferec's own.

    A metric of another plugin is computed where it is named: figures must not depend on what happens to be
    installed.
    """
    return [entry.name for entry in plugins.metrics if entry.origin.is_built_in]


def measure(
    lists: JudgedLists, at: Sequence[int], metrics: Sequence[ActiveMetric] | None = None
) -> dict[str, Float[Tensor, " N"]]:
    """Compute the metrics of every list; NaN where a list has no value.

    Args:
        lists: The judged lists.
        at: The k, each in 1..K.
        metrics: Those of kind ``"mean"`` and ``"share"`` are computed; saferec's own unless given.

    Returns:
        (N,) float64 by column, such as ``recall@10`` or ``list_length``.

    Raises:
        ConfigError: The lists were not judged as deep as one of the k.
        PluginError: A metric failed, or broke its contract; the message names it. A failure never
            becomes a 0.
    """
    _check_depths(lists, at)
    with overseen():
        return {
            column: _checked(metric, lists, k, (len(lists.lists),))
            for metric in _or_default(metrics)
            if metric.function.kind != "whole"
            for column, k in metric.columns(lists, at).items()
        }


def measure_whole(
    lists: JudgedLists, at: Sequence[int], metrics: Sequence[ActiveMetric] | None = None
) -> dict[str, float]:
    """Compute the metrics of kind ``"whole"`` over all lists together.

    Takes and raises what :func:`measure` does.
    """
    _check_depths(lists, at)
    return {
        column: _checked(metric, lists, k, ()).item()
        for metric in _or_default(metrics)
        if metric.function.kind == "whole"
        for column, k in metric.columns(lists, at).items()
    }


def facts_of(columns: Iterable[str], metrics: Sequence[ActiveMetric]) -> dict[str, MetricFacts]:
    """Return the facts of each of the *columns* that *metrics* were measured in."""
    facts = {metric.name: metric.facts for metric in metrics}
    return {column: facts[column.partition("@")[0]] for column in columns}


def _or_default(metrics: Sequence[ActiveMetric] | None) -> Sequence[ActiveMetric]:
    return build_metrics(load_plugins()) if metrics is None else metrics


def _check_depths(lists: JudgedLists, at: Sequence[int]) -> None:
    """Refuse a k that is deeper than the lists were judged."""
    if beyond := [k for k in at if not 1 <= k <= lists.num_ranks]:
        raise ConfigError(
            f"metrics at depth {', '.join(map(str, beyond))} cannot be computed: the lists are judged at "
            f"ranks 1..{lists.num_ranks}; choose from these or set --num-ranks {max(beyond)}"
        )


def _checked(metric: ActiveMetric, lists: JudgedLists, k: int, wanted: tuple[int, ...]) -> Tensor:
    """Call one metric; refuse what breaks its contract."""
    where = f" at {k}" if metric.function.at_depth else ""
    name = f"{named('metric', metric.function, metric.name)}{where}"
    with unchanged(lists, name), undisturbed(name), calling(name):
        value = metric.function(lists, k)
    axes = "(N,)" if wanted else "a single value, shape ()"
    with calling(name):  # what it returned may itself fail when it is looked at
        value = as_values(value, name, wanted, axes, dtype=torch.float64, largest=sys.float_info.max)
    if metric.function.kind == "share" and not ((value == 0) | (value == 1) | value.isnan()).all():
        raise PluginError(f"{name} is a share, so it must return 0, 1 or NaN, but returned other values")
    if metric.function.unit.startswith("share") and not (value.isnan() | ((value >= 0) & (value <= 1))).all():
        stray = next(each for each in value.flatten().tolist() if each < 0 or each > 1)
        unit = metric.function.unit
        raise PluginError(f"{name} must return values in 0..1 for its unit {unit!r}, but returned {stray:g}")
    return value
