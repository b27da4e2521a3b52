"""Traits that carry a value: ``max_runtime=120``, ``language=fr``.

Such a constraint is a text like any other: in datasets, results and on the command line it is written
``NAME=VALUE``. An oracle that judges them states the names and the kind of their values, since it cannot list
them all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

__all__ = ["Parameter", "ParameterTraits"]

T = TypeVar("T")


@dataclass(frozen=True)
class Parameter(Generic[T]):
    """A trait that carries a value."""

    name: str
    """Text in front of the ``=``."""
    read: Callable[[str], T]
    """Turns the text of a value into the value, such as ``int``; refuses others with a ``ValueError``."""
    example: T
    """A value that is shown where the oracle's traits are listed, such as ``120``."""

    def constraint(self, value: T) -> str:
        """Write the trait with a value."""
        return f"{self.name}={value}"

    def value(self, constraint: str) -> T | None:
        """Return the value that a constraint carries; None if it is another trait or has no such value.

        A value has one spelling, that of ``str``: ``max_runtime=0120`` is not a second way to write 120.
        """
        name, _, text = constraint.partition("=")
        if name != self.name:
            return None
        try:
            value = self.read(text)
        except ValueError:
            return None
        return value if str(value) == text else None


class ParameterTraits(Collection[str]):
    """The traits of an oracle that judges parameters: ``in`` answers for every value they may have.

    What cannot be listed is shown by an example of each.
    """

    def __init__(self, *parameters: Parameter[Any], plain: Collection[str] = ()) -> None:
        """Collect what an oracle judges.

        Args:
            parameters: Traits that carry a value.
            plain: Traits that do not.
        """
        self._parameters = parameters
        self._plain = tuple(plain)

    def __contains__(self, constraint: object) -> bool:
        return constraint in self._plain or (
            isinstance(constraint, str)
            and any(parameter.value(constraint) is not None for parameter in self._parameters)
        )

    def __iter__(self) -> Iterator[str]:
        yield from self._plain
        for parameter in self._parameters:
            yield parameter.constraint(parameter.example)

    def __len__(self) -> int:
        return len(self._plain) + len(self._parameters)
