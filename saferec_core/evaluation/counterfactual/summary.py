"""What changed constraints show of a policy, with intervals over users."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from saferec_core.analysis.compare import MIN_CELL
from saferec_core.analysis.estimates import Difference, compare_pairs
from saferec_core.analysis.number_format import interval
from saferec_core.analysis.results import Results

__all__ = ["Responsiveness", "SummaryCell"]


@dataclass(frozen=True)
class SummaryCell:
    """The pairs of one trait, of one kind of change, or all of them."""

    name: str
    users: int
    """Users with a pair; a figure may rest on fewer, as a list without titles has no violations."""
    pairs: int
    stated: float
    """Mean share of the top K against the trait where it is stated, over pairs with lists on both sides."""
    unstated: float
    """Likewise where it is not."""
    effect: Difference
    """Stated minus not stated; below 0 is what a policy that heeds the constraint does."""
    over_blocking: Difference
    """Recall of still-safe ground truth, not stated minus stated; above 0 is a loss."""
    leakage: Difference
    """Violations of traits that were not touched, stated minus not stated."""
    length_change: Difference
    """Titles listed, stated minus not stated."""

    @property
    def hidden(self) -> bool:
        """Whether every figure rests on too few users to be shown."""
        differences = (self.effect, self.over_blocking, self.leakage)
        return all(figure.users < MIN_CELL for figure in differences)


@dataclass(frozen=True)
class Responsiveness:
    """How a policy responds to constraints."""

    results: Results
    """A row per pair; ``change`` and ``trait`` name what was changed."""
    k: int
    """Ranks that were looked at."""

    @property
    def title(self) -> str:
        """What the table shows."""
        return f"Constraints removed, added and swapped: {self.results.protocol['id']}"

    @cached_property
    def overall(self) -> SummaryCell:
        """All pairs."""
        return self._cell("all", np.ones(len(self.results), np.bool_))

    @cached_property
    def changes(self) -> list[SummaryCell]:
        """By kind of change."""
        return self._cells("change")

    @cached_property
    def traits(self) -> list[SummaryCell]:
        """By trait, in alphabetical order."""
        return self._cells("trait")

    @property
    def responds(self) -> bool:
        """Whether violations of a trait can be claimed to fall where it is stated."""
        return self.overall.effect.high < 0

    @property
    def sentences(self) -> list[str]:
        """What can be claimed, in plain words."""
        sentences = [self._effect(self.overall), self._loss(self.overall), self._spread(self.overall)]
        if hidden := [cell.name for cell in (*self.changes, *self.traits) if cell.hidden]:
            sentences.append(f"Not shown, {_FEW}: {', '.join(hidden)}.")
        return sentences

    def table(self) -> list[dict[str, str]]:
        """Return the rows of a table: all pairs, then by change, then by trait, as far as they are shown."""
        parts = [cell for cell in (*self.changes, *self.traits) if not cell.hidden]
        return [_row(cell) for cell in (self.overall, *parts)]

    def as_data(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        return {
            "protocol": self.results.protocol["id"],
            "choices": dict(self.results.protocol),
            "policy": self.results.policy,
            "data_sha256": self.results.data_sha256,
            "interval": "95 %, BCa bootstrap over users, pairs differenced",
            "k": self.k,
            "min_cell": MIN_CELL,
            "responds": None if self.overall.effect.users < MIN_CELL else self.responds,
            "sentences": self.sentences,
            "all": _data(self.overall),
            "changes": {cell.name: _data(cell) for cell in self.changes},
            "traits": {cell.name: _data(cell) for cell in self.traits},
        }

    def _cells(self, column: str) -> list[SummaryCell]:
        names = np.asarray(self.results.table.column(column).to_pylist())
        return [self._cell(str(name), names == name) for name in np.unique(names)]

    def _cell(self, name: str, rows: npt.NDArray[np.bool_]) -> SummaryCell:
        values = {
            metric: self.results.values(self._column(metric))[rows]
            for metric in (
                "violations_stated",
                "violations_unstated",
                "effect",
                "over_blocking",
                "leakage",
                "length_change",
            )
        }
        stated, unstated = values.pop("violations_stated"), values.pop("violations_unstated")
        columns = np.stack(list(values.values()), axis=1)  # (pairs, 4)
        differences = compare_pairs(
            np.zeros_like(columns), columns, self.results.users[rows], generator=np.random.default_rng(0)
        )
        both = ~np.isnan(values["effect"])
        rates = [float(side[both].mean()) if both.any() else float("nan") for side in (stated, unstated)]
        users = self.results.users[rows]
        return SummaryCell(name, len(np.unique(users)), len(users), rates[0], rates[1], *differences)

    def _column(self, metric: str) -> str:
        return metric if metric in self.results.metrics else f"{metric}@{self.k}"

    def _effect(self, cell: SummaryCell) -> str:
        effect, rates = cell.effect, f"from {cell.unstated:.1%} of the top {self.k} to {cell.stated:.1%}"
        if effect.users < MIN_CELL:
            return f"Violations cannot be assessed: fewer than {MIN_CELL} users got lists on both sides."
        if effect.high < 0:
            size = interval(-effect.mean, -effect.high, -effect.low)
            return f"Violations of a constraint fall by {size} where it is stated, {rates}."
        if effect.low > 0:
            size = interval(effect.mean, effect.low, effect.high)
            return f"Violations of a constraint rise by {size} where it is stated, {rates}."
        return f"No fall of a constraint's violations can be claimed where it is stated ({rates})."

    def _loss(self, cell: SummaryCell) -> str:
        loss = cell.over_blocking
        if loss.users < MIN_CELL:
            return f"Relevant titles cannot be assessed: fewer than {MIN_CELL} users have any that are safe."
        size = interval(loss.mean, loss.low, loss.high)
        if loss.low > 0:
            return f"Still-safe relevant titles are lost: Recall@{self.k} falls by {size}."
        return f"No loss of still-safe relevant titles can be claimed (Recall@{self.k} falls by {size})."

    def _spread(self, cell: SummaryCell) -> str:
        leakage = cell.leakage
        if leakage.users < MIN_CELL:
            return f"Other traits cannot be assessed: fewer than {MIN_CELL} users got lists on both sides."
        size = interval(leakage.mean, leakage.low, leakage.high, sign="+")
        if leakage.low > 0 or leakage.high < 0:
            return f"Violations of traits that were not touched change by {size} on average."
        return f"No change of traits that were not touched can be claimed ({size} on average)."


def _row(cell: SummaryCell) -> dict[str, str]:
    hidden = cell.effect.users < MIN_CELL
    return {
        "constraint": cell.name,
        "users": "" if cell.users < MIN_CELL else str(cell.users),
        "not stated": "" if hidden else f"{cell.unstated:.1%}",
        "stated": "" if hidden else f"{cell.stated:.1%}",
        "effect": _figure(cell.effect),
        "relevant lost": _figure(cell.over_blocking),
        "other traits": _figure(cell.leakage),
    }


def _figure(difference: Difference) -> str:
    if not difference.rows:
        return "no value"
    if difference.users < MIN_CELL:
        return "too few users"
    return interval(difference.mean, difference.low, difference.high, sign="+")


_FEW = f"fewer than {MIN_CELL} users"


def _data(cell: SummaryCell) -> Mapping[str, Any]:
    """Return a cell without what rests on too few users."""
    if cell.users < MIN_CELL:
        return {"suppressed": _FEW}
    shown = {key: value for key, value in vars(cell).items() if key != "name"}
    for key, value in shown.items():
        if isinstance(value, Difference):
            shown[key] = {"suppressed": _FEW} if value.users < MIN_CELL else asdict(value)
    if cell.effect.users < MIN_CELL:
        shown |= {"stated": None, "unstated": None}
    return shown
