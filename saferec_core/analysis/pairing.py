"""Rows of two evaluations, side by side: what a paired comparison needs, refused where it would mislead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from saferec_core.analysis.bootstrap import Floats, grouped
from saferec_core.analysis.results import MetricFacts, Results
from saferec_core.errors import ConfigError, DataError, UnknownNameError

__all__ = ["Pairs", "known_metrics", "mismatches", "pair"]


@dataclass(frozen=True)
class Pairs:
    """N pairs of rows with M metrics."""

    metrics: Mapping[str, MetricFacts]
    """The M metrics that both evaluations have."""
    first: Floats
    """(N, M), NaN for no value."""
    second: Floats
    """(N, M), row by row the partner of *first*."""
    users: npt.NDArray[np.int64]
    """Number of the user of each pair, (N,)."""
    constraints: Sequence[frozenset[str]]
    """Traits that were active in both rows of each pair."""
    by: str
    """What a pair is: ``"record and sample"``, or ``"record"`` with the mean over its samples."""
    remarks: Sequence[str]
    """What a reader has to know: how the evaluations differ, what has no partner."""

    def of(self, metrics: Sequence[str]) -> Pairs:
        """Return the same pairs with *metrics* only, in this order."""
        columns = [list(self.metrics).index(metric) for metric in metrics]
        return replace(
            self,
            metrics={metric: self.metrics[metric] for metric in metrics},
            first=self.first[:, columns],
            second=self.second[:, columns],
        )


def pair(
    first: Results,
    second: Results,
    *,
    names: tuple[str, str] = ("A", "B"),
    metrics: Sequence[str] | None = None,
    force: bool = False,
) -> Pairs:
    """Put the rows of two evaluations side by side.

    Rows belong together by record and sample; where the numbers of samples differ, a record's samples
    are averaged first.

    Args:
        first: The one to compare with.
        second: The one whose gain or loss is of interest.
        names: What to call them.
        metrics: Which to keep, in this order; None: all that both have.
        force: Pair them although they were made differently; what differs becomes remarks.

    Raises:
        ConfigError: They follow different protocols.
        DataError: They used different records, or rows of one are missing in the other.
        UnknownNameError: A metric of *metrics* is in neither or in one only.
    """
    common = {name: facts for name, facts in first.metrics.items() if name in second.metrics}
    chosen = known_metrics(metrics, common)
    if not chosen:
        raise DataError(f"{names[0]} and {names[1]} have no metric in common; there is nothing to compare")
    by_record = _samples(first, names[0]) != _samples(second, names[1])
    sides = [_Side.of(results, list(chosen), by_record=by_record) for results in (first, second)]
    keys, left, right = np.intersect1d(sides[0].keys, sides[1].keys, return_indices=True)
    protocol = mismatches(first.protocol, second.protocol, names)
    data = [] if first.data_sha256 == second.data_sha256 else [_hashes(first, second, names)]
    if any(len(keys) < len(side.keys) for side in sides):
        kind = "records" if by_record else "rows"
        counts = " and ".join(f"{len(side.keys)} in {name}" for side, name in zip(sides, names, strict=True))
        data.append(f"{kind}: {counts}, {len(keys)} of them in both")
    _refuse_or_go_on(names, protocol, data, force=force)
    if not len(keys):
        raise DataError(f"{names[0]} and {names[1]} have no row in common; there is nothing to compare")
    constraints = [
        sides[0].constraints[a] & sides[1].constraints[b] for a, b in zip(left, right, strict=True)
    ]
    return Pairs(
        chosen,
        sides[0].values[left],
        sides[1].values[right],
        sides[0].users[left],
        constraints,
        "record" if by_record else "record and sample",
        [*_only_in_one(first, second, names), *(f"differs: {reason}" for reason in (*protocol, *data))],
    )


def known_metrics(
    wanted: Sequence[str] | None, available: Mapping[str, MetricFacts]
) -> dict[str, MetricFacts]:
    """Return the metrics of *wanted*, all if None.

    Raises:
        UnknownNameError: One is not available.
    """
    for name in wanted or ():
        if name not in available:
            raise UnknownNameError("metric", name, available)
    return {name: available[name] for name in (available if wanted is None else wanted)}


def mismatches(
    first: Mapping[str, Any], second: Mapping[str, Any], names: tuple[str, str] = ("A", "B")
) -> list[str]:
    """Name what two protocols differ in, field by field; the id alone only if nothing else differs."""
    a, b = dict(_flat(first)), dict(_flat(second))
    nothing = "not stated"
    reasons = [
        f"{field}: {a.get(field, nothing)} in {names[0]}, {b.get(field, nothing)} in {names[1]}"
        for field in (*a, *(field for field in b if field not in a))
        if a.get(field) != b.get(field)  # what a version did not know is what a later one states as None
    ]
    fields = [reason for reason in reasons if not reason.startswith("id: ")]
    return fields or reasons


@dataclass(frozen=True)
class _Side:
    """One evaluation by key: a row, or a record with its samples averaged."""

    keys: npt.NDArray[np.int64]
    values: Floats
    users: npt.NDArray[np.int64]
    constraints: Sequence[frozenset[str]]

    @classmethod
    def of(cls, results: Results, metrics: Sequence[str], *, by_record: bool) -> _Side:
        values = np.stack([results.values(name) for name in metrics], axis=1)
        constraints = [frozenset(traits or ()) for traits in results.table.column("constraints").to_pylist()]
        records = _integers(results, "record")
        if not by_record:
            return cls(_keys(results), values, results.users, constraints)
        keys, first_rows = np.unique(records, return_index=True)
        means = grouped(values, records).group_means()
        return cls(keys, means, results.users[first_rows], [constraints[row] for row in first_rows])


def _samples(results: Results, name: str) -> int:
    """Return how many samples a record has at most, once the rows are seen to be fit for pairing."""
    if not len(results):
        raise DataError(f"{name} holds no rows; evaluate again")
    keys, times = np.unique(_keys(results), return_counts=True)
    if times.max() > 1:
        record, sample = divmod(int(keys[times.argmax()]), 1 << 16)
        raise DataError(f"{name} holds record {record}, sample {sample} more than once; evaluate again")
    return int(np.unique(_integers(results, "record"), return_counts=True)[1].max())


def _keys(results: Results) -> npt.NDArray[np.int64]:
    return (_integers(results, "record") << 16) + _integers(results, "sample")


def _integers(results: Results, column: str) -> npt.NDArray[np.int64]:
    return np.asarray(results.table.column(column).to_numpy(), dtype=np.int64)


def _flat(protocol: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in protocol.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _hashes(first: Results, second: Results, names: tuple[str, str]) -> str:
    return (
        f"held-out records (SHA-256): {first.data_sha256[:12]} in {names[0]}, "
        f"{second.data_sha256[:12]} in {names[1]}"
    )


def _only_in_one(first: Results, second: Results, names: tuple[str, str]) -> list[str]:
    remarks = []
    for name, here, there in ((names[0], first, second), (names[1], second, first)):
        if alone := [metric for metric in here.metrics if metric not in there.metrics]:
            remarks.append(f"only in {name}: {', '.join(alone)}")
    return remarks


def _refuse_or_go_on(
    names: tuple[str, str], protocol: Sequence[str], data: Sequence[str], *, force: bool
) -> None:
    if force or not (protocol or data):
        return
    reasons = "".join(f"\n  {reason}" for reason in (*data, *protocol))
    error = DataError if data else ConfigError
    raise error(
        f"{names[0]} and {names[1]} were evaluated differently and are not compared:{reasons}\n"
        "Evaluate both alike, or compare them all the same with --force."
    )
