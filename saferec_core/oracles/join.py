"""Titles of several sources, and of aliases, become one entry for each film."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from saferec_core.evidence import Finding
from saferec_core.lists import Title
from saferec_core.oracle import Evidence
from saferec_core.oracles.file import OracleTitle
from saferec_core.titles import normal_form

__all__ = ["SourceTitles", "TitleJoin"]

_DETAILS = 5
"""How many different details of one source, title and trait are kept."""

_Key = tuple[str, int]
"""Normal form and year."""


def _key(title: Title) -> _Key:
    return normal_form(title.name), title.year


class SourceTitles:
    """What one source says, put together by title; rows of one title are taken together."""

    def __init__(self, source: str, aliases: Mapping[_Key, Title]) -> None:
        """Begin with nothing.

        Args:
            source: Its name, which the evidence will have.
            aliases: Titles that are known under these keys as well, as `TitleJoin.aliases` has them.
        """
        self.source = source
        self._aliases = aliases
        self._titles: dict[_Key, Title] = {}
        self._told: dict[_Key, dict[str, tuple[float, list[str]]]] = {}

    def __len__(self) -> int:
        return len(self._titles)

    def __iter__(self) -> Iterator[tuple[_Key, Title]]:
        return iter(self._titles.items())

    def add(self, title: Title, findings: Iterable[Finding]) -> None:
        """Take in what a row says; of findings on one trait the highest risk counts."""
        title = self._aliases.get(_key(title), title)
        key = _key(title)
        self._titles.setdefault(key, title)
        told = self._told.setdefault(key, {})
        for finding in findings:
            risk, details = told.get(finding.trait, (-1.0, []))
            if finding.risk > risk:
                told[finding.trait] = (finding.risk, [finding.detail])
            elif finding.risk == risk and finding.detail not in details:
                details.append(finding.detail)

    def evidence(self, key: _Key) -> Iterator[Evidence]:
        """Yield what the source says about a title, one piece for each trait."""
        for trait, (risk, details) in self._told[key].items():
            more = len(details) - _DETAILS
            text = "; ".join(details[:_DETAILS]) + (f"; and {more} more" if more > 0 else "")
            yield Evidence(trait, risk, self.source, text)

    def findings(self) -> dict[str, int]:
        """Count the titles that the source says something about, by trait."""
        counts: dict[str, int] = {}
        for told in self._told.values():
            for trait in told:
                counts[trait] = counts.get(trait, 0) + 1
        return counts


@dataclass
class _Entry:
    title: Title
    evidence: list[Evidence] = field(default_factory=list)
    other_names: list[Title] = field(default_factory=list)


class TitleJoin:
    """Joins sources one after the other.

    Two titles are one film if their normal forms agree and so do their years, or else nearly: an
    exact year goes first, and two titles that one source tells apart are never joined.
    """

    def __init__(self, *, tolerance: int) -> None:
        """Begin with nothing; by *tolerance* years sources may differ about a film."""
        self.tolerance = tolerance
        self.aliases: dict[_Key, Title] = {}
        """The title that a further name stands for, by the name's key."""
        self._alias_names: list[tuple[Title, Title]] = []
        self._entries: list[_Entry] = []
        self._years: dict[str, dict[int, int]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def add_alias(self, title: Title, alias: Title) -> None:
        """Note a further name of a title; to be called before the sources are read."""
        self.aliases.setdefault(_key(alias), title)
        self._alias_names.append((title, alias))

    def add(self, titles: SourceTitles) -> None:
        """Take in all that a source says."""
        places: dict[_Key, int] = {}
        for key, _ in titles:
            place = self._years.get(key[0], {}).get(key[1])
            if place is not None:
                places[key] = place
        taken = set(places.values())
        for key, title in titles:
            if key not in places:
                near = self._nearest(key, taken)
                places[key] = self._new_entry(title) if near is None else near
                taken.add(places[key])
        for key, title in titles:
            entry, years = self._entries[places[key]], self._years[key[0]]
            if key[1] not in years:
                years[key[1]] = places[key]
                entry.other_names.append(title)
            entry.evidence.extend(titles.evidence(key))

    def apply_aliases(self) -> int:
        """Give the entries their further names, and return how many names are of no known title."""
        unknown = 0
        for title, alias in self._alias_names:
            key = _key(title)
            place = self._years.get(key[0], {}).get(key[1])
            place = self._nearest(key, set()) if place is None else place
            if place is None:
                unknown += 1
            else:
                self._entries[place].other_names.append(alias)
        return unknown

    def titles(self, traits: Sequence[str], sources: Sequence[str]) -> list[OracleTitle]:
        """Return the entries by normal form and year, their evidence by trait, risk and source."""
        trait_places = {trait: place for place, trait in enumerate(traits)}
        source_places = {source: place for place, source in enumerate(sources)}

        def place(told: Evidence) -> tuple[int, float, int]:
            return trait_places[told.trait], -told.risk, source_places[told.source]

        ordered = sorted(self._entries, key=lambda entry: (*_key(entry.title), entry.title.name))
        return [
            OracleTitle(
                entry.title,
                tuple(sorted(entry.evidence, key=place)),
                tuple(dict.fromkeys(name for name in entry.other_names if name != entry.title)),
            )
            for entry in ordered
        ]

    def _nearest(self, key: _Key, taken: set[int]) -> int | None:
        """Find the entry of the nearest year within the tolerance; earlier years win ties."""
        form, year = key
        near = [
            (abs(known - year), known, place)
            for known, place in self._years.get(form, {}).items()
            if abs(known - year) <= self.tolerance and place not in taken
        ]
        return min(near)[2] if near else None

    def _new_entry(self, title: Title) -> int:
        form, year = _key(title)
        place = len(self._entries)
        self._entries.append(_Entry(title))
        self._years.setdefault(form, {})[year] = place
        return place
