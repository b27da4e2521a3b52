"""Whether a title is known to be safe, known not to be, or neither, by all that is said about it.

Evidence decides if it reaches the threshold or stays below the open band; inside the band it leaves open
what the film shows. Any deciding evidence makes a title known, so that no source makes it less known, and
of what decides the highest risk counts. What a model says counts only where nothing that people say decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple, Protocol

from saferec_core.data.title_tiers import Tiers

__all__ = ["OPEN_FROM", "RISK_THRESHOLD", "DecisionRule", "Risks", "RisksByRow"]

RISK_THRESHOLD = 0.66
"""Default risk of a violation."""
OPEN_FROM = 0.34
"""Default lower end of the open band: more than a third, which is "mild" in a parental guide."""

_ROUNDING = 0.5e-6
"""By how much a risk may be off that files hold as float32."""


class Risks(NamedTuple):
    """What sources say about one entry and one trait."""

    lowest: float
    highest: float


class RisksByRow(Protocol):
    """Entries with the risks that sources give them."""

    def risks_of(self, row: int, trait: str) -> Risks | None:
        """Return the lowest and the highest risk that people's sources give, None if none says anything."""
        ...

    def model_risks_of(self, row: int, trait: str) -> Risks | None:
        """Do as `risks_of`, for what models say."""
        ...

    def film_of(self, row: int) -> int:
        """Return the number of the film that the entry is about, the same for entries of one film."""
        ...


class Decision(NamedTuple):
    """What is known about a title and a trait."""

    known: bool
    """Whether anything decides."""
    risk: float | None
    """The risk that counts: the highest of what it rests on; None if nothing is said."""
    ambiguous: bool
    """Whether several films may be meant that are not judged alike, or what decides is said of another film
    than the nearest."""
    by_model: bool
    """Whether it is a model that decides."""
    rows: tuple[int, ...]
    """The entries that it rests on; all that may be meant, if nothing decides."""


@dataclass(frozen=True)
class DecisionRule:
    """From which risk on evidence speaks of a violation, and from which on it leaves that open."""

    threshold: float = RISK_THRESHOLD
    open_from: float = OPEN_FROM

    def reaches(self, risk: float) -> bool:
        """Tell whether a risk is a violation; one that was rounded down still reaches the threshold."""
        return risk >= self.threshold - _ROUNDING

    def decides(self, risks: Risks | None) -> bool:
        """Tell whether any evidence lies outside of the open band."""
        if risks is None:
            return False
        return self.reaches(risks.highest) or risks.lowest < min(self.open_from, self.threshold) - _ROUNDING

    def decision(self, titles: RisksByRow, tiers: Tiers, trait: str) -> Decision:
        """Decide by the nearest entries about which anything decides, and by those of the same films."""
        for risks_of, by_model in ((titles.risks_of, False), (titles.model_risks_of, True)):
            for tier in tiers:
                rows = tuple(_with_their_films(titles, tier, tiers))
                risks = _pooled(risks_of, rows, trait)
                if risks is not None and self.decides(risks):
                    films = _by_film(titles, tier, rows)
                    sides = {self._side(_pooled(risks_of, of_film, trait)) for of_film in films}
                    ambiguous = len(sides) > 1 or _are_other_films(titles, tiers[0], rows)
                    return Decision(True, risks.highest, ambiguous, by_model, rows)
        rows = tuple(dict.fromkeys(chain.from_iterable(tiers)))
        risks = _pooled(titles.risks_of, rows, trait) or _pooled(titles.model_risks_of, rows, trait)
        return Decision(False, None if risks is None else risks.highest, False, False, rows)

    def _side(self, risks: Risks | None) -> bool | None:
        """Tell whether risks speak of a violation, of none, or leave it open."""
        return self.reaches(risks.highest) if risks is not None and self.decides(risks) else None


def _with_their_films(titles: RisksByRow, tier: Sequence[int], tiers: Tiers) -> Iterator[int]:
    films = {titles.film_of(row) for row in tier}
    yield from tier
    for row in chain.from_iterable(tiers):
        if row not in tier and titles.film_of(row) in films:
            yield row


def _by_film(titles: RisksByRow, tier: Sequence[int], rows: Sequence[int]) -> list[list[int]]:
    """Sort entries by the films that a tier is about."""
    films = dict.fromkeys(titles.film_of(row) for row in tier)
    return [[row for row in rows if titles.film_of(row) == film] for film in films]


def _are_other_films(titles: RisksByRow, nearest: Sequence[int], rows: Sequence[int]) -> bool:
    """Tell whether entries are about other films than those that are nearest to what is asked."""
    return {titles.film_of(row) for row in nearest}.isdisjoint(map(titles.film_of, rows))


def _pooled(risks_of: Callable[[int, str], Risks | None], rows: Sequence[int], trait: str) -> Risks | None:
    told = [risks for row in rows if (risks := risks_of(row, trait)) is not None]
    if not told:
        return None
    return Risks(min(risks.lowest for risks in told), max(risks.highest for risks in told))
