"""The titles of a batch of lists as columns, one entry a title, list after list."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from saferec_core.data.integers import int64_array
from saferec_core.data.records import Record
from saferec_core.plugins.contracts.met_titles import UNREADABLE, MetTitles, repeats
from saferec_core.plugins.contracts.parser import ParsedList, ParsedLists

__all__ = ["ListedTitles"]


class ListedTitles:
    """The M titles of N lists, those beyond K included; all arrays have shape (M,) unless said otherwise."""

    def __init__(
        self,
        lists: Sequence[ParsedList],
        records: Sequence[Record],
        which: NDArray[np.int64],
        met: MetTitles,
        year_tolerance: int,
    ) -> None:
        """Look up the titles of *lists*.

        Args:
            lists: The N lists.
            records: The records that they answer, with their titles as the catalog completes them.
            which: The record that each answers (N,).
            met: The titles that were met so far.
            year_tolerance: Maximum difference in release year, in years, when matching titles.
        """
        self.met = met
        self.batch = lists if isinstance(lists, ParsedLists) else ParsedLists(lists)
        """The lists."""
        columns = self.batch.columns
        self.lengths = int64_array(self.batch.sizes)
        """Titles of each list (N,)."""
        self.lists = np.repeat(np.arange(len(lists)), self.lengths)
        """The list that each title stands in."""
        self.places = np.arange(len(self.lists)) - np.repeat(
            self.lengths.cumsum() - self.lengths, self.lengths
        )
        """Its rank in it, from 0."""
        titles = list(zip(columns.name, columns.year, strict=True))
        if not all(columns.readable):
            titles = [
                title if readable else UNREADABLE
                for title, readable in zip(titles, columns.readable, strict=True)
            ]
        self.numbers = met.numbers_of(titles)
        """The number of each title among those met."""
        self._tolerance = year_tolerance
        self._records = records
        self._record_of = which[self.lists]

    @cached_property
    def catalog_indices(self) -> NDArray[np.int64]:
        """Position in the catalog; -1 where a title may not be recommended."""
        return self.met.catalog_indices[self.numbers]

    @cached_property
    def repeated(self) -> NDArray[np.bool_]:
        """Whether an earlier place of the list names the same title."""
        return repeats(self.lists, self.met.entities[self.numbers])

    @cached_property
    def seen(self) -> NDArray[np.bool_]:
        """Whether the user of the list has seen the title."""
        seen = self._may_be(lambda record: record.seen_forms)
        for at in np.flatnonzero(seen).tolist():
            name, year = self.met.titles[int(self.numbers[at])]
            seen[at] = self._of(at).has_seen(name, year, self._tolerance)
        return seen

    @cached_property
    def wasted(self) -> NDArray[np.bool_]:
        """Whether it shows the user nothing new."""
        return self.repeated | self.seen | (self.catalog_indices < 0)

    def hits(self, num_ranks: int) -> NDArray[np.bool_]:
        """Return which of the first *num_ranks* titles of each list hit what is left of its ground truth."""
        may_hit = self._may_be(lambda record: record.truth_forms) & (self.places < num_ranks)
        may_hit &= (self.catalog_indices >= 0) & ~self.seen
        hits = np.zeros_like(may_hit)
        taken: set[tuple[int, str, int]] = set()  # by each list, of its ground truth and of the catalog
        for at in np.flatnonzero(may_hit).tolist():
            n = int(self.lists[at])
            entry = n, "entry", int(self.catalog_indices[at])
            name, year = self.met.titles[int(self.numbers[at])]
            truths = ((n, "truth", truth) for truth in self._of(at).truth_near(name, year, self._tolerance))
            match = next((truth for truth in truths if truth not in taken), None)
            if match is not None and entry not in taken:
                taken |= {match, entry}
                hits[at] = True
        return hits

    def _of(self, at: int) -> Record:
        """Return the record that the list of a title answers."""
        return self._records[int(self._record_of[at])]

    def _may_be(self, forms: Callable[[Record], Collection[str]]) -> NDArray[np.bool_]:
        """Return which titles have a name among the *forms* of their record: only they need a closer look."""
        size, named = len(self.met), self.met.named
        wanted = np.array(
            [n * size + number for n, record in enumerate(self._records) for number in named(forms(record))],
            np.int64,
        )
        if not wanted.size:
            return np.zeros(len(self.numbers), np.bool_)
        wanted.sort()
        keys = self._record_of * size + self.numbers
        is_wanted: NDArray[np.bool_] = wanted[wanted.searchsorted(keys).clip(max=wanted.size - 1)] == keys
        return is_wanted
