"""The contract of dataset transforms, property by property."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle, islice
from typing import Any, ClassVar
from unittest import SkipTest

from saferec_core.data.rows import Row
from saferec_core.errors import DataError
from saferec_core.plugins.contracts.transform import (
    Counted,
    Outcome,
    Rejected,
    Removed,
    Surveying,
    Transform,
)
from saferec_core.testing.contract import Contract, check
from saferec_core.testing.titles import TITLES

__all__ = ["ROWS", "TransformContract", "check_transform"]

ROWS: Sequence[Row] = tuple(
    {
        "id": f"row-{number}",
        "user": f"user-{number}",
        "prompt": [{"role": "user", "content": f"Something like {title}, please; number {number}."}],
        "completion": [{"role": "assistant", "content": "\n".join(map(str, TITLES[number : number + 3]))}],
        "groundtruth_with_release_year": [[name, year] for name, year in TITLES[number : number + 2]],
        "seen_titles": [[title.name, title.year]],
        "constraints": ["gore"] if number % 2 else [],
    }
    for number, title in enumerate(TITLES[:6])
)
"""Rows as a data set of saferec holds them."""

_READ_AHEAD = 1000
"""Rows that a transform may read before it yields anything."""


class TransformContract(Contract[Transform]):
    """Inherit it and say what to make; see :class:`saferec_core.testing.contract.Contract`."""

    rows: ClassVar[Sequence[Row]] = ROWS
    """Rows to transform, such as the transform is made for; at least two that come out."""

    def inputs(self, size: int | None = None) -> tuple[list[Row]]:
        """Return *size* rows, each an object of its own."""
        wanted = len(self.rows) if size is None else size
        return ([copy.deepcopy(row) for row in islice(cycle(self.rows), wanted)],)

    def call(self, component: Transform, *inputs: Sequence[Row]) -> list[Outcome]:
        """Transform the rows as a run does: what surveys them reads them once before."""
        (rows,) = inputs
        if isinstance(component, Surveying):
            component = component.survey(iter(rows))
        return list(component(iter(rows)))

    def _outcomes(self, rows: Sequence[Row]) -> list[Outcome]:
        outcomes = self.answer(self.make(), rows)
        if any(_wrong_form(outcome) for outcome in outcomes):
            raise SkipTest("it yields something else; see test_it_yields_outcomes")
        return outcomes  # type: ignore[no-any-return]

    def test_it_yields_outcomes(self) -> None:
        """Rows, ``Removed``, ``Rejected`` and ``Counted``, and nothing else."""
        for outcome in self.answer(self.make(), *self.inputs()):
            problem = _wrong_form(outcome)
            assert problem is None, problem

    def test_something_comes_out(self) -> None:
        """Of rows that it is made for at least one is left."""
        outcomes = self._outcomes(*self.inputs())
        assert any(isinstance(outcome, dict) for outcome in outcomes), (
            f"of {len(self.rows)} rows none comes out; give rows that it is made for: rows"
        )

    def test_what_comes_out_can_be_written_as_json(self) -> None:
        """Rows and evidence are written to files."""
        for outcome in self._outcomes(*self.inputs()):
            value: Any = outcome.evidence if isinstance(outcome, Removed) else outcome
            if isinstance(value, Counted | Rejected):
                continue
            try:
                json.dumps(value, allow_nan=False)
            except (TypeError, ValueError) as error:
                raise AssertionError(f"it yields what JSON cannot hold: {error}") from error

    def test_no_row_vanishes_without_a_reason(self) -> None:
        """A row comes out, or is removed or rejected, by its ``id``; new rows may come beside it."""
        (rows,) = self.inputs()
        for number, row in enumerate(rows):
            row["id"] = f"row-{number}"
        outcomes = self._outcomes(copy.deepcopy(rows))
        there = {_row_of(outcome).get("id") for outcome in outcomes if not isinstance(outcome, Counted)}
        if not there & {row["id"] for row in rows} and any(isinstance(o, dict) for o in outcomes):
            raise SkipTest("it makes rows of its own, with ids of their own")
        lost = [row["id"] for row in rows if row["id"] not in there]
        assert not lost, f"{lost[0]} neither comes out nor is removed or rejected: yield Removed(row, reason)"

    def test_rows_are_transformed_by_themselves(self) -> None:
        """A file is cut into parts: what becomes of a row does not depend on the rows around it."""
        transform = self.make()
        if isinstance(transform, Surveying) or transform.group_column is not None:
            raise SkipTest("it declares that rows belong together")
        together = _rows(self._outcomes(*self.inputs()))
        alone = [row for part in self.inputs()[0] for row in _rows(self._outcomes([part]))]
        assert together == alone, "a row alone becomes something else than among others"

    def test_it_reads_all_of_its_rows(self) -> None:
        """What it leaves unread would be lost without a word."""
        (rows,) = self.inputs()
        unread = iter(rows)
        transform = self.make()
        if isinstance(transform, Surveying):
            transform = transform.survey(iter(rows))
        self._outcomes(*self.inputs())
        list(transform(unread))
        left = len(list(unread))
        assert not left, f"it stops before it has read all rows: {left} of {len(rows)} are left"

    def test_it_does_not_wait_for_the_last_row(self) -> None:
        """A file may be larger than memory: rows come out while others are still to be read."""
        transform = self.make()
        if isinstance(transform, Surveying) or transform.group_column is not None:
            raise SkipTest("it declares that rows belong together")
        self._outcomes(*self.inputs())
        read = 0

        def endless() -> Iterator[Row]:
            nonlocal read
            for row in cycle(self.rows):
                read += 1
                assert read <= _READ_AHEAD, f"it reads more than {_READ_AHEAD} rows before it yields anything"
                yield copy.deepcopy(row)

        next(iter(transform(endless())))

    def test_no_rows_give_no_rows(self) -> None:
        """An empty part of a file is nothing special."""
        assert not _rows(self._outcomes([])), "it makes rows out of nothing"

    def test_a_rejected_row_is_the_row_that_was_given(self) -> None:
        """The very object, so that the report can name its file and line."""
        (rows,) = self.inputs()
        given = {id(row) for row in rows}
        for outcome in self._outcomes(rows):
            if isinstance(outcome, Rejected):
                assert id(outcome.row) in given, f"it rejects a copy of a row ({outcome.reason})"

    def test_it_declares_its_columns(self) -> None:
        """It reads no column, as if it were there, that a run would not have checked for."""
        transform = self.make()
        self._outcomes(*self.inputs())
        columns = set().union(*self.rows) - set(transform.columns)
        for column in sorted(columns, key=str):
            rows = [{key: value for key, value in row.items() if key != column} for row in self.inputs()[0]]
            try:
                self.call(transform, rows)
            except DataError:
                continue  # it rejects the row, in words
            except Exception as error:
                raise AssertionError(
                    f"without the column {column!r} it fails with {type(error).__name__}: {error}; declare "
                    "it: columns"
                ) from error


def _rows(outcomes: Iterable[Outcome]) -> list[Row]:
    return [outcome for outcome in outcomes if isinstance(outcome, dict)]


def _row_of(outcome: Outcome) -> Row:
    return outcome.row if isinstance(outcome, Removed | Rejected) else outcome  # type: ignore[return-value]


def _wrong_form(outcome: object) -> str | None:
    """Say what is wrong with the form of an outcome, None if nothing is."""
    if isinstance(outcome, Removed | Rejected):
        fine = isinstance(outcome.row, dict) and isinstance(outcome.reason, str) and outcome.reason
        return None if fine else f"it must give the row and a reason, but gave {outcome!r:.80}"
    if isinstance(outcome, Counted):
        countable = isinstance(outcome.what, str) and math.isfinite(outcome.times)
        return (
            None
            if countable
            else f"it must count something a finite number of times, but gave {outcome!r:.80}"
        )
    return (
        None
        if isinstance(outcome, dict)
        else f"it must yield rows (dictionaries), but yields {outcome!r:.80}"
    )


def check_transform(transform: Transform, rows: Sequence[Row] = ROWS) -> None:
    """Check a transform against every property of :class:`TransformContract`.

    Args:
        transform: Built as a run would build it.
        rows: Rows that it is made for.

    Raises:
        ContractError: It lists every property that does not hold.
    """
    check(TransformContract, transform, rows=tuple(rows))
