"""Which entry of a catalog is written exactly like a title; a title of the catalog takes twelve bytes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xxhash

from saferec_core.data.titles import Title

__all__ = ["Spellings"]


class Spellings:
    """Finds the entry with the name and the year of a title, to the letter."""

    def __init__(self, titles: Sequence[Title]) -> None:
        """Look among *titles*, the catalog."""
        hashes = np.fromiter(map(_hash_of, titles), dtype=np.uint64, count=len(titles))
        self._titles = titles
        self._positions = np.argsort(hashes, kind="stable").astype(np.int32)
        self._hashes = hashes[self._positions]

    def find(self, title: Title) -> int | None:
        """Return the position of the last entry that is written so; None if there is none."""
        asked = np.uint64(_hash_of(title))
        first, end = (int(self._hashes.searchsorted(asked, side)) for side in ("left", "right"))
        same = self._positions[first:end][::-1].tolist()
        return next((position for position in same if self._titles[position] == title), None)


def _hash_of(title: Title) -> int:
    return xxhash.xxh3_64_intdigest(f"{title.year}\0{title.name}".encode(errors="surrogatepass"))
