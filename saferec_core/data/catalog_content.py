"""What a catalog consists of, in memory or mapped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from saferec_core.data.title_subtitles import SubtitleLookup
from saferec_core.data.title_tiers import NamedEntry, Tiers
from saferec_core.data.titles import Title

__all__ = ["CatalogContent", "TitleLookup"]


class TitleLookup(Protocol):
    """Finds titles as a `saferec_core.data.titles.TitleIndex` does, whatever it keeps them in."""

    def find(self, name: str, year: int | None, *, tolerance: int) -> int | None:
        """Look up a title."""

    def named(self, form: str) -> Sequence[NamedEntry]:
        """Return each name of an entry that has this normal form."""

    def tiers(self, name: str, year: int | None, *, tolerance: int) -> Tiers:
        """Return all positions that may be meant by a title."""

    def years_of(self, name: str) -> Sequence[int | None]:
        """Return the years of all entries with this name."""


@dataclass(frozen=True)
class CatalogContent:
    """Titles with their further names and ids, and how they are looked up."""

    titles: Sequence[Title]
    aliases: Mapping[int, Sequence[str]]
    ids: Mapping[int, str]
    index: TitleLookup
    subtitles: SubtitleLookup
