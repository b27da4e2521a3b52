"""Limits: constraints that carry a number, such as ``runtime<=100``."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Literal, NamedTuple

__all__ = ["AllLimits", "Limit", "limit_of"]

_LIMIT = re.compile(r"(runtime<=|year>=)(\d{1,4})")

Quantity = Literal["runtime", "year"]


class Limit(NamedTuple):
    """The most minutes that a film may last, or the first year that it may be of."""

    quantity: Quantity
    number: int

    def __str__(self) -> str:
        return f"{self.quantity}{'<=' if self.quantity == 'runtime' else '>='}{self.number}"

    def violated_by(self, value: int) -> bool:
        """Tell whether a running time or a year is beyond the limit."""
        return value > self.number if self.quantity == "runtime" else value < self.number


def limit_of(constraint: str) -> Limit | None:
    """Read a constraint such as ``runtime<=100``; None if it is something else."""
    match = _LIMIT.fullmatch(constraint)
    if match is None:
        return None
    return Limit("runtime" if match[1] == "runtime<=" else "year", int(match[2]))


class AllLimits(Collection[str]):
    """Every limit there may be: it answers ``in`` for all of them, and lists an example of each kind."""

    _EXAMPLES = ("runtime<=100", "year>=1990")

    def __contains__(self, constraint: object) -> bool:
        return isinstance(constraint, str) and limit_of(constraint) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._EXAMPLES)

    def __len__(self) -> int:
        return len(self._EXAMPLES)
