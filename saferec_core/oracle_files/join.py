"""Titles of several sources, and of aliases, become the entries of an oracle file, grouped by work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, count
from typing import NamedTuple

from saferec_core.data.titles import Title, article_of, name_keys, normal_form
from saferec_core.oracle_files.format import OracleTitle
from saferec_core.plugins.contracts.evidence import Finding, Findings
from saferec_core.plugins.contracts.oracle import Evidence

__all__ = ["AliasCounts", "SourceTitles", "TitleJoin"]

_DETAILS = 5
"""How many different details of one source, title and trait are kept."""


class _Key(NamedTuple):
    """Rows with equal keys belong to one entry."""

    form: str
    """Normal form of the name."""
    year: int
    """0 for a title without a year, which is nearer to no other than to one without."""
    article: str
    variant: str
    """Distinguishes works of one name and year: an id, else "#2" and so on; empty where there is one work."""


def _key(title: Title, variant: str = "") -> _Key:
    return _Key(normal_form(title.name), title.year or 0, article_of(title.name), variant)


@dataclass(slots=True)
class _Row:
    """The evidence of a source for one work."""

    title: Title
    id: str
    by_trait: dict[str, tuple[float, list[str]]] = field(default_factory=dict)
    """The highest risk for each trait, with its details."""

    def add(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            risk, details = self.by_trait.get(finding.trait, (-1.0, []))
            if finding.risk > risk:
                self.by_trait[finding.trait] = (finding.risk, [finding.detail])
            elif finding.risk == risk and finding.detail not in details:
                details.append(finding.detail)

    def agrees_with(self, findings: Iterable[Finding]) -> bool:
        return all(self.by_trait.get(new.trait, (new.risk,))[0] == new.risk for new in findings)


class SourceTitles:
    """The evidence of one source, grouped by work.

    Rows of one name and year are about one work if they have the same id, or have none and agree (or are
    marked as parts); otherwise they are kept apart, since they may be about two works.
    """

    def __init__(self, source: str) -> None:
        """Start empty; *source* is the name that the evidence will have."""
        self.source = source
        self._rows: dict[_Key, list[_Row]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._rows.values()))

    def __iter__(self) -> Iterator[_Key]:
        return iter(self._rows)

    def add(self, findings: Findings) -> None:
        """Add the findings of a row; of several findings on one trait the highest risk counts."""
        rows = self._rows.setdefault(_key(findings.title), [])
        same = (row for row in rows if row.id == findings.id)
        if not findings.id and not findings.is_part:
            same = (row for row in same if row.agrees_with(findings.findings))
        row = next(same, None)
        if row is None:
            row = _Row(findings.title, findings.id)
            rows.append(row)
        row.add(findings.findings)

    def works(self, key: _Key) -> Sequence[str]:
        """Return an id for each work that the source has under one name and year."""
        rows = self._rows.get(key._replace(variant=""), [])
        return [row.id or f"#{number}" for number, row in enumerate(rows, start=1)]

    def title(self, key: _Key) -> Title:
        """Return a title as its first row wrote it."""
        return self._rows[key._replace(variant="")][0].title

    def evidence(self, key: _Key, work: str) -> Iterator[Evidence]:
        """Yield the evidence of the source for a work, one piece for each trait."""
        rows = self._rows[key._replace(variant="")]
        for trait, (risk, details) in rows[self.works(key).index(work)].by_trait.items():
            more = len(details) - _DETAILS
            text = "; ".join(details[:_DETAILS]) + (f"; and {more} more" if more > 0 else "")
            yield Evidence(trait, risk, self.source, text)

    def findings(self) -> dict[str, int]:
        """Count the titles with evidence from the source, by trait."""
        counts: dict[str, int] = {}
        for rows in self._rows.values():
            for trait in {trait for row in rows for trait in row.by_trait}:
                counts[trait] = counts.get(trait, 0) + 1
        return counts


class AliasCounts(NamedTuple):
    """Counts of the aliases that could not be used."""

    unknown: int
    """Aliases of a title that no source has."""
    collisions: int
    """Aliases that are another title, since one source has both."""


class _Name(NamedTuple):
    """A name of an entry."""

    key: _Key
    article: str
    is_further: bool
    """Whether it is not the name as written, such as one in brackets."""


@dataclass(slots=True)
class _Work:
    """One work with its names."""

    keys: list[_Key]
    """Names and years under which sources have it; variants are left out."""
    aliases: list[Title] = field(default_factory=list)


class TitleJoin:
    """Joins sources; what is joined does not depend on their order.

    Every name and year is an entry of its own, with all evidence under it. Entries are one work if any of
    their names (see `name_keys`) agree in normal form and their years are equal, or if any name is the very
    same (articles included) and the years are within the tolerance. The nearest years are joined first, no
    two years of a work are further apart than the tolerance, and two titles that one source distinguishes are
    never joined, neither by year nor by alias.
    """

    def __init__(self, *, tolerance: int) -> None:
        """Start empty; *tolerance* is the maximum difference in release year, in years, between sources."""
        self.tolerance = tolerance
        self._alias_names: list[tuple[Title, Title]] = []
        self._sources: list[SourceTitles] = []
        self._works: dict[_Key, _Work] = {}

    def add_alias(self, title: Title, alias: Title) -> None:
        """Note a further name of a title."""
        self._alias_names.append((title, alias))

    def add(self, titles: SourceTitles) -> None:
        """Add a source; a work carries the name that its first source has for it."""
        for key in titles:
            self._works.setdefault(key, _Work([key]))
        self._sources.append(titles)

    def join(self) -> AliasCounts:
        """Join what has been added, first by the years and then by the aliases; to be called once."""
        named: dict[str, list[_Name]] = {}
        for key in self._works:
            for number, (form, article) in enumerate(name_keys(self._title(key).name)):
                named.setdefault(form, []).append(_Name(key, article, is_further=number > 0))
        pairs = {pair for names in named.values() for pair in self._pairs(names)}
        for _, _, earlier, later in sorted(pairs):
            years = [key.year for one in (earlier, later) for key in self._works[one].keys]
            if max(years) - min(years) <= self.tolerance:
                self._merge(self._works[earlier], self._works[later])
        unknown = collisions = 0
        for title, alias in self._alias_names:
            work, other = self._nearest(_key(title), named), self._works.get(_key(alias))
            if work is None and other is None:
                unknown += 1
            elif work is None and other is not None:
                other.aliases.append(title)
            elif work is not None and other is None:
                work.aliases.append(alias)
            elif work is not None and other is not None and not self._merge(work, other):
                collisions += 1
        return AliasCounts(unknown, collisions)

    def titles(self, traits: Sequence[str], sources: Sequence[str]) -> list[OracleTitle]:
        """Return the entries by normal form and year, their evidence by trait, risk and source."""
        trait_order = {trait: number for number, trait in enumerate(traits)}
        source_order = {source: number for number, source in enumerate(sources)}

        def order(evidence: Evidence) -> tuple[int, float, int]:
            return trait_order[evidence.trait], -evidence.risk, source_order[evidence.source]

        works = {id(work): work for work in self._works.values()}.values()
        numbers = count()
        entries: list[tuple[_Key, OracleTitle]] = []
        for work in sorted(works, key=lambda work: min(work.keys)):
            number = next(numbers)
            for key in sorted(work.keys):
                sources_with_it = [source for source in self._sources if source.works(key)]
                evidence_by_work = self._evidence_by_work(key, sources_with_it)
                for variant, evidence in evidence_by_work.items():
                    entry = OracleTitle(
                        sources_with_it[0].title(key),
                        tuple(sorted(evidence, key=order)),
                        self._further_names(work, key),
                        work=number if len(evidence_by_work) == 1 else next(numbers),
                        id="" if variant.startswith("#") else variant,
                    )
                    entries.append((key._replace(variant=variant), entry))
        return [entry for _, entry in sorted(entries, key=lambda entry: entry[0])]

    def _further_names(self, work: _Work, key: _Key) -> tuple[Title, ...]:
        """Return the work's further names: aliases, and names from other sources."""
        others = [other for other in work.keys if (other.form, other.article) != (key.form, key.article)]
        names = [source.title(other) for other in others for source in self._sources if source.works(other)]
        return tuple(alias for alias in dict.fromkeys([*work.aliases, *names]) if _key(alias) != key)

    def _evidence_by_work(self, key: _Key, having: Sequence[SourceTitles]) -> Mapping[str, list[Evidence]]:
        """Sort the evidence under one name and year by the works that any source distinguishes."""
        apart = [work for source in having if len(source.works(key)) > 1 for work in source.works(key)]
        by_work: dict[str, list[Evidence]] = {work: [] for work in dict.fromkeys(apart)} or {"": []}
        for source in having:
            for work in source.works(key):
                group = work if work in by_work else ""
                by_work.setdefault(group, []).extend(source.evidence(key, work))
        return by_work

    def _title(self, key: _Key) -> Title:
        return next(source.title(key) for source in self._sources if source.works(key))

    def _pairs(self, names: Sequence[_Name]) -> Iterator[tuple[int, bool, _Key, _Key]]:
        """Yield the entries with one normal form that may be one work, with the distance of their years.

        Of pairs with equal distances those that agree in the name as written go first.
        """
        for one, other in combinations(sorted(names), 2):
            distance = other.key.year - one.key.year
            if distance == 0 or (distance <= self.tolerance and one.article == other.article):
                yield distance, one.is_further or other.is_further, one.key, other.key

    def _merge(self, work: _Work, other: _Work) -> bool:
        """Make two works one, unless one source has both; return whether they are one now."""
        if work is other:
            return True
        for source in self._sources:
            if any(map(source.works, work.keys)) and any(map(source.works, other.keys)):
                return False
        work.keys += other.keys
        work.aliases += other.aliases
        for key in other.keys:
            self._works[key] = work
        return True

    def _nearest(self, key: _Key, named: Mapping[str, Sequence[_Name]]) -> _Work | None:
        """Find the work of the nearest year within the tolerance; earlier years win ties."""
        near = [
            (abs(name.key.year - key.year), name.is_further, name.key)
            for name in named.get(key.form, ())
            if abs(name.key.year - key.year) <= self.tolerance
        ]
        return self._works[min(near)[-1]] if near else None
