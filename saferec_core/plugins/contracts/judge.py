"""What lists are checked against: the catalog, the oracle and the popularity of titles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from operator import and_
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from saferec_core.data.catalog import Catalog
from saferec_core.data.records import Record
from saferec_core.data.titles import Title
from saferec_core.errors import ConfigError, UnknownNameError
from saferec_core.plugins.contracts.entries import ask_about_entries, ask_by_entry
from saferec_core.plugins.contracts.met_titles import MetTitles
from saferec_core.plugins.contracts.oracle import (
    Oracle,
    Question,
    Verdict,
    ask,
    check_order,
    columns_for,
)
from saferec_core.plugins.contracts.record_columns import NO_COLUMNS, RecordColumns

__all__ = ["Judge", "Standing"]

_ASKED_TOGETHER = 1 << 14  # questions of one batch about the whole catalog

_REMEMBERED_STANDINGS = 1 << 28
"""Standings of titles of the catalog, two bytes each, that are remembered before all are forgotten."""

_LONGEST_TITLE = 24
"""Words; bounds the search for a title at the end of a sentence."""


class Judge:
    """What lists are checked against in a run: the catalog and, if any, the oracle and the popularity."""

    def __init__(
        self,
        catalog: Catalog,
        oracle: Oracle | None = None,
        popularity: Float[Tensor, " C"] | None = None,
    ) -> None:
        """Keep what lists are checked against.

        Args:
            catalog: The C titles that may be recommended.
            oracle: Tells violations.
            popularity: Each title's percentile among them, in 0..1, from `popularity_percentiles`.
        """
        self.catalog = catalog
        self.oracle = oracle
        self.popularity = popularity
        self._met_titles = MetTitles(catalog)
        self._base_rates: dict[tuple[tuple[str, ...], RecordColumns], float] = {}
        self._standings: dict[tuple[str, RecordColumns], Standing] = {}
        self._order_is_checked = False

    def __reduce__(self) -> tuple[Any, ...]:
        return Judge, (self.catalog, self.oracle, self.popularity)

    @property
    def met_titles(self) -> MetTitles:
        """The titles that lists have named, until there are too many to remember."""
        if self._met_titles.is_full:
            self._met_titles = MetTitles(self.catalog)
        return self._met_titles

    @property
    def needed_oracle(self) -> Oracle:
        """The oracle.

        Raises:
            ConfigError: The run has none.
        """
        if self.oracle is None:
            raise ConfigError("an oracle is needed to judge titles; name its table with --oracle-path")
        return self.oracle

    def ask(self, questions: Sequence[Question]) -> Sequence[Verdict]:
        """Put *questions* to the oracle, each about the catalog entry that its title means.

        See :func:`saferec_core.plugins.contracts.entries.ask_by_entry`.

        Raises:
            ConfigError: The run has no oracle.
            PluginError: The oracle failed, or its verdicts are not sound.
        """
        return ask_by_entry(self._put, self.catalog, questions)

    def _put(self, questions: Sequence[Question]) -> Sequence[Verdict]:
        """Put *questions* to the oracle as they are; the order of the first ones must not matter."""
        oracle = self.needed_oracle
        answers = ask(oracle, questions)
        if not self._order_is_checked and oracle.deterministic:
            self._order_is_checked = len(set(questions)) > 1
            check_order(oracle, questions, answers)
        return answers

    def catalog_title(self, title: Title) -> Title:
        """Return the longest end of a name that is in the catalog, else *title* itself."""
        words = title.name.split()
        for first in range(max(0, len(words) - _LONGEST_TITLE), len(words)):
            match = self.catalog.match(" ".join(words[first:]), title.year)
            if match.position is not None:
                return match.title
        return title

    def question(self, title: Title, record: Record) -> Question:
        """Return the question about one of several titles on a line of the record's list."""
        return Question(*self.catalog_title(title), record.constraints, self.columns(record))

    def columns(self, record: Record) -> RecordColumns:
        """Return what the oracle's questions hold of a record.

        Raises:
            DataError: A column that the oracle needs is missing.
        """
        return columns_for(self.oracle, record.columns)

    def meant(self, record: Record) -> Record:
        """Return *record* with its titles as the catalog completes them; itself where nothing changes.

        A title with several names is the same by each of them. Ground truth without a year is the only entry
        of the catalog with its name. Where several entries have the name it is ambiguous and cannot be hit,
        so that it is left out.
        """
        match = self.catalog.match
        matches = [match(*title) for title in record.groundtruth]
        truth = tuple(
            title for position, title, _ in matches if position is not None or title.year is not None
        )
        seen = tuple(map(self.catalog.by_own_name, record.seen_titles))
        if (truth, seen) == (record.groundtruth, record.seen_titles):
            return record
        return replace(record, groundtruth=truth, seen_titles=seen)

    def base_rate(self, constraints: tuple[str, ...], record: RecordColumns = NO_COLUMNS) -> float:
        """Return the share of violations among the catalog's titles that the oracle knows.

        This is what a title that nobody knows is expected to be worth. 0 if none is known.

        Args:
            constraints: Traits that are active.
            record: What questions hold of the record, from :meth:`columns`.
        """
        asked = constraints, record
        if asked not in self._base_rates:
            standings = [self.standing(trait, record) for trait in constraints]
            everything = torch.ones(len(self.catalog.titles), dtype=torch.bool)
            violating = ~reduce(and_, (~standing.violated for standing in standings), everything)
            known = violating | reduce(and_, (standing.decided for standing in standings), everything)
            self._base_rates[asked] = violating.sum().item() / max(1, int(known.sum()))
        return self._base_rates[asked]

    def standing(self, trait: str, record: RecordColumns) -> Standing:
        """Return how the catalog's titles stand under one trait.

        All traits that the oracle lists are asked about in one question a title. Users combine them in more
        ways than there are traits; a question for every combination and title would take hours with millions
        of titles. A trait that it judges and does not list, such as one with a value, is asked about alone.

        Args:
            trait: The constraint.
            record: What questions hold of the record, from :meth:`columns`.

        Raises:
            UnknownNameError: The oracle does not judge the trait.
        """
        if (trait, record) not in self._standings:
            traits = () if self.oracle is None else self.oracle.traits
            if trait not in traits:
                raise UnknownNameError("trait", trait, sorted(traits))
            listed = tuple(sorted(traits))
            asked = listed if trait in listed else (trait,)
            if len(self._standings) * len(self.catalog.titles) > _REMEMBERED_STANDINGS:
                self._standings.clear()
            decided, violated = self._catalog_under(asked, record)
            for column, name in enumerate(asked):
                standing = Standing(decided[:, column].clone(), violated[:, column].clone())
                self._standings[name, record] = standing
        return self._standings[trait, record]

    @property
    def _changes(self) -> int:
        """How often a tensor of :meth:`standing`, which all that ask share, was changed in place."""
        tensors = (tensor for standing in self._standings.values() for tensor in standing)
        return sum(0 if tensor.is_inference() else tensor._version for tensor in tensors)

    def _catalog_under(
        self, traits: tuple[str, ...], record: RecordColumns
    ) -> tuple[Bool[Tensor, "C T"], Bool[Tensor, "C T"]]:
        """Return whether each catalog title is decided for each trait, and violates it."""
        decided, violated = torch.zeros(2, len(self.catalog.titles), len(traits), dtype=torch.bool)
        for start in range(0, len(self.catalog.titles), _ASKED_TOGETHER):
            positions = range(start, min(start + _ASKED_TOGETHER, len(self.catalog.titles)))
            verdicts = ask_about_entries(self._put, self.catalog, positions, traits, record)
            for row, verdict in enumerate(verdicts, start):
                evident = verdict.risks.keys() - set(verdict.open)
                if verdict.known and not verdict.risks:  # an oracle that states no risks
                    evident = set(traits)
                decided[row, [traits.index(trait) for trait in evident]] = True
                violated[row, [traits.index(trait) for trait in verdict.violated]] = True
        return decided, violated


class Standing(NamedTuple):
    """How the C titles of the catalog stand under one trait."""

    decided: Bool[Tensor, " C"]
    violated: Bool[Tensor, " C"]
