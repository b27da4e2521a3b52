"""Collect what is wrong, instead of stopping at the first thing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from saferec_core.errors import SaferecError

__all__ = ["Problems"]


class Problems:
    """Problems of a configuration, each one line that names the flag and what to do."""

    def __init__(self) -> None:
        """Begin with none."""
        self.lines: list[str] = []

    def add(self, line: str) -> None:
        """Note a problem, once."""
        if line not in self.lines:
            self.lines.append(line)

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Note what is raised within as a problem, and continue after it."""
        try:
            yield
        except SaferecError as error:
            for line in str(error).splitlines():
                self.add(line)
