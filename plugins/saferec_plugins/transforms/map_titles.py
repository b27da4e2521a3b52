"""Maps titles to the entries of the catalog."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from saferec_core.data.records import Record, seen_titles_of, titles_of
from saferec_core.data.rows import Row
from saferec_core.data.titles import Title
from saferec_core.plugins.build import chosen_catalog
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.transform import Counted, Outcome, Transform
from saferec_plugins.transforms.title_matching import How, Match, TitleMatcher
from saferec_plugins.transforms.title_spelling import SpellingSearch, rapidfuzz

__all__ = ["MapTitles"]

TRUTH, SEEN, UNMAPPED = "groundtruth_with_release_year", "seen_titles", "groundtruth_unmapped"


@component
class MapTitles(Transform):
    """Maps the ground truth and the history to the entries of the catalog, as it writes them.

    A title is looked up by its names and its year: the same year, else the nearest within the tolerance for
    the very same name. Then the only entry of the year that has the title with a subtitle, or without its
    own, is taken. Ground truth without a year is mapped if one entry alone has its name; a title of the
    history without a year stays as it is and matches every year. Where several entries of one year
    fit equally well, the first is taken and the title is counted as ambiguous; where entries of two years
    do, it is not mapped.

    Ground truth that the catalog does not have goes to ``groundtruth_unmapped``; a title of the
    history stays as it is. Titles that turn out to be the same are merged, and ground truth that the
    user has seen already is left out.
    """

    catalog_path: Path
    """Titles that may be recommended: any file with title and year, or a data-only pickle."""
    year_tolerance: int = Field(default=2, ge=0)
    """Maximum difference in release year, in years, when matching titles."""
    subtitles: bool = True
    """Map "Jumanji" (2017) to "Jumanji: Welcome to the Jungle" (2017) if no other entry of 2017 begins so,
    and the other way round; counted as a stage of its own."""
    fuzzy: bool = False
    """Also match misspelled titles, with rapidfuzz; the column ``titles_fuzzy`` lists them. The year must be
    within the tolerance, numbers must agree, and no other title may be nearly as similar."""
    min_score: float = Field(default=92, gt=0, le=100)
    """Minimum similarity of misspelled names, out of 100."""
    unmapped: Literal["remove", "keep"] = "remove"
    """Whether ground truth that the catalog does not have is removed from the ground truth."""

    def __post_init__(self) -> None:
        if self.fuzzy:
            rapidfuzz()  # to fail now, not after hours

    def __call__(self, rows: Iterable[Row]) -> Iterator[Outcome]:
        """Map the titles of every row."""
        for row in rows:
            mapping = _Mapping(self._matcher)
            mapped = self._mapped(row, mapping)
            for (what, example, group), times in mapping.counts.items():
                yield Counted(what, times, example, group)
            yield mapped

    def _mapped(self, row: Row, mapping: _Mapping) -> Row:
        mapped = dict(row)
        history = list(dict.fromkeys(mapping.of_history(title) for title in seen_titles_of(row)))
        if row.get(SEEN) is not None:
            mapped[SEEN] = [[title, None] if isinstance(title, str) else list(title) for title in history]
        if row.get(TRUTH) is not None:
            truth, unmapped = self._truth(row, history, mapping)
            mapped[TRUTH] = [list(title) for title in truth]
            mapped[UNMAPPED] = [{"title": title.name, "year": title.year} for title in unmapped]
        if self.fuzzy:
            mapped["titles_fuzzy"] = mapping.misspelled
        return mapped

    def _truth(
        self, row: Row, history: list[Title | str], mapping: _Mapping
    ) -> tuple[list[Title], list[Title]]:
        """Return the ground truth, and what of it the catalog does not have."""
        user = Record(prompt=(), seen_titles=tuple(history))
        truth: dict[Title, None] = {}
        unmapped = dict.fromkeys(titles_of(row, UNMAPPED))
        for title in titles_of(row):
            entry = mapping.of_truth(title)
            if entry is None:
                unmapped[title] = None
                if self.unmapped == "remove":
                    continue
            meant = entry or title
            if meant in truth:
                mapping.count("ground truth: named twice", str(meant))
            elif user.has_seen(meant.name, meant.year, self.year_tolerance):
                mapping.count("ground truth: removed, since the user has seen it", str(meant))
            else:
                truth[meant] = None
        return list(truth), list(unmapped)

    @cached_property
    def _matcher(self) -> TitleMatcher:
        catalog = chosen_catalog(self.catalog_path, match_subtitles=self.subtitles)
        search = None
        if self.fuzzy:
            search = SpellingSearch(catalog.titles, tolerance=self.year_tolerance, min_score=self.min_score)
        return TitleMatcher(catalog, tolerance=self.year_tolerance, spelling=search)


class _Mapping:
    """Maps the titles of one row and counts the results."""

    def __init__(self, matcher: TitleMatcher) -> None:
        self._matcher = matcher
        self.counts: Counter[tuple[str, str | None, str]] = Counter()
        self.misspelled: list[dict[str, Any]] = []

    def count(self, what: str, example: str | None = None, group: str = "") -> None:
        self.counts[what, example, group] += 1

    def of_truth(self, title: Title) -> Title | None:
        return self._entry("ground truth", title)

    def of_history(self, title: Title | str) -> Title | str:
        if isinstance(title, str):
            self.count("history: without a year, not mapped", title, "history")
            return title
        return self._entry("history", title) or title

    def _entry(self, where: str, title: Title) -> Title | None:
        match = self._matcher.match(title)
        if match is None:
            self.count(f"{where}: unmapped", str(title), where)
            return None
        self.count(f"{where}: {match.how}", _example(title, match), where)
        if match.title is None:
            return None
        if match.score is not None:
            misspelling = {"from": str(title), "to": str(match.title), "score": match.score}
            if misspelling not in self.misspelled:
                self.misspelled.append(misspelling)
        return match.title


def _example(title: Title, match: Match) -> str | None:
    if match.how is How.EXACTLY:
        return None
    if match.title is None:
        return str(title)
    score = "" if match.score is None else f", {match.score:g}"
    return f"{title} -> {match.title}{score}"
