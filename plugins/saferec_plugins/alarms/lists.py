"""Alarms about lists: what the policy writes instead of better recommendations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.alarm import Alarm, LogRow, earlier_and_recent, recent

__all__ = ["Coverage", "CutOff", "ListLength", "Variety", "Waste"]


@component
class CutOff(Alarm):
    """Nearly all completions are cut off at the length limit, so that no list comes to its end."""

    figures: ClassVar[tuple[str, ...]] = ("completions/clipped_ratio",)

    most: float = Field(default=0.95, ge=0, le=1)
    """Largest share of completions that may be cut off."""

    def __call__(self, log: Sequence[LogRow]) -> str | None:
        """Compare the recent share with the largest allowed."""
        share = recent(log, "completions/clipped_ratio")
        if share is None or share <= self.most:
            return None
        return (
            f"{share:.0%} of the completions are cut off at the length limit: no list comes to its end, and "
            "the policy is never rewarded for ending one. Raise --max-completion-length, or train Safe SFT "
            "longer, so that the policy learns to stop"
        )


_WASTE = {
    "repeated": "titles that repeat an earlier one of their list",
    "seen": "titles that the user has seen",
    "wasted": "wasted ranks (repeated, seen, outside the catalog or unreadable)",
}


@component
class Waste(Alarm):
    """Ranks that show the user nothing new become more frequent: the policy escapes into them."""

    figures: ClassVar[tuple[str, ...]] = tuple(_WASTE)

    rise: float = Field(default=0.05, gt=0, le=1)
    """Largest rise of a share over its mean in the first rows, in 0..1."""

    def __call__(self, log: Sequence[LogRow]) -> str | None:
        """Name the first share that has risen, the narrowest first."""
        for figure, words in _WASTE.items():
            shares = earlier_and_recent(log, figure)
            if shares is not None and shares[1] - shares[0] > self.rise:
                return (
                    f"{words} rose from {shares[0]:.0%} to {shares[1]:.0%} of the ranks: to waste a rank "
                    f"pays more than to risk a title. Limit the share (--limit '{figure}<=0.02'), add the "
                    "reward fresh, or start from a longer Safe SFT"
                )
        return None


_CHANCE = 0.05
"""Share of the length that is wanted by which lists have to be farther from it than at the start."""


@component
class ListLength(Alarm):
    """Lists drift away from the length that is wanted or, if none is, from that of the start."""

    figures: ClassVar[tuple[str, ...]] = ("list_length",)

    most: float = Field(default=0.25, gt=0)
    """Largest distance, as a share of the length that is wanted."""
    target: int | None = Field(default=None, ge=1)
    """Length that is wanted; by default that of the run's rewards, if one of them has a target."""

    def __call__(self, log: Sequence[LogRow]) -> str | None:
        """Compare the recent length with the one wanted, and the distance with that of the start."""
        lengths = earlier_and_recent(log, "list_length")
        if lengths is None:
            return None
        start, now = lengths
        wanted = start if self.target is None else float(self.target)
        distance = abs(now - wanted)
        if distance <= self.most * wanted or distance <= abs(start - wanted) + _CHANCE * wanted:
            return None
        aim = "" if self.target is None else f", but {self.target} are wanted"
        return (
            f"lists have {now:.1f} titles and had {start:.1f} at the start{aim}: their length pays, not "
            "their titles. Give the reward count a target and more weight"
        )


@component
class Variety(Alarm):
    """The lists of a batch name far fewer different titles than at the start: the same list for everybody."""

    figures: ClassVar[tuple[str, ...]] = ("distinct_titles",)

    least: float = Field(default=0.5, gt=0, le=1)
    """Smallest share of the variety of the first rows that has to be left."""

    def __call__(self, log: Sequence[LogRow]) -> str | None:
        """Compare the recent variety with that of the start."""
        shares = earlier_and_recent(log, "distinct_titles")
        if shares is None or shares[1] >= self.least * shares[0]:
            return None
        return (
            f"a batch names {100 * shares[1]:.1f} different titles per 100 ranks, down from "
            f"{100 * shares[0]:.1f}: coverage of the catalog collapses, and users get the same list. Raise "
            "--kl-beta, lower --learning-rate, or stop earlier (--select)"
        )


@component
class Coverage(Alarm):
    """The oracle knows fewer of the recommended titles: the policy drifts to what nobody can judge."""

    figures: ClassVar[tuple[str, ...]] = ("oracle_coverage",)

    fall: float = Field(default=0.1, gt=0, le=1)
    """Largest fall of the share of titles that the oracle knows, from its mean in the first rows."""

    def __call__(self, log: Sequence[LogRow]) -> str | None:
        """Compare the recent coverage with that of the start."""
        shares = earlier_and_recent(log, "oracle_coverage")
        if shares is None or shares[0] - shares[1] <= self.fall:
            return None
        return (
            f"the oracle knows {shares[1]:.0%} of the recommended titles, down from {shares[0]:.0%}: the "
            "policy drifts to titles that nobody can judge, and the violation rate says less and less. Give "
            "the oracle more evidence, limit the share (--limit 'unknown<=0.1'), or set "
            "rewards.safety.unknown=unsafe"
        )
