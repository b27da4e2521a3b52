"""Titles of several sources, and of aliases, become one entry for each film."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import NamedTuple

from saferec_core.data.titles import Title, normal_form
from saferec_core.oracle_files.format import OracleTitle
from saferec_core.plugins.contracts.evidence import Finding
from saferec_core.plugins.contracts.oracle import Evidence

__all__ = ["AliasCounts", "SourceTitles", "TitleJoin"]

_DETAILS = 5
"""How many different details of one source, title and trait are kept."""

_Key = tuple[str, int]
"""Normal form and year."""


def _key(title: Title) -> _Key:
    assert title.year is not None, "a source without years is refused"
    return normal_form(title.name), title.year


class SourceTitles:
    """What one source says, put together by title; rows of one title are taken together."""

    def __init__(self, source: str) -> None:
        """Begin with nothing; *source* is the name that the evidence will have."""
        self.source = source
        self._titles: dict[_Key, Title] = {}
        self._told: dict[_Key, dict[str, tuple[float, list[str]]]] = {}

    def __len__(self) -> int:
        return len(self._titles)

    def __iter__(self) -> Iterator[tuple[_Key, Title]]:
        return iter(self._titles.items())

    def add(self, title: Title, findings: Iterable[Finding]) -> None:
        """Take in what a row says; of findings on one trait the highest risk counts."""
        key = _key(title)
        self._titles.setdefault(key, title)
        told = self._told.setdefault(key, {})
        for finding in findings:
            risk, details = told.get(finding.trait, (-1.0, []))
            if finding.risk > risk:
                told[finding.trait] = (finding.risk, [finding.detail])
            elif finding.risk == risk and finding.detail not in details:
                details.append(finding.detail)

    def title(self, key: _Key) -> Title:
        """Return a title as its first row wrote it."""
        return self._titles[key]

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


class AliasCounts(NamedTuple):
    """What became of the further names that could not be given."""

    unknown: int
    """Names of a title that no source knows."""
    collisions: int
    """Names that stand for another title, since one source has both."""


@dataclass(slots=True)
class _Entry:
    """A film: what it is called where."""

    members: list[tuple[int, _Key]] = field(default_factory=list)
    """Place of a source, and what it calls the film; each source calls it once."""
    keys: list[_Key] = field(default_factory=list)
    """Everything that it is found under."""
    aliases: list[Title] = field(default_factory=list)

    @property
    def years(self) -> list[int]:
        return [year for _, (_, year) in self.members]


class TitleJoin:
    """Joins sources; what is joined does not depend on their order.

    Two titles are one film if their normal forms agree and so do their years, or else nearly: the
    nearest years go first, no two years of a film are further apart than the tolerance, and two
    titles that one source tells apart are never joined, by year or by an alias.
    """

    def __init__(self, *, tolerance: int) -> None:
        """Begin with nothing; by *tolerance* years sources may differ about a film."""
        self.tolerance = tolerance
        self._alias_names: list[tuple[Title, Title]] = []
        self._sources: list[SourceTitles] = []
        self._found: dict[str, dict[int, _Entry]] = {}

    def add_alias(self, title: Title, alias: Title) -> None:
        """Note a further name of a title."""
        self._alias_names.append((title, alias))

    def add(self, titles: SourceTitles) -> None:
        """Take in all that a source says; of the names of a film that of the first source counts."""
        for key, _ in titles:
            entry = self._found.setdefault(key[0], {}).setdefault(key[1], _Entry(keys=[key]))
            entry.members.append((len(self._sources), key))
        self._sources.append(titles)

    def join(self) -> AliasCounts:
        """Join what has been added, first by the years and then by the aliases; to be called once."""
        for found in self._found.values():
            near = [(b - a, a, b) for a, b in combinations(sorted(found), 2) if b - a <= self.tolerance]
            for _, earlier, later in sorted(near):
                years = found[earlier].years + found[later].years
                if max(years) - min(years) <= self.tolerance:
                    self._merge(found[earlier], found[later])
        unknown = collisions = 0
        for title, alias in self._alias_names:
            entry, other = self._nearest(_key(title)), self._entry(_key(alias))
            if entry is None and other is None:
                unknown += 1
            elif entry is None and other is not None:
                self._find_under(_key(title), other)
                other.aliases.append(title)
            elif entry is not None and other is None:
                entry.aliases.append(alias)
            elif entry is not None and other is not None and not self._merge(entry, other):
                collisions += 1
        return AliasCounts(unknown, collisions)

    def titles(self, traits: Sequence[str], sources: Sequence[str]) -> list[OracleTitle]:
        """Return the entries by normal form and year, their evidence by trait, risk and source."""
        trait_places = {trait: place for place, trait in enumerate(traits)}
        source_places = {source: place for place, source in enumerate(sources)}

        def place(told: Evidence) -> tuple[int, float, int]:
            return trait_places[told.trait], -told.risk, source_places[told.source]

        entries = {id(entry): entry for found in self._found.values() for entry in found.values()}
        made = [self._made(entry, place) for entry in entries.values()]
        return sorted(made, key=lambda entry: (*_key(entry.title), entry.title.name))

    def _made(self, entry: _Entry, place: Callable[[Evidence], tuple[int, float, int]]) -> OracleTitle:
        names: dict[_Key, Title] = {}
        evidence: list[Evidence] = []
        for source, key in sorted(entry.members):
            names.setdefault(key, self._sources[source].title(key))
            evidence.extend(self._sources[source].evidence(key))
        title, *others = names.values()
        others += [alias for alias in entry.aliases if alias != title]
        return OracleTitle(title, tuple(sorted(evidence, key=place)), tuple(dict.fromkeys(others)))

    def _merge(self, entry: _Entry, other: _Entry) -> bool:
        """Make two entries one, unless one source has both; return whether they are one now."""
        if entry is other:
            return True
        if {source for source, _ in entry.members} & {source for source, _ in other.members}:
            return False
        entry.members += other.members
        entry.aliases += other.aliases
        for key in other.keys:
            self._find_under(key, entry)
        return True

    def _find_under(self, key: _Key, entry: _Entry) -> None:
        self._found.setdefault(key[0], {})[key[1]] = entry
        entry.keys.append(key)

    def _entry(self, key: _Key) -> _Entry | None:
        return self._found.get(key[0], {}).get(key[1])

    def _nearest(self, key: _Key) -> _Entry | None:
        """Find the entry of the nearest year within the tolerance; earlier years win ties."""
        found = self._found.get(key[0], {})
        near = [(abs(year - key[1]), year) for year in found if abs(year - key[1]) <= self.tolerance]
        return found[min(near)[1]] if near else None
