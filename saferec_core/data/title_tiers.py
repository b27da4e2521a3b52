"""Entries that may be meant by a title, the nearest first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

__all__ = ["NamedEntry", "Tiers", "tiers_of"]

Tiers = Sequence[Sequence[int]]
"""Entries that are equally near stand together; those of the first tier agree best."""


class NamedEntry(NamedTuple):
    """A name of an entry whose normal form agrees with what is asked."""

    article: str
    """The English article in front of the name, or nothing."""
    year: int
    entry: int
    is_alias: bool = False
    """Whether the entry has another name of its own."""


def tiers_of(names: Iterable[NamedEntry], *, article: str, year: int, tolerance: int) -> Tiers:
    """Order entries by how well they agree.

    The same year goes first, with the same article before another one. Another year within the
    *tolerance* counts only for the very same name, article included. Names go before aliases.
    """
    tiers: dict[tuple[int, bool, bool], list[int]] = {}
    for name in names:
        distance, other_article = abs(name.year - year), name.article != article
        if distance == 0 or (distance <= tolerance and not other_article):
            tiers.setdefault((distance, other_article, name.is_alias), []).append(name.entry)
    ranked: list[list[int]] = []
    met: set[int] = set()
    for nearness in sorted(tiers):
        new = [entry for entry in dict.fromkeys(tiers[nearness]) if entry not in met]
        met.update(new)
        ranked += [new] if new else []
    return ranked
