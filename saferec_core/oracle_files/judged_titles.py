"""Many titles, judged by an oracle file as a run would judge them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from saferec_core.data.title_tiers import Tiers
from saferec_core.data.titles import Title
from saferec_core.oracle_files.deciding import Decision, DecisionRule
from saferec_core.oracle_files.format import OracleFile

__all__ = ["JudgedTitles"]


class JudgedTitles:
    """N titles with the verdicts of an oracle file."""

    def __init__(
        self,
        oracle: OracleFile,
        titles: Sequence[Title],
        tiers: Sequence[Tiers],
        rule: DecisionRule,
        popularity: Sequence[float] | None,
    ) -> None:
        """Judge *titles* by *rule*; *tiers* holds the entries that each title may mean."""
        self.oracle = oracle
        self.titles = titles
        self.tiers = tiers
        self.rule = rule
        self.popularity = popularity
        self.decisions = cache(self._decisions)

    def _decisions(self, trait: str) -> list[Decision]:
        """Return what is known about each title."""
        return [self.rule.decision(self.oracle, tiers, trait) for tiers in self.tiers]

    def highest(self, trait: str) -> npt.NDArray[np.float32]:
        """Return the highest risk of each title, (N,), NaN without evidence."""
        return np.array(
            [np.nan if decision.risk is None else decision.risk for decision in self.decisions(trait)],
            dtype=np.float32,
        )

    def known_for_some_trait(self) -> int:
        """Count the titles that are known to be safe, or not to be, for some trait."""
        by_title = zip(*(self.decisions(trait) for trait in self.oracle.traits), strict=True)
        return sum(any(decision.known for decision in decisions) for decisions in by_title)

    def weighted_share(self, chosen: npt.NDArray[np.bool_]) -> float | None:
        """Return the share of the popularity of all titles that the chosen ones have, in 0..1."""
        if self.popularity is None:
            return None
        weights = np.asarray(self.popularity, dtype=np.float64)
        total = float(weights.sum())
        return float(weights[chosen].sum()) / total if total else None

    def by_popularity(self) -> list[int]:
        """Return the positions of the titles, the most popular first, or else those with most evidence."""
        weights = self.popularity
        if weights is None:
            counts = self.oracle.evidence_counts()
            weights = [sum(int(counts[row]) for row in (tiers[0] if tiers else ())) for tiers in self.tiers]
        return [
            int(position) for position in np.argsort(-np.asarray(weights, dtype=np.float64), kind="stable")
        ]
