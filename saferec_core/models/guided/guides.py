"""What guides the lists of a policy's users, made when the first list is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from saferec_core.data.records import Record
from saferec_core.errors import ConfigError
from saferec_core.models.generation import generation_prefix
from saferec_core.models.guided.allowed import AllowedTitles, UnknownTitles
from saferec_core.models.guided.guide import Guide
from saferec_core.models.guided.guiding import Guiding
from saferec_core.models.guided.kept_guide import guide_of
from saferec_core.models.guided.marker import Marker, marker_of
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
    marker: str | None = None
    """Text that ends free reasoning in front of a list; None: lists begin at once."""
    max_tokens: int = 0
    """Longest completion; reasoning may use what the longest list leaves of it. Without a marker, a
    completion takes what its list needs."""

    def __call__(self, records: Sequence[Record]) -> Guiding:
        """Return what guides the lists of *records*."""
        allowances = [self._allowed.of(record) for record in records]
        return Guiding(self._guide, allowances, self._marker, self._free_tokens)

    @cached_property
    def _guide(self) -> Guide:
        return guide_of(
            self.policy.tokenizer,
            self.parser,
            self.judge.catalog,
            num_ranks=self.num_titles,
            end_ids=self.policy.end_ids,
            generation_prefix=self.marker or generation_prefix(self.policy.tokenizer),
        )

    @cached_property
    def _marker(self) -> Marker | None:
        return (
            None
            if self.marker is None
            else marker_of(self.policy.tokenizer, self.marker, self.policy.end_ids)
        )

    @property
    def _free_tokens(self) -> int:
        """Tokens that reasoning may take.

        Raises:
            ConfigError: There are none.
        """
        if self._marker is None:
            return 0
        needed = self._guide.longest + len(self._marker.ids)
        if self.max_tokens <= needed:
            raise ConfigError(
                f"max_completion_length = {self.max_tokens} leaves no room for reasoning before "
                f"{self.marker!r}: a list of {self.num_titles} titles alone may take {needed} tokens"
            )
        return self.max_tokens - needed

    @cached_property
    def _allowed(self) -> AllowedTitles:
        return AllowedTitles(self.judge, self.unknown)
