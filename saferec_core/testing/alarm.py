"""The contract of alarms, property by property. Needs no torch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import ClassVar
from unittest import SkipTest

from saferec_core.plugins.contracts.alarm import Alarm, LogRow
from saferec_core.testing.contract import Contract, check

__all__ = ["AlarmContract", "check_alarm"]


class _Row(dict[str, float]):
    """A row that notes down which figures are asked for."""

    def __init__(self, figures: LogRow, asked: set[str]) -> None:
        super().__init__(figures)
        self._asked = asked

    def __getitem__(self, figure: str) -> float:
        self._asked.add(figure)
        return super().__getitem__(figure)

    def get(self, figure: str, default: float | None = None) -> float | None:  # type: ignore[override]
        self._asked.add(figure)
        return super().get(figure, default)


class AlarmContract(Contract[Alarm]):
    """Inherit it and say what to make; see :class:`saferec_core.testing.contract.Contract`."""

    log: ClassVar[Sequence[LogRow]] = ()
    """Rows that are to raise the alarm, the oldest first."""

    def inputs(self, size: int = 8) -> tuple[list[LogRow]]:
        """Return a log of *size* rows that hold the figures of the alarm."""
        figures = [f"{name}x" if name.endswith("/") else name for name in self.make().figures]
        return ([{"step": float(step), **dict.fromkeys(figures, 0.5)} for step in range(1, size + 1)],)

    def call(self, component: Alarm, *inputs: Sequence[LogRow]) -> str | None:
        """Ask the alarm."""
        return component(*inputs)

    def test_it_returns_a_sentence_or_nothing(self) -> None:
        """What it says is printed: words, or None."""
        for log in (*self.inputs(), list(self.log)):
            sentence = self.answer(self.make(), log) if log else None
            assert sentence is None or (isinstance(sentence, str) and sentence.strip()), (
                f"it must return a sentence or None, but returned {sentence!r}"
            )

    def test_it_is_raised_by_the_log_that_it_is_made_for(self) -> None:
        """An alarm that is never raised helps nobody."""
        if not self.log:
            raise SkipTest("give a log that is to raise it: log")
        assert self.answer(self.make(), list(self.log)) is not None, "its own log does not raise it"

    def test_it_takes_a_log_of_one_row_and_figures_that_are_missing(self) -> None:
        """A run has only just begun, or does not log what it reads."""
        (log,) = self.inputs()
        self.answer(self.make(), log)
        self._takes("one row", log[:1])
        self._takes("rows without its figures", [{"step": row["step"]} for row in log])
        self._takes("some rows without its figures", [log[0], {"step": 2.0}, *log[2:]])

    def test_it_takes_figures_that_are_not_finite(self) -> None:
        """A log holds NaN where nothing could be measured."""
        (log,) = self.inputs()
        self.answer(self.make(), log)
        for value in (math.nan, math.inf):
            self._takes(f"{value}", [dict.fromkeys(row, value) | {"step": row["step"]} for row in log])

    def _takes(self, what: str, log: Sequence[LogRow]) -> None:
        try:
            self.call(self.make(), log)
        except Exception as error:
            raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error

    def test_it_declares_the_figures_that_it_reads(self) -> None:
        """It is not asked before one of them has been logged."""
        asked: set[str] = set()
        for log in (*self.inputs(), self.log):
            if log:
                self.answer(self.make(), [_Row(row, asked) for row in log])
        undeclared = sorted(figure for figure in asked - {"step"} if not self._is_declared(figure))
        assert not undeclared, f"it reads {', '.join(undeclared)}; declare them: figures"

    def _is_declared(self, figure: str) -> bool:
        return _begins_with(figure, self.make().figures) or not self.make().figures


def _begins_with(figure: str, names: Iterable[str]) -> bool:
    return any(figure == name or (name.endswith("/") and figure.startswith(name)) for name in names)


def check_alarm(alarm: Alarm, log: Sequence[LogRow] = ()) -> None:
    """Check an alarm against every property of :class:`AlarmContract`.

    Args:
        alarm: Built as a run would build it.
        log: Rows that are to raise it.

    Raises:
        ContractError: It lists every property that does not hold.
    """
    check(AlarmContract, alarm, log=tuple(log))
