"""The figures that a dataset card shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from saferec_core.pipeline.card.parts import Dialogue
from saferec_core.pipeline.step_report import StepAccount
from saferec_core.pipeline.writers import Published

__all__ = ["DAY", "CardFacts", "Check", "SplitFacts", "TraitFacts"]

DAY = 86_400
"""Seconds."""


@dataclass
class SplitFacts:
    """What one split holds."""

    samples: int = 0
    users: int = 0
    """Different users; 0 if the rows do not name users."""
    turns: int = 0
    """Turns of all prompts, system messages apart."""
    completions: int = 0
    """Samples with a completion to imitate."""
    constrained: int = 0
    """Samples with at least one constraint."""
    days: Counter[int] = field(default_factory=Counter)
    """Samples by day since 1970, where they have a time."""


@dataclass
class TraitFacts:
    """How one trait occurs."""

    samples: Counter[str] = field(default_factory=Counter)
    """Samples with the constraint, by split."""
    stated: Counter[str] = field(default_factory=Counter)
    """Samples by wording: explicit, implied, or other (in the user's own words)."""
    removed: int = 0
    """Titles that it removed from ground truths."""


@dataclass(frozen=True)
class Check:
    """A check for leakage between splits."""

    question: str
    count: int
    """How often it occurs; ideally 0."""
    meaning: str
    """What is counted, and when it is expected."""


@dataclass
class CardFacts:
    """The content of a card."""

    name: str
    published: Published
    accounts: Sequence[StepAccount]
    splits: dict[str, SplitFacts]
    traits: dict[str, TraitFacts]
    """By name, the most frequent first."""
    positions: Counter[str]
    """Samples by where constraints are stated: before, inside or after other text, or alone."""
    constraints: Counter[int]
    """Samples by number of constraints."""
    truth_before: Counter[int]
    """Samples by size of the ground truth, including the titles that constraints removed."""
    truth_after: Counter[int]
    """The same without those titles."""
    list_lengths: Counter[int]
    """Completions by number of titles."""
    users: int
    """Different users in all splits; 0 if the rows do not name users."""
    titles: int
    """Different titles in ground truths."""
    checks: list[Check]
    dialogues: list[Dialogue]
    """Two samples to look at: the first one, and the first that differs most from it in its constraints."""

    @property
    def samples(self) -> int:
        """Samples of all splits."""
        return sum(split.samples for split in self.splits.values())
