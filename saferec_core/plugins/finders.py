"""How modules are found: a plugin's finders may follow those that were there, and not come before them."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from importlib.machinery import PathFinder
from typing import Any

__all__ = ["Finders", "finders", "put_back_finders"]


@dataclass(frozen=True)
class Finders:
    """The finders of modules at one moment; equal to others with the same ones before Python's own."""

    first: tuple[int, ...]
    """Identities of those down to Python's own, which a plugin's may follow."""
    finders: tuple[Any, ...] = field(compare=False)
    """All of them, in order."""

    def put_before(self, earlier: Finders) -> list[str]:
        """Return the names of finders that have come before Python's own since *earlier*."""
        added = set(self.first) - set(map(id, earlier.finders))
        return [_name(each) for each in self.finders if id(each) in added]


def finders() -> Finders:
    """Return the finders of modules as they are."""
    own = next((n for n, finder in enumerate(sys.meta_path) if finder is PathFinder), -1)
    return Finders(tuple(map(id, sys.meta_path[: own + 1])), tuple(sys.meta_path))


def put_back_finders(before: Finders) -> None:
    """Put back the finders that were there, and new ones behind them.

    Those that were put in front and fail at a strange name are dropped: every import of a module that may be
    missing would end with them.
    """
    known, in_front = set(map(id, before.finders)), set(finders().first)
    new = [finder for finder in sys.meta_path if id(finder) not in known]
    kept = [finder for finder in new if id(finder) not in in_front or _finds_nothing(finder)]
    sys.meta_path[:] = [*before.finders, *kept]


def _finds_nothing(finder: Any) -> bool:
    try:
        return finder.find_spec("saferec_that_nobody_has", None) is None
    except BaseException:  # noqa: BLE001 - of a plugin
        return False


def _name(finder: Any) -> str:
    cls = finder if isinstance(finder, type) else type(finder)
    return f"{cls.__module__}.{cls.__qualname__}"
