"""Compare two policies on the same held-out prompts: which differences can be claimed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from saferec_core.analysis.bootstrap import RESAMPLES
from saferec_core.analysis.comparison import ComparisonTable, GroupComparison, MetricComparison
from saferec_core.analysis.estimates import compare_pairs, holm
from saferec_core.analysis.metrics import ordered, primary_metric
from saferec_core.analysis.pairing import Pairs, pair
from saferec_core.analysis.results import Results
from saferec_core.errors import ConfigError, UnknownNameError

__all__ = ["MIN_CELL", "compare"]

MIN_CELL = 10
"""Users that a cell of a per-trait table must rest on to be shown."""


def compare(
    first: Results,
    second: Results,
    *,
    names: tuple[str, str] = ("A", "B"),
    metrics: Sequence[str] | None = None,
    primary: str | None = None,
    confidence: float = 0.95,
    by_trait: bool = True,
    min_cell: int = MIN_CELL,
    resamples: int = RESAMPLES,
    force: bool = False,
    seed: int = 0,
) -> ComparisonTable:
    """Compare two policies metric by metric, over all pairs of rows and by trait.

    One metric, the primary one, is the question that was asked beforehand: over all pairs it is tested on its
    own. The p-values of all other metrics are corrected for one another (Holm), and so are those of all shown
    cells by trait together, since a reader looks for a low one in all of these.

    Args:
        first: The one to compare with.
        second: The one whose gain or loss is of interest.
        names: What to call them.
        metrics: Which to compare, in this order; None: all that both have, as every table orders them.
        primary: The metric to test on its own; None: the one that stands for safety, else for relevance.
        confidence: Confidence level of the intervals; a difference is claimed at ``1 - confidence``.
        by_trait: Whether to compare by trait as well.
        min_cell: Users that a cell by trait must rest on to be shown.
        resamples: Resamples of each bootstrap and flips of each permutation test.
        force: Compare although they were evaluated differently.
        seed: Seed of everything that is drawn; the same seed gives the same figures whatever the metrics.

    Raises:
        ConfigError: *confidence* is not between 0 and 1, or the protocols differ.
        UnknownNameError: A metric is not in both evaluations.
        DataError: They used different records, or rows of one are missing in the other.
    """
    if not 0 < confidence < 1:
        raise ConfigError(f"confidence must lie between 0 and 1, such as 0.95, but is {confidence:g}")
    pairs = pair(first, second, names=names, metrics=metrics, force=force)
    if metrics is None:
        pairs = pairs.of(ordered(pairs.metrics))
    if primary is None:
        primary = primary_metric(pairs.metrics, "safety", "relevance")
    elif primary not in pairs.metrics:
        raise UnknownNameError("metric", primary, pairs.metrics)
    numbers: dict[str, Any] = {"confidence": confidence, "resamples": resamples}
    everyone = np.ones(len(pairs.users), dtype=bool)
    overall = _compare_group(pairs, None, everyone, min_users=0, seed=[seed], **numbers)
    traits = sorted(frozenset().union(*pairs.constraints)) if by_trait else []
    groups = [
        _compare_group(
            pairs,
            trait,
            np.array([trait in active for active in pairs.constraints]),
            min_users=min_cell,
            seed=[seed, number],
            **numbers,
        )
        for number, trait in enumerate(traits, start=1)
    ]
    (overall,), groups = _adjusted([overall], alone=primary), _adjusted(groups)
    remarks = list(pairs.remarks)
    if (users := len(np.unique(pairs.users))) < MIN_CELL:
        few = "1 user is" if users == 1 else f"{users} users are"
        remarks.append(f"{few} few: intervals and p-values are rough for so few")
    return ComparisonTable(
        names, overall, groups, confidence, resamples, min_cell, pairs.by, remarks, primary
    )


def _compare_group(
    pairs: Pairs,
    trait: str | None,
    chosen: npt.NDArray[np.bool_],
    *,
    min_users: int,
    seed: Sequence[int],
    confidence: float,
    resamples: int,
) -> GroupComparison:
    first, second, users = pairs.first[chosen], pairs.second[chosen], pairs.users[chosen]
    number = len(np.unique(users))
    if number < min_users:
        return GroupComparison(trait, None, None, ())
    differences = compare_pairs(
        first,
        second,
        users,
        generator=np.random.default_rng(seed),
        confidence=confidence,
        resamples=resamples,
    )
    compared = []
    for m, ((metric, facts), difference) in enumerate(zip(pairs.metrics.items(), differences, strict=True)):
        both = ~np.isnan(first[:, m]) & ~np.isnan(second[:, m])
        either = ~np.isnan(first[:, m]) | ~np.isnan(second[:, m])
        shown = difference.users >= min_users and difference.rows > 0
        compared.append(
            MetricComparison(
                metric,
                facts,
                float(first[both, m].mean()) if shown else math.nan,
                float(second[both, m].mean()) if shown else math.nan,
                difference if difference.users >= min_users else None,
                math.nan,
                int((either & ~both).sum()) if difference.users >= min_users else 0,
                confidence,
            )
        )
    return GroupComparison(trait, len(users), number, compared)


def _adjusted(groups: Sequence[GroupComparison], *, alone: str | None = None) -> list[GroupComparison]:
    """Correct the p-values of all shown cells of *groups* for one another, but for the metric *alone*."""
    cells = [(metric.metric == alone, metric.difference) for group in groups for metric in group.metrics]
    p_values = [math.nan if cell is None else cell.p for _, cell in cells]
    corrected = holm([math.nan if own else p for (own, _), p in zip(cells, p_values, strict=True)])
    adjusted = iter(
        p if own else p_holm for (own, _), p, p_holm in zip(cells, p_values, corrected, strict=True)
    )
    return [
        replace(group, metrics=[replace(metric, p_adjusted=next(adjusted)) for metric in group.metrics])
        for group in groups
    ]
