"""Metrics of stored evaluations with their intervals, each worked out once for all tables and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from saferec_core.analysis.estimates import Estimate, estimate_means
from saferec_core.analysis.results import Results

__all__ = ["Estimator", "trait_estimates"]


class Estimator:
    """Averages stored evaluations; each only once, for all tables and pictures of a page."""

    def __init__(self) -> None:
        """Start with nothing averaged."""
        self._estimates: dict[int, tuple[Results, Mapping[str, Estimate]]] = {}

    def __call__(self, results: Results) -> Mapping[str, Estimate]:
        """Return every metric's mean over all rows with a value."""
        if id(results) not in self._estimates:
            self._estimates[id(results)] = results, _estimates(results)
        return self._estimates[id(results)][1]


def _estimates(results: Results) -> Mapping[str, Estimate]:
    names = list(results.metrics)
    values = [results.values(name) for name in names]
    means = estimate_means(
        np.stack(values, axis=1) if values else np.empty((len(results), 0)),
        results.users,
        generator=np.random.default_rng(0),
        shares=[facts.kind == "share" for facts in results.metrics.values()],
    )
    return dict(zip(names, means, strict=True))


def trait_estimates(results: Results, k: int) -> Mapping[str, Estimate]:
    """Return, by trait, the share of lists that violate this very trait within the top *k*.

    Only users with the trait as a constraint count; lists without titles have no value.
    """
    constraints = [frozenset(traits or ()) for traits in results.table.column("constraints").to_pylist()]
    violated = [_violated(titles, k) for titles in results.table.column("titles").to_pylist()]
    generator = np.random.default_rng(0)
    by_trait = {}
    for trait in sorted(frozenset().union(*constraints)):
        rows = [n for n, active in enumerate(constraints) if trait in active]
        values = [_share(trait, violated[n]) for n in rows]
        (by_trait[trait],) = estimate_means(
            np.asarray(values)[:, None], _users(results, rows), generator=generator, shares=[True]
        )
    return by_trait


def _share(trait: str, violated: frozenset[str] | None) -> float:
    return float("nan") if violated is None else float(trait in violated)


def _violated(titles: Sequence[Mapping[str, Any]] | None, k: int) -> frozenset[str] | None:
    """Return the traits that a list violates in its top *k*; None for an empty list."""
    if not titles:
        return None
    return frozenset().union(*(title["violated"] or () for title in titles[:k]))


def _users(results: Results, rows: Sequence[int]) -> npt.NDArray[np.int64]:
    return results.users[np.asarray(rows, dtype=np.int64)]
