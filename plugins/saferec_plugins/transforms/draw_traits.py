"""Samples traits by stated rules, from a seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from math import log
from operator import or_
from pathlib import Path
from random import Random
from typing import ClassVar, Literal

from pydantic import Field

from saferec_core.config.choices import ComponentChoice
from saferec_core.data.records import messages_of, seen_titles_of, titles_of
from saferec_core.data.rows import Row
from saferec_core.data.titles import Title
from saferec_core.errors import ConfigError, DataError, UnknownNameError
from saferec_core.plugins.build import build_oracle
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.transform import Counted, Outcome, Surveying, Transform, rng_of
from saferec_plugins.transforms.draw_rules import DrawRules, read_draw_rules
from saferec_plugins.transforms.judged_titles import Judged, TitleJudge

__all__ = ["DrawTraits"]

_PURPOSE = "draw-traits"
_NAMED = 3
"""Titles that a reason names at most."""


@component
class DrawTraits(Surveying):
    """Samples the traits of a user at random, which makes datasets without a language model possible.

    1. A trait may be drawn if the oracle can judge it, unless the titles that the user has seen, as far
       as the oracle knows them, mostly violate it (more than *max_history_share*): who watches horror
       does not avoid it.
    2. Traits that remove some, but not all, of the ground truth come first, since they are the ones to
       learn from; then those that remove none. A trait that removes all of it is not drawn, nor one that
       would together with those already drawn. A title that the oracle does not know is not removed.
    3. Among equals the rules decide: each trait has a weight, which a word of the user that speaks for
       the trait multiplies. Traits are drawn one after the other in proportion to their weights.

    Where no trait is left, the sample gets none and is counted. Adds ``constraints`` and
    ``traits_assigned``, each trait with what it removes.
    """

    columns: ClassVar[tuple[str, ...]] = ("groundtruth_with_release_year",)

    oracle: ComponentChoice
    """Oracle that judges violations, with its own threshold."""
    year_tolerance: int = Field(default=2, ge=0)
    """Maximum difference in release year, in years, when matching titles."""
    seed: int = Field(default=0, ge=0)
    """Another seed draws other traits."""
    min_traits: int = Field(default=1, ge=0)
    """Minimum number of traits; the number is drawn first, uniformly."""
    max_traits: int = Field(default=1, ge=1, le=3)
    """Maximum number of traits; up to 3."""
    per: Literal["sample", "user"] = "sample"
    """Whether traits are drawn for each sample, or once for all samples of a user, whose ground truth,
    history and words then count together."""
    traits: list[str] | None = Field(default=None, min_length=1)
    """Traits that may be drawn; None: all that the oracle judges, except those that carry a value.
    'saferec oracle card' marks those of which it knows only violations, so that nothing counts as safe; they
    are better left out."""
    max_history_share: float = Field(default=0.5, ge=0, le=1)
    """Maximum share of the seen titles that the oracle knows which may violate a drawn trait."""
    rules_path: Path | None = None
    """Rules (YAML), {trait: {weight: 1, words: squeamish|queasy, factor: 10}}; None: the built-in ones,
    with the same weight for all and words for the built-in traits."""

    def __post_init__(self) -> None:
        """Refuse an empty range."""
        if self.min_traits > self.max_traits:
            raise ConfigError(
                f"draw-traits: min_traits = {self.min_traits} is above max_traits = {self.max_traits}"
            )

    def __call__(self, rows: Iterable[Row]) -> Iterator[Outcome]:
        """Draw for each row by itself."""
        assert self.per == "sample", "whoever draws per user surveys all rows first"
        for row in rows:
            case = self.case_of(row)
            drawn = self._draw(case, rng_of(row, self.seed, _PURPOSE))
            yield from self.outcomes(row, case, drawn)

    def survey(self, rows: Iterable[Row]) -> Transform:
        """Draw traits for each user, if ``per`` says so."""
        if self.per == "sample":
            return self
        cases: dict[str, _Case] = {}
        for row in rows:
            try:
                cases.setdefault(_user_of(row), _Case()).add(self.case_of(row))
            except DataError:  # such a row is rejected when it is transformed
                continue
        drawn = {
            user: self._draw(case, rng_of({"id": user}, self.seed, _PURPOSE)) for user, case in cases.items()
        }
        return _DrawnByUser(dataclasses.replace(self), drawn)  # a copy, without the oracle's table

    def case_of(self, row: Row) -> _Case:
        """Return what a sample says about its user."""
        titles = titles_of(row)
        seen = [title for title in seen_titles_of(row) if isinstance(title, Title)]
        judged = self._judge.judge([*titles, *seen], row)
        turns = [] if row.get("prompt") is None else messages_of(row)
        words = self._rules.words_in([turn["content"] for turn in turns if turn["role"] == "user"])
        return _Case(titles, judged[: len(titles)], judged[len(titles) :], words)

    def _draw(self, case: _Case, rng: Random) -> tuple[int, ...]:
        """Draw traits, as places in the order of their names; fewer than wanted where no more fit."""
        wanted = rng.randint(self.min_traits, self.max_traits)
        weights = self._rules.weights(case.words)
        # The shortest of several exponential times comes first in proportion to its rate.
        times = [-log(1 - rng.random()) / weight if weight else None for weight in weights]
        waiting = [(time, position) for position, time in enumerate(times) if time is not None]
        removing = case.removing
        idle_last = sorted((not removing >> position & 1, time, position) for time, position in waiting)
        drawn: list[int] = []
        drawn_bits = 0
        for _, _, position in idle_last:
            if len(drawn) == wanted:
                break
            bit = 1 << position
            if case.leaves(drawn_bits | bit) and case.history_share(bit) <= self.max_history_share:
                drawn.append(position)
                drawn_bits |= bit
        return tuple(sorted(drawn))

    def outcomes(self, row: Row, case: _Case, drawn: Sequence[int]) -> Iterator[Outcome]:
        """Yield the sample with the traits *drawn*, as places in the order of their names."""
        names = [self._judge.traits[position] for position in drawn]
        reasons = [case.reason(position) for position in drawn]
        yield {
            **row,
            "constraints": names,
            "traits_assigned": [
                {"trait": name, "why": why} for name, why in zip(names, reasons, strict=True)
            ],
        }
        if len(drawn) < self.min_traits:
            shortfall = "no trait" if not drawn else "too few traits"
            yield Counted(
                f"samples with {shortfall}: the others contradict the history or leave no ground truth",
                example=str(row.get("id")),
            )

    @cached_property
    def _judge(self) -> TitleJudge:
        oracle = build_oracle(self.oracle, year_tolerance=self.year_tolerance)
        for trait in self.traits or ():
            if trait not in oracle.traits:
                hint = "It is an option of draw-traits; the oracle judges others."
                raise UnknownNameError("trait", trait, oracle.traits, hint=hint)
        plain = (trait for trait in oracle.traits if "=" not in trait)  # of others it lists examples only
        return TitleJudge(oracle, tuple(sorted(set(self.traits or plain))))

    @cached_property
    def _rules(self) -> DrawRules:
        return read_draw_rules(self.rules_path, self._judge.traits)


@dataclass
class _Case:
    """The data for a draw, of one sample or of all samples of a user."""

    titles: list[Title] = field(default_factory=list)
    """The ground truth."""
    truth: list[Judged] = field(default_factory=list)
    history: list[Judged] = field(default_factory=list)
    words: Mapping[int, str] = field(default_factory=dict)

    def add(self, other: _Case) -> None:
        """Add a sample to what is known of its user; titles serve reasons alone and are left out."""
        self.truth += other.truth
        self.history += other.history
        self.words = {**self.words, **other.words}

    @property
    def removing(self) -> int:
        """The traits that remove anything of the ground truth, a bit each."""
        return reduce(or_, (judged.violated for judged in self.truth), 0)

    def leaves(self, traits: int) -> bool:
        """Return whether *traits*, a bit each, leave some of the ground truth, if there is any."""
        return not self.truth or any(not judged.violated & traits for judged in self.truth)

    def history_share(self, bit: int) -> float:
        """Return the share of the seen titles that violate the trait of *bit*, of those that are known."""
        known = sum(judged.known & bit > 0 for judged in self.history)
        violated = sum(judged.violated & bit > 0 for judged in self.history)
        return violated / known if known else 0.0

    def reason(self, position: int) -> str:
        """Describe the reasons for the trait at *position* in the order of names."""
        pairs = zip(self.titles, self.truth, strict=True)
        removed = [str(title) for title, judged in pairs if judged.violated >> position & 1]
        more = f" and {len(removed) - _NAMED} more" if len(removed) > _NAMED else ""
        words = f"; the user says {self.words[position]!r}" if position in self.words else ""
        which = f": {', '.join(removed[:_NAMED])}{more}" if removed else ""
        return f"removes {len(removed)} of {len(self.titles)} ground-truth titles{which}{words}"


@dataclass(frozen=True)
class _DrawnByUser(Transform):
    """Gives every sample the traits that its user has drawn."""

    draw: DrawTraits
    drawn: Mapping[str, tuple[int, ...]]
    columns: ClassVar[tuple[str, ...]] = DrawTraits.columns

    def __call__(self, rows: Iterable[Row]) -> Iterator[Outcome]:
        for row in rows:
            case = self.draw.case_of(row)
            yield from self.draw.outcomes(row, case, self.drawn[_user_of(row)])


def _user_of(row: Row) -> str:
    user = row.get("user")
    if user is None:
        raise DataError("column 'user' is missing; draw-traits needs it to draw per user")
    return str(user)
