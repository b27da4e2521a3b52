"""Which titles are named together, and how often each is named: learned once from all samples."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from random import Random
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import xxhash

__all__ = ["CoMentions", "Mentions", "Own", "drawn_in_order"]

Positions = npt.NDArray[np.int32]

USERS_PER_TITLE = 256
"""Users that are looked at for a title, at most; chosen by hash."""

TITLES_PER_USER = 64
"""Titles of a user that count as named together, at most; chosen by hash."""

NEIGHBORS = 64
"""Titles kept as neighbors of a title: those that most users name together with it."""

_MIX = np.uint64(0x9E3779B97F4A7C15)


class Mentions:
    """Collects who names what, at twelve bytes a mention."""

    def __init__(self) -> None:
        """Start empty."""
        self._users = array("Q")
        self._titles = array("i")

    def add(self, user: str, titles: Iterable[int]) -> None:
        """Note that *user* names the *titles*, positions in the catalog."""
        before = len(self._titles)
        self._titles.extend(titles)
        self._users.extend([_hash_of(user)] * (len(self._titles) - before))

    def learned(self, num_titles: int) -> CoMentions:
        """Return what follows from all mentions, in whatever order they came."""
        users = np.frombuffer(self._users, dtype=np.uint64) if self._users else np.zeros(0, np.uint64)
        titles = np.frombuffer(self._titles, dtype=np.int32) if self._titles else np.zeros(0, np.int32)
        # Sorted, a mention that is repeated stands beside its first one, wherever the rows came from.
        order = np.lexsort((titles, users))
        users, titles = users[order], titles[order]
        first = np.ones(len(users), dtype=bool)
        first[1:] = (users[1:] != users[:-1]) | (titles[1:] != titles[:-1])
        return CoMentions(users[first], titles[first], num_titles)


class Own(NamedTuple):
    """What one user names, to be left out of the count."""

    user_index: int
    """Index of the user; past the last one for a user who names nothing."""
    titles: frozenset[int]


class CoMentions:
    """How many users name each title, and each two titles together.

    A user's own mentions can be excluded from the count, so that a sample does not count for itself.
    """

    def __init__(self, users: npt.NDArray[np.uint64], titles: Positions, num_titles: int) -> None:
        """Count mentions.

        Args:
            users: Hash of who names a title, sorted.
            titles: What is named, no title twice by one user.
            num_titles: Titles that the catalog has.
        """
        counts = np.bincount(titles, minlength=num_titles)
        self.users_of = _compact(counts)
        """How many users name each title."""
        self.by_popularity = _compact(np.argsort(-counts, kind="stable"))
        """All titles, those that most users name first."""

        # A user's titles in pseudorandom order, so that a cut does not prefer early entries of the catalog.
        mixed = (titles.astype(np.uint64) + np.uint64(1)) * _MIX ^ users
        order = np.lexsort((mixed, users))
        users, titles = users[order], titles[order]
        self._users, starts = np.unique(users, return_index=True)
        lengths = np.diff(np.append(starts, len(users)))
        number_of_user = np.arange(len(users)) - np.repeat(starts, lengths)
        kept = number_of_user < TITLES_PER_USER
        owners = np.repeat(np.arange(len(starts)), lengths)[kept].astype(np.int32)
        self._titles: Positions = titles[kept]
        self._starts = np.append(0, np.cumsum(np.minimum(lengths, TITLES_PER_USER)))

        by_title = np.argsort(self._titles, kind="stable")  # users stay sorted by hash: as good as random
        self._owners: Positions = owners[by_title]
        ends = np.cumsum(np.bincount(self._titles, minlength=num_titles))
        self._title_starts = np.append(0, ends)
        self._title_ends = np.minimum(ends, self._title_starts[:-1] + USERS_PER_TITLE)
        self._company: dict[int, dict[int, int]] = {}

    def of(self, user: str) -> Own:
        """Return what counts as named together by *user*."""
        asked = np.uint64(_hash_of(user))
        user_index = int(self._users.searchsorted(asked))
        if user_index < len(self._users) and self._users[user_index] == asked:
            return Own(user_index, frozenset(self._titles_at(user_index).tolist()))
        return Own(len(self._users), frozenset())

    def together(self, anchors: Iterable[int], *, apart_from: Own) -> dict[int, int]:
        """Return, for each title in company of the *anchors*, how many users name both, summed up.

        Args:
            anchors: Titles that the others should match.
            apart_from: Mentions that do not count.
        """
        times: dict[int, int] = {}
        get = times.get
        for anchor in anchors:
            company = self._company_of(anchor)
            for title, count in company.items():
                times[title] = get(title, 0) + count
            # The user's own basket is in the count only if it was among those looked at for the anchor.
            if anchor in apart_from.titles and apart_from.user_index <= self._looked_at(anchor)[-1]:
                for title in apart_from.titles & company.keys():
                    times[title] -= 1
        return {title: count for title, count in times.items() if count} if apart_from.titles else times

    def _company_of(self, title: int) -> dict[int, int]:
        company = self._company.get(title)
        if company is None:
            baskets = [self._titles_at(user_index) for user_index in self._looked_at(title).tolist()]
            titles, counts = np.unique(np.concatenate([*baskets, _NONE]), return_counts=True)
            others = titles != title
            titles, counts = titles[others], counts[others]
            # Ties by position, so that the cut does not depend on the order of the baskets.
            best = np.lexsort((titles, -counts))[:NEIGHBORS]
            company = dict(zip(titles[best].tolist(), counts[best].tolist(), strict=True))
            self._company[title] = company
        return company

    def _looked_at(self, title: int) -> Positions:
        """Return the indices of the users who are looked at for a title, in order."""
        return self._owners[self._title_starts[title] : self._title_ends[title]]

    def _titles_at(self, user_index: int) -> Positions:
        return self._titles[self._starts[user_index] : self._starts[user_index + 1]]


def drawn_in_order(weights: Mapping[int, int], rng: Random) -> list[int]:
    """Return titles in the order of draws without replacement, each in proportion to its weight.

    After Efraimidis and Spirakis, Weighted random sampling with a reservoir (2006).
    """
    draw = rng.random
    keys = {title: draw() ** (1 / weight) for title, weight in weights.items()}
    return sorted(keys, key=keys.__getitem__, reverse=True)


def _compact(numbers: npt.NDArray[np.int64]) -> array[int]:
    """Return numbers below 2**31 in four bytes each, read faster one by one than those of numpy."""
    return array("i", numbers.astype(np.int32).tobytes())


_NONE: Positions = np.zeros(0, dtype=np.int32)


def _hash_of(user: str) -> int:
    return xxhash.xxh3_64_intdigest(user.encode("utf-8", errors="surrogatepass"))
