"""Assigns samples to train, validation and test."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import xxhash
from pydantic import Field, model_validator

from saferec_core.data.leakage import dialogue_of
from saferec_core.data.rows import Row
from saferec_core.errors import ConfigError, DataError
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.transform import Outcome, Surveying, Transform
from saferec_plugins.transforms.importers.raw_values import is_nothing, name_of

__all__ = ["Split"]

SPLITS = ("train", "validation", "test")


@component
class Split(Surveying):
    """Adds the split of a sample: ``train``, ``validation`` or ``test``.

    By user or by sample, a hash of the user or the ``id`` and the seed decides, so neither order nor
    the other rows matter, and more rows do not move those that were there. Only the part of
    an ``id`` before a ``#`` counts, so all samples cut from one dialogue stay together. The shares are met
    approximately, as by chance.

    By time, the latest samples are the test and those before them the validation. All samples of one
    moment are in one split, which is cut at the moments nearest to the shares. A user may then be in
    several splits: what is tested is how well the future follows from the past, not new users.
    """

    by: Literal["user", "time", "sample"] = "user"
    """What stays together: all samples of a ``user``, those of a ``time``, or of a ``sample``'s dialogue."""
    train: float = Field(default=0.8, ge=0, le=1)
    """Share of the samples to train on; the three shares sum to 1."""
    validation: float = Field(default=0.1, ge=0, le=1)
    """Share of the samples to choose by."""
    test: float = Field(default=0.1, ge=0, le=1)
    """Share of the samples to report on."""
    seed: int = Field(default=0, ge=0)
    """Random seed; without effect for a split by time."""

    @model_validator(mode="after")
    def _shares_sum_to_one(self) -> Self:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(f"train, validation and test must sum to 1, but sum to {total:g}")
        return self

    def __call__(self, rows: Iterable[Row]) -> Iterator[Outcome]:
        """Add ``split`` to every row."""
        if self.by == "time":
            raise ConfigError("a split by time must survey all rows first, but the caller did not")
        column = "user" if self.by == "user" else "id"
        for row in rows:
            name = _named(row, column)
            if self.by == "sample":
                name = dialogue_of(name)
            draw = xxhash.xxh3_64_intdigest(f"{self.seed} split {name}".encode()) / 2**64
            yield {**row, "split": self._dealt(draw)}

    def survey(self, rows: Iterable[Row]) -> Transform:
        """Find the moments to cut at; unless it is split by time, no row is read."""
        if self.by != "time":
            return self
        import numpy as np

        times = np.fromiter((time for row in rows if (time := _time(row)) is not None), dtype=np.int64)
        moments, counts = np.unique(times, return_counts=True)
        until = np.concatenate([[0], np.cumsum(counts)])  # rows in front of each moment, and in all
        cuts = [int(np.abs(until - share * len(times)).argmin()) for share in self._bounds()[:2]]
        starts = [int(moments[cut]) if cut < len(moments) else None for cut in cuts]
        return SplitAtMoments(validation=starts[0], test=starts[1])

    def _bounds(self) -> Sequence[float]:
        return self.train, self.train + self.validation, 1.0

    def _dealt(self, draw: float) -> str:
        shares = (self.train, self.validation, self.test)
        dealt = [
            (name, bound) for name, share, bound in zip(SPLITS, shares, self._bounds(), strict=True) if share
        ]
        return next((name for name, bound in dealt if draw < bound), dealt[-1][0])


@dataclass(frozen=True)
class SplitAtMoments(Transform):
    """What :class:`Split` becomes once it has seen all times."""

    validation: int | None
    """First moment after the training split; None if there is none."""
    test: int | None
    """First moment of the test; None if there is none."""

    def __call__(self, rows: Iterable[Row]) -> Iterator[Outcome]:
        """Add ``split`` to every row."""
        for row in rows:
            time = _time(row)
            if time is None:
                raise DataError(
                    f"time: expected whole seconds since 1970 to split by, but got {row.get('time')!r}"
                )
            yield {**row, "split": self._at(time)}

    def _at(self, time: int) -> str:
        if self.validation is None or time < self.validation:
            return "train"
        return "validation" if self.test is None or time < self.test else "test"


def _named(row: Row, column: str) -> str:
    if is_nothing(row.get(column)):
        raise DataError(
            f"column {column!r} is missing; a split by {'sample' if column == 'id' else 'user'} needs it"
        )
    return name_of(row, column)


def _time(row: Row) -> int | None:
    time = row.get("time")
    return time if isinstance(time, int) and not isinstance(time, bool) and abs(time) < 2**62 else None
