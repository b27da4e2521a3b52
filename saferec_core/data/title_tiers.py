"""Entries that may be meant by a title, the nearest first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

__all__ = ["UNDATED", "NamedEntry", "Tiers", "by_nearness", "nearness", "the_one", "tiers_of"]

Tiers = Sequence[Sequence[int]]
"""Entries that are equally near stand together; those of the first tier agree best."""

UNDATED = 1 << 20
"""Distance, in years, of a title without a year from every year."""


class NamedEntry(NamedTuple):
    """A name of an entry, with the normal form that was looked up."""

    article: str
    """The English article in front of the name, or nothing."""
    year: int | None
    entry: int
    is_alias: bool = False
    """Whether the entry has another name of its own."""


def nearness(
    name: NamedEntry, *, article: str, year: int | None, tolerance: int
) -> tuple[int, bool, bool] | None:
    """Return how well an entry agrees with a title, smaller is better; None if it does not.

    The same year goes first, with the same article before another one. Another year within the
    *tolerance* counts only for the very same name, article included. A title without a year agrees
    with every year, but worse than any title that has one. Names go before aliases.
    """
    other_article = name.article != article
    if name.year is None or year is None:
        return (0 if name.year is year else UNDATED), other_article, name.is_alias
    distance = abs(name.year - year)
    if distance == 0 or (distance <= tolerance and not other_article):
        return distance, other_article, name.is_alias
    return None


def tiers_of(names: Iterable[NamedEntry], *, article: str, year: int | None, tolerance: int) -> Tiers:
    """Order entries by how well they agree; see `nearness`."""
    tiers = by_nearness(names, article=article, year=year, tolerance=tolerance)
    ranked: list[list[int]] = []
    met: set[int] = set()
    for near in sorted(tiers):
        new = [entry for entry in dict.fromkeys(name.entry for name in tiers[near]) if entry not in met]
        met.update(new)
        ranked += [new] if new else []
    return ranked


def by_nearness(
    names: Iterable[NamedEntry], *, article: str, year: int | None, tolerance: int
) -> dict[tuple[int, bool, bool], list[NamedEntry]]:
    """Return the names that agree, by how well they do; see `nearness`."""
    tiers: dict[tuple[int, bool, bool], list[NamedEntry]] = {}
    for name in names:
        near = nearness(name, article=article, year=year, tolerance=tolerance)
        if near is not None:
            tiers.setdefault(near, []).append(name)
    return tiers


def the_one(tiers: Mapping[tuple[int, bool, bool], Sequence[NamedEntry]]) -> int | None:
    """Return the entry that agrees best: the first of one year; None if two years are equally near.

    Args:
        tiers: What agrees, from `by_nearness`; not empty.
    """
    nearest = tiers[min(tiers)]
    return nearest[0].entry if len({name.year for name in nearest}) == 1 else None
