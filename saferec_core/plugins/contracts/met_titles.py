"""Titles as lists name them, each looked up in the catalog once and known by a number from then on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from saferec_core.data.catalog import Catalog
from saferec_core.data.integers import int64_array
from saferec_core.data.titles import name_keys
from saferec_core.plugins.contracts.oracle import Verdict
from saferec_core.plugins.contracts.record_columns import RecordColumns

__all__ = ["UNREADABLE", "MetTitle", "MetTitles", "MetVerdicts", "repeats"]

_REMEMBERED = 1 << 16
"""How many titles are remembered before all are forgotten."""

_REMEMBERED_VERDICTS = 1 << 18
"""Likewise of verdicts."""

_LOCK = Lock()
"""Held while anything is added; one for all, since what is met can be copied and pickled."""

UNREADABLE = ("", None)
"""What stands for every rank that names no title."""


class MetTitle(NamedTuple):
    """A title as the catalog completes it, whatever list it stands in."""

    name: str
    year: int | None


class MetTitles:
    """The titles that were met, by number; a policy names the same ones over and over."""

    def __init__(self, catalog: Catalog) -> None:
        """Begin with none.

        Args:
            catalog: The titles that may be recommended.
        """
        self._catalog = catalog
        self._numbers: dict[tuple[str, int | None], int] = {}
        self._entities: dict[int | tuple[str, int | None], int] = {}
        self._by_form: defaultdict[str, list[int]] = defaultdict(list)
        self.titles: list[MetTitle] = []
        """Each title, by its number."""
        self.catalog_indices = np.empty(0, np.int64)
        """Its position in the catalog; -1 if it may not be recommended."""
        self.entities = np.empty(0, np.int64)
        """A number that titles share which are the same: those of one catalog entry and, outside the catalog,
        those of one normal form and year. -1 for what names no title, which is never the same as another."""
        self._verdicts = MetVerdicts()

    def __len__(self) -> int:
        return len(self.titles)

    @property
    def is_full(self) -> bool:
        """Whether it is time to begin anew."""
        return len(self) > _REMEMBERED

    @property
    def verdicts(self) -> MetVerdicts:
        """What a deterministic oracle has said about them."""
        if self._verdicts.is_full:
            self._verdicts = MetVerdicts()
        return self._verdicts

    def numbers_of(self, titles: Sequence[tuple[str, int | None]]) -> NDArray[np.int64]:
        """Return the numbers of titles by name and year as written; new ones get the next numbers."""
        numbers = list(map(self._numbers.get, titles))
        if None in numbers:
            with _LOCK:
                self._meet([title for title in dict.fromkeys(titles) if title not in self._numbers])
            numbers = list(map(self._numbers.get, titles))
        return int64_array(numbers)  # type: ignore[arg-type]  # None is in it no longer

    def named(self, forms: Iterable[str]) -> Iterator[int]:
        """Yield the numbers of the titles that have a name of one of these normal forms."""
        by_form = self._by_form
        return (number for form in forms if form in by_form for number in by_form[form])

    def _meet(self, written: Sequence[tuple[str, int | None]]) -> None:
        indices, entities = [], []
        for number, title in enumerate(written, len(self.titles)):
            index, (name, year), _ = self._catalog.match(*title)
            keys = name_keys(name)
            for key in keys:
                self._by_form[key.form].append(number)
            same = (keys[0].form, year) if index is None else index
            self.titles.append(MetTitle(name, year))
            indices.append(-1 if index is None else index)
            entities.append(self._entities.setdefault(same, len(self._entities)) if keys[0].form else -1)
        self.catalog_indices = np.concatenate([self.catalog_indices, np.array(indices, np.int64)])
        self.entities = np.concatenate([self.entities, np.array(entities, np.int64)])
        self._numbers.update(zip(written, range(len(self._numbers), len(self.titles)), strict=True))


class MetVerdicts:
    """An oracle's verdicts on titles by number, each asked for once."""

    def __init__(self) -> None:
        """Begin with none."""
        self._kinds: dict[tuple[tuple[str, ...], RecordColumns], int] = {}
        self._positions: dict[int, int] = {}
        self.verdicts: list[Verdict] = []
        self.known = np.empty(0, np.bool_)
        """Of each verdict, whether the oracle knows the title."""
        self.violated = np.empty(0, np.bool_)
        """Of each verdict, whether the title violates any constraint."""

    @property
    def is_full(self) -> bool:
        """Whether it is time to begin anew."""
        return max(len(self._kinds), len(self.verdicts)) > _REMEMBERED_VERDICTS

    def kind_of(self, constraints: tuple[str, ...], record: RecordColumns) -> int:
        """Return a number for what is asked about a title."""
        return self._kinds.setdefault((constraints, record), len(self._kinds))

    def positions_of(
        self,
        kinds: NDArray[np.int64],
        titles: NDArray[np.int64],
        ask: Callable[[Sequence[tuple[int, int]]], Sequence[Verdict]],
    ) -> NDArray[np.int64]:
        """Return where the verdict on each pair of a kind and a title stands.

        Args:
            kinds: The kinds, as of `kind_of`.
            titles: The titles, by number.
            ask: Returns the verdicts on pairs of a title and a kind that were not asked about before.
        """
        keys = ((titles << 32) | kinds).tolist()
        positions = list(map(self._positions.get, keys))
        if None in positions:
            new = [key for key in dict.fromkeys(keys) if key not in self._positions]
            self._add(new, ask([divmod(key, 1 << 32) for key in new]))
            positions = list(map(self._positions.get, keys))
        return int64_array(positions)  # type: ignore[arg-type]  # None is in it no longer

    def _add(self, keys: Sequence[int], verdicts: Sequence[Verdict]) -> None:
        with _LOCK:
            first = len(self.verdicts)
            self.verdicts += verdicts
            self.known = np.append(self.known, [verdict.known for verdict in verdicts])
            self.violated = np.append(self.violated, [bool(verdict.violated) for verdict in verdicts])
            self._positions.update(zip(keys, range(first, len(self.verdicts)), strict=True))


def repeats(lists: NDArray[np.int64], entities: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which titles an earlier place of their list names already.

    Args:
        lists: The list of each title, ascending; within a list titles are in the order of their ranks.
        entities: What each is, from `MetTitles.entities`.
    """
    keys = lists * (entities.max(initial=0) + 2) + entities + 1
    _, firsts = np.unique(keys, return_index=True)
    repeated = entities >= 0
    repeated[firsts] = False
    return repeated
