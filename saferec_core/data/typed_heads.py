"""Headers that give each column a type, as in RecBole's atomic files (``.inter``, ``.item``)."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["is_typed_head", "untyped"]

_TYPED = re.compile(r"\s*\w+:(token|token_seq|float|float_seq)\s*")
_SEPARATOR = re.compile("[\t,;|]")

_NAMES = {
    "user_id": "userId",
    "item_id": "movieId",
    "movie_title": "title",
    "release_year": "year",
    "genre": "genres",
    "class": "genres",
}
"""Names of RecBole's film fields, and the names that MovieLens and saferec use for them."""


def is_typed_head(line: str) -> bool:
    """Return whether a line is such a head, separated by tabs or as a table is."""
    return _all_typed(_SEPARATOR.split(line.strip()))


def untyped(names: Sequence[str]) -> list[str]:
    """Return the names of a head without types, in MovieLens' words; any other head as it is."""
    if not _all_typed(names):
        return list(names)
    bare = [name.partition(":")[0] for name in names]
    renamed = [_NAMES.get(name, name) for name in bare]
    return renamed if len(set(renamed)) == len(renamed) else bare


def _all_typed(names: Sequence[str]) -> bool:
    return all(_TYPED.fullmatch(name) for name in names)
