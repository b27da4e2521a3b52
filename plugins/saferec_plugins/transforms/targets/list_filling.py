"""Fills lists: required titles first, then titles that match them."""

from __future__ import annotations

from array import array
from bisect import bisect
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import accumulate
from random import Random
from typing import NamedTuple

from saferec_core.data.titles import Title, name_keys
from saferec_plugins.transforms.targets.co_mentions import CoMentions, drawn_in_order

__all__ = ["ListFiller", "ListedTitle", "NamedTitles", "Source"]

DRAWS_PER_TITLE = 8
"""Draws by popularity for each title of a list; what is then missing is filled from the top."""


class NamedTitles:
    """Titles that must not be listed: seen ones, and those already in the list."""

    def __init__(self, seen: Iterable[Title | str], tolerance: int) -> None:
        """Start with the *seen* titles; one without a year matches every title of that name."""
        self._tolerance = tolerance
        self._years: dict[str, list[int | None]] = {}
        for title in seen:
            self.add(title)

    def add(self, title: Title | str) -> None:
        """Add a title, by each of its names."""
        name, year = (title, None) if isinstance(title, str) else title
        for key in name_keys(name):
            self._years.setdefault(key.form, []).append(year)

    def __contains__(self, title: Title) -> bool:
        name, asked = title
        return any(
            year is None or asked is None or abs(year - asked) <= self._tolerance
            for key in name_keys(name)
            for year in self._years.get(key.form, ())
        )


class Source(StrEnum):
    """The reason why a title is in a list."""

    TRUTH = "ground truth"
    TOGETHER = "named together with the ground truth or the history"
    POPULAR = "popular"
    REST = "the rest of the catalog"


class ListedTitle(NamedTuple):
    """A title of a list."""

    title: int
    """Position in the catalog."""
    source: Source


class ListFiller:
    """Fills lists with titles of a catalog by what was learned from the training samples."""

    def __init__(
        self, titles: Sequence[Title], learned: CoMentions, *, length: int, min_mentions: int
    ) -> None:
        """Prepare to fill lists.

        Args:
            titles: The catalog.
            learned: Co-mentions and popularity of titles.
            length: Titles of a list.
            min_mentions: Number of users who must name a title, unless nothing else is left.
        """
        self._titles = titles
        self._learned = learned
        self._length = length
        self._min_mentions = min_mentions
        self._popular = array(
            "i", (title for title in learned.by_popularity if learned.users_of[title] >= max(min_mentions, 1))
        )
        self._up_to = array("d", accumulate(map(learned.users_of.__getitem__, self._popular)))

    def filled(
        self,
        truth: Sequence[int],
        *,
        anchors: Iterable[int],
        user: str,
        allowed: bytes,
        named: NamedTitles,
        rng: Random,
    ) -> list[ListedTitle]:
        """Return a list of the wanted length, or a shorter one if there are too few titles.

        Args:
            truth: Titles that come first; they are in *named*.
            anchors: Titles that the list should match.
            user: The user, whose own mentions do not count.
            allowed: Whether a title may fill the list, a byte for each.
            named: Titles that must not be in it; the listed ones are added.
            rng: Source of the draws.
        """
        listed = [ListedTitle(title, Source.TRUTH) for title in truth[: self._length]]
        for title, source in self._candidates(anchors, user, rng):
            if len(listed) == self._length:
                break
            if allowed[title] and (entry := self._titles[title]) not in named:
                named.add(entry)
                listed.append(ListedTitle(title, source))
        return listed

    def _candidates(self, anchors: Iterable[int], user: str, rng: Random) -> Iterator[tuple[int, Source]]:
        mine = self._learned.of(user)
        own = mine.titles
        users_of = self._learned.users_of
        together = self._learned.together(anchors, apart_from=mine)
        for title in drawn_in_order(together, rng):
            if users_of[title] - (title in own) >= self._min_mentions:
                yield title, Source.TOGETHER
        if self._popular:
            for title in self._drawn_by_popularity(rng):
                others = users_of[title] - (title in own)
                if others >= self._min_mentions and (
                    title not in own or rng.random() * (others + 1) < others
                ):
                    yield title, Source.POPULAR
        yield from ((title, Source.POPULAR) for title in self._popular if title not in own)
        yield from ((title, Source.REST) for title in self._learned.by_popularity if title not in own)
        yield from ((title, Source.REST) for title in sorted(own))

    def _drawn_by_popularity(self, rng: Random) -> Iterator[int]:
        """Do as ``rng.choices``, but look up only as many of the drawn titles as are asked for."""
        draws = [rng.random() for _ in range(DRAWS_PER_TITLE * self._length)]
        total, last = self._up_to[-1], len(self._popular) - 1
        for draw in draws:
            yield self._popular[bisect(self._up_to, draw * total, 0, last)]
