"""Evidence: what sources of content warnings say about titles, from which an oracle is built."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar, NamedTuple

from saferec_core.data.rows import Row
from saferec_core.data.titles import Title
from saferec_core.data.traits import Trait

__all__ = ["EvidenceSource", "Finding", "Findings"]


class Finding(NamedTuple):
    """What one source says about one title and one trait."""

    trait: str
    risk: float
    """In 0..1; 0 if the source looked and found nothing."""
    detail: str
    """What it rests on, for a reader: the words that matched, the question that was answered yes."""


class Findings(NamedTuple):
    """All that one row of a source says about its title."""

    title: Title
    findings: tuple[Finding, ...]
    """At most one for each trait. A trait that is missing was not looked at: the source does not
    make the title known for it."""
    id: str = ""
    """Identifies the work among others of its name and year, such as its id at IMDb; empty if the source has
    none. Two rows of one title that disagree and have no ids may be two works, and are kept apart."""
    is_part: bool = False
    """Whether other rows add to what is known of the same work, as where each row is one question."""
    notes: tuple[str, ...] = ()
    """What is odd about the row although it can be used; the card counts it by these words."""


class EvidenceSource(ABC):
    """Reads findings out of the rows of one file (JSONL, CSV, TSV or Parquet)."""

    by_model: ClassVar[bool] = False
    """Whether a model says it and not people: it then counts only where nothing else decides."""

    path: Path
    """The file that holds the rows; an option of every source."""

    @abstractmethod
    def __call__(self, rows: Iterable[Row], traits: Mapping[str, Trait]) -> Iterator[Findings]:
        """Yield the findings of each row, to the last one; a CSV's values are strings.

        A row that cannot be understood is rejected by raising a
        :class:`~saferec_core.errors.DataError`, which the builder notes with file and line before it
        continues with the next row.
        """

    def account(self) -> str:
        """Return what reading has cost, to be printed after the build; empty by default."""
        return ""
