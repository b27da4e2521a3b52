"""Running times of films, by title and year."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from saferec_core.data.rows import read_rows, whole_year
from saferec_core.data.titles import Title, normal_form
from saferec_core.errors import DataError

__all__ = ["Runtimes"]


class Runtimes:
    """Minutes by normal form of the name and year."""

    def __init__(self, minutes: Mapping[str, Mapping[int, int]], year_tolerance: int) -> None:
        """Look *minutes* up for years that are off by no more than *year_tolerance*."""
        self._minutes = minutes
        self._year_tolerance = year_tolerance

    @classmethod
    def read(cls, path: Path, year_tolerance: int) -> Self:
        """Read a table with a row for each title.

        Raises:
            DataError: It cannot be read, or a row is damaged; the message names the row.
        """
        minutes: dict[str, dict[int, int]] = {}
        for number, row in enumerate(read_rows(path), start=1):
            where = f"{path}, row {number}"
            name = row.get("title")
            if not isinstance(name, str) or not name.strip():
                raise DataError(f"{where}: expected a title, but got {name!r}")
            title = Title(name, whole_year(row.get("year"), f"{where}: year"))
            runtime = whole_year(row.get("runtime"), f"{where}: runtime in minutes")
            minutes.setdefault(normal_form(name), {})[title.year or 0] = runtime
        return cls(minutes, year_tolerance)

    def of(self, name: str, year: int | None) -> int | None:
        """Return the running time of the nearest year within the tolerance, of two the longer."""
        of_name = self._minutes.get(normal_form(name), {})
        if year is None:
            return max(of_name.values(), default=None)
        near = sorted((abs(other - year), -minutes) for other, minutes in of_name.items())
        return -near[0][1] if near and near[0][0] <= self._year_tolerance else None
