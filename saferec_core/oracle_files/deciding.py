"""Whether a title is known to be safe, known to be unsafe, or neither, by all of its evidence.

Evidence decides if its risk reaches the threshold or stays below the open band; a risk inside the band leaves
the question open. Any deciding evidence makes a title known, so that no source makes it less known;
the highest deciding risk counts. A model's evidence counts only where no evidence from people decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple, Protocol

from saferec_core.data.title_tiers import Tiers

__all__ = ["OPEN_FROM", "RISK_THRESHOLD", "Decision", "DecisionRule", "Risks", "RisksByRow"]

RISK_THRESHOLD = 0.66
"""Default risk of a violation."""
OPEN_FROM = 0.34
"""Default lower end of the open band: more than a third, which is "mild" in a parental guide."""

_ROUNDING = 0.5e-6
"""Rounding error of risks that files hold as float32."""


class Risks(NamedTuple):
    """What sources say about one entry and one trait."""

    lowest: float
    highest: float


_RisksOf = Callable[[int, str], Risks | None]


class RisksByRow(Protocol):
    """Entries with the risks that sources give them."""

    def risks_of(self, row: int, trait: str) -> Risks | None:
        """Return the lowest and the highest risk that people's sources give, None if none says anything."""
        ...

    def model_risks_of(self, row: int, trait: str) -> Risks | None:
        """Like `risks_of`, for what models say."""
        ...

    def work_of(self, row: int) -> int:
        """Return the number of the work that the entry is about, the same for entries of one work."""
        ...


class Decision(NamedTuple):
    """What is known about a title and a trait."""

    known: bool
    """Whether anything decides."""
    risk: float | None
    """The risk that counts, the highest of its evidence; None without evidence."""
    ambiguous: bool
    """Whether several works may be meant and their verdicts differ, or the deciding evidence is about another
    work than the nearest."""
    by_model: bool
    """Whether a model's evidence decides."""
    rows: tuple[int, ...]
    """The entries that it rests on; all that may be meant, if nothing decides."""


@dataclass(frozen=True)
class DecisionRule:
    """The risk from which evidence shows a violation, and the one from which it leaves that open."""

    threshold: float = RISK_THRESHOLD
    open_from: float = OPEN_FROM

    def reaches(self, risk: float) -> bool:
        """Return whether a risk is a violation, even if rounding put it just below the threshold."""
        return risk >= self.threshold - _ROUNDING

    def decides(self, risks: Risks | None) -> bool:
        """Return whether any evidence lies outside the open band."""
        if risks is None:
            return False
        return self.reaches(risks.highest) or risks.lowest < min(self.open_from, self.threshold) - _ROUNDING

    def decision(self, titles: RisksByRow, tiers: Tiers, trait: str) -> Decision:
        """Decide by the nearest entries with deciding evidence, and by other entries of their works."""
        for risks_of, by_model in ((titles.risks_of, False), (titles.model_risks_of, True)):
            for tier in tiers:
                rows = _with_their_works(titles, tier, tiers)
                risks = _pooled(risks_of, rows, trait)
                if risks is not None and self.decides(risks):
                    works = _by_work(titles, tier, rows)
                    ambiguous = (len(works) > 1 and self._differ(risks_of, works, trait)) or (
                        tier is not tiers[0] and _are_other_works(titles, tiers[0], rows)
                    )
                    return Decision(
                        known=True, risk=risks.highest, ambiguous=ambiguous, by_model=by_model, rows=rows
                    )
        rows = tuple(dict.fromkeys(chain.from_iterable(tiers)))
        risks = _pooled(titles.risks_of, rows, trait) or _pooled(titles.model_risks_of, rows, trait)
        highest = None if risks is None else risks.highest
        return Decision(known=False, risk=highest, ambiguous=False, by_model=False, rows=rows)

    def _differ(self, risks_of: _RisksOf, works: Sequence[Sequence[int]], trait: str) -> bool:
        """Return whether the verdicts on works differ."""
        return len({self._side(_pooled(risks_of, rows, trait)) for rows in works}) > 1

    def _side(self, risks: Risks | None) -> bool | None:
        """Return True for a violation, False for none, None if the risks leave it open."""
        return self.reaches(risks.highest) if risks is not None and self.decides(risks) else None


def _with_their_works(titles: RisksByRow, tier: Sequence[int], tiers: Tiers) -> tuple[int, ...]:
    """Return the entries of a tier, and those of other tiers that are about the same works."""
    if len(tiers) == 1:
        return tuple(tier)
    works = {titles.work_of(row) for row in tier}
    others = (row for row in chain.from_iterable(tiers) if row not in tier)
    return *tier, *(row for row in others if titles.work_of(row) in works)


def _by_work(titles: RisksByRow, tier: Sequence[int], rows: Sequence[int]) -> Sequence[Sequence[int]]:
    """Sort entries by the works that a tier is about, and that they are about too."""
    if len(tier) == 1:
        return [rows]
    works = dict.fromkeys(titles.work_of(row) for row in tier)
    return [[row for row in rows if titles.work_of(row) == work] for work in works]


def _are_other_works(titles: RisksByRow, nearest: Sequence[int], rows: Sequence[int]) -> bool:
    """Return whether entries are about other works than the nearest entries."""
    return {titles.work_of(row) for row in nearest}.isdisjoint(map(titles.work_of, rows))


def _pooled(risks_of: _RisksOf, rows: Sequence[int], trait: str) -> Risks | None:
    known = [risks for row in rows if (risks := risks_of(row, trait)) is not None]
    if len(known) < 2:
        return known[0] if known else None
    return Risks(min(risks.lowest for risks in known), max(risks.highest for risks in known))
