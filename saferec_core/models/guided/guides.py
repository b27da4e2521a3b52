"""What guides the lists of a policy's users, made when the first list is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from saferec_core.data.records import Record
from saferec_core.models.generation import generation_prefix
from saferec_core.models.guided.allowed import AllowedTitles, UnknownTitles
from saferec_core.models.guided.guide import Guide, build_guide
from saferec_core.models.guided.guiding import Guiding
from saferec_core.models.loading import Policy
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.plugins.contracts.parser import ListParser

__all__ = ["Guides"]


@dataclass(frozen=True)
class Guides:
    """A policy's automaton of the catalog, and what each user may be shown."""

    policy: Policy
    parser: ListParser
    """Its ``format`` is how lists are written."""
    judge: Judge
    num_titles: int
    """Titles of a list; it is shorter where fewer are left."""
    unknown: UnknownTitles = "allow"
    """Whether a list may hold titles that the oracle cannot judge."""

    def __call__(self, records: Sequence[Record]) -> Guiding:
        """Return what guides the lists of *records*."""
        return Guiding(self._guide, [self._allowed.of(record) for record in records])

    @cached_property
    def _guide(self) -> Guide:
        return build_guide(
            self.policy.tokenizer,
            self.parser,
            self.judge.catalog,
            num_ranks=self.num_titles,
            end_ids=self.policy.end_ids,
            generation_prefix=generation_prefix(self.policy.tokenizer),
        )

    @cached_property
    def _allowed(self) -> AllowedTitles:
        return AllowedTitles(self.judge, self.unknown)
