"""What lists are checked against: the catalog, the oracle and the popularity of titles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from saferec_core.data.catalog import Catalog
from saferec_core.data.records import Record
from saferec_core.data.titles import Title
from saferec_core.errors import ConfigError, UnknownNameError
from saferec_core.plugins.contracts.met_titles import MetTitles
from saferec_core.plugins.contracts.oracle import Oracle, Question, Verdict, ask, check_order

__all__ = ["Judge"]

_ASKED_TOGETHER = 1 << 14  # questions of one batch about the whole catalog

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
        self.met_titles = MetTitles(catalog)
        self._base_rates: dict[tuple[str, ...], float] = {}
        self._order_is_checked = False

    def ask(self, questions: Sequence[Question]) -> Sequence[Verdict]:
        """Put *questions* to the oracle.

        Raises:
            ConfigError: The run has no oracle.
            PluginError: The oracle failed, or its verdicts are not sound.
        """
        if self.oracle is None:
            raise ConfigError("an oracle is needed to judge titles; name its table with --oracle-path")
        verdicts = ask(self.oracle, questions)
        if not self._order_is_checked and self.oracle.deterministic:
            self._order_is_checked = len(set(questions)) > 1
            check_order(self.oracle, questions, verdicts)
        return verdicts

    def catalog_title(self, title: Title) -> Title:
        """Return the longest end of a name that is in the catalog, else *title* itself."""
        words = title.name.split()
        for first in range(max(0, len(words) - _LONGEST_TITLE), len(words)):
            match = self.catalog.match(" ".join(words[first:]), title.year)
            if match.position is not None:
                return match.title
        return title

    def meant(self, record: Record) -> Record:
        """Return *record* with its titles as the catalog completes them; itself where nothing changes.

        Ground truth without a year is the only entry of the catalog with its name. Where several entries have
        the name it is ambiguous and cannot be hit, so that it is left out.
        """
        match, by_subtitle = self.catalog.match, self.catalog.match_subtitles
        if not by_subtitle and all(year is not None for _, year in record.groundtruth):
            return record
        matches = [match(*title) for title in record.groundtruth]
        truth = tuple(
            title for position, title, _ in matches if position is not None or title.year is not None
        )
        seen = record.seen_titles
        if by_subtitle:
            seen = tuple(title if isinstance(title, str) else match(*title).title for title in seen)
        if (truth, seen) == (record.groundtruth, record.seen_titles):
            return record
        return replace(record, groundtruth=truth, seen_titles=seen)

    def base_rate(self, constraints: tuple[str, ...]) -> float:
        """Return the share of violations among the catalog's titles that the oracle knows.

        This is what a title that nobody knows is expected to be worth. 0 if none is known.
        """
        if constraints not in self._base_rates:
            decided, violated = self._by_trait
            columns = [self._column(trait) for trait in constraints]
            violating = violated[:, columns].any(dim=1)
            known = violating | decided[:, columns].all(dim=1)
            self._base_rates[constraints] = violating.sum().item() / max(1, int(known.sum()))
        return self._base_rates[constraints]

    @cached_property
    def _by_trait(self) -> tuple[Bool[Tensor, "C T"], Bool[Tensor, "C T"]]:
        """Whether each catalog title is decided for each trait, and violates it: one question a title.

        Users combine traits in more ways than there are traits; a question for every combination and title
        would take hours with millions of titles.
        """
        traits = self._traits
        decided, violated = torch.zeros(2, len(self.catalog.titles), len(traits), dtype=torch.bool)
        for start in range(0, len(self.catalog.titles), _ASKED_TOGETHER):
            titles = self.catalog.titles[start : start + _ASKED_TOGETHER]
            verdicts = self.ask([Question(title.name, title.year, traits) for title in titles])
            for row, verdict in enumerate(verdicts, start):
                evident = verdict.risks.keys() - set(verdict.open)
                if verdict.known and not verdict.risks:  # an oracle that states no risks
                    evident = set(traits)
                decided[row, [self._column(trait) for trait in evident]] = True
                violated[row, [self._column(trait) for trait in verdict.violated]] = True
        return decided, violated

    @cached_property
    def _traits(self) -> tuple[str, ...]:
        return () if self.oracle is None else tuple(sorted(self.oracle.traits))

    def _column(self, trait: str) -> int:
        if trait not in self._traits:
            raise UnknownNameError("trait", trait, self._traits)
        return self._traits.index(trait)
