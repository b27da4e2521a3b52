"""Titles as lists name them: which are the same, and which match the ground truth."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from saferec_core.data.catalog import Catalog
from saferec_core.data.records import Record
from saferec_core.data.titles import normal_form
from saferec_core.plugins.contracts.parser import ParsedItem

__all__ = ["MetTitle", "MetTitles", "hits", "repeats"]

_REMEMBERED = 1 << 16
"""How many titles are remembered before all are forgotten."""

_UNREADABLE = ("", None)
"""What stands for every rank that names no title."""


class MetTitle(NamedTuple):
    """What there is to know of a title as the catalog completes it, whatever list it stands in."""

    name: str
    year: int | None
    form: str
    """Normal form of the name."""
    catalog_index: int
    """Position in the catalog; -1 if it may not be recommended."""
    number: int
    """How many titles had been met before."""


class MetTitles(dict[tuple[str, int | None], MetTitle]):
    """The titles that were met, by name and year; a policy names the same ones over and over."""

    def __init__(self, catalog: Catalog) -> None:
        """Begin with none.

        Args:
            catalog: The titles that may be recommended.
        """
        super().__init__()
        self._catalog = catalog

    def __missing__(self, title: tuple[str, int | None]) -> MetTitle:
        """Look a title up in the catalog the first time that it is met."""
        index, (name, year), _ = self._catalog.match(*title)
        met = MetTitle(name, year, normal_form(name), -1 if index is None else index, len(self))
        self[title] = met
        return met

    def of(self, items: Iterable[ParsedItem]) -> list[MetTitle]:
        """Return what is known of the title at each rank."""
        if len(self) > _REMEMBERED:
            self.clear()
        return [self[(item.name, item.year) if item.readable else _UNREADABLE] for item in items]


def repeats(titles: Iterable[MetTitle]) -> list[bool]:
    """Return, for each title of one list in rank order, whether an earlier rank names it.

    Titles of one catalog entry are the same; outside the catalog, those of one normal form and year are.
    """
    named: set[int | tuple[str, int | None]] = set()
    repeated = []
    for title in titles:
        key = title.catalog_index if title.catalog_index >= 0 else (title.form, title.year)
        repeated.append(key in named and title.form != "")
        named.add(key)
    return repeated


def hits(titles: Iterable[MetTitle], record: Record, tolerance: int) -> list[bool]:
    """Return, for each title of one list in rank order, whether it hits what is left of the ground truth."""
    left = set(range(len(record.groundtruth)))
    entries: set[int] = set()  # of the catalog that were hit
    matches = []
    for title in titles:
        relevant = record.truth_near(title.name, title.year, tolerance) if title.catalog_index >= 0 else []
        matched = next((index for index in relevant if index in left), None)
        hit = (
            matched is not None
            and title.catalog_index not in entries
            and not record.has_seen(title.name, title.year, tolerance)
        )
        if hit and matched is not None:
            left.remove(matched)
            entries.add(title.catalog_index)
        matches.append(hit)
    return matches
