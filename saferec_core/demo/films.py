"""The films of the demo: a small table of facts that ships with the package."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib.resources import files

from saferec_core.data.titles import Title

__all__ = ["Film", "load_films"]


@dataclass(frozen=True, slots=True)
class Film:
    """One row of ``films.csv``, whose source and license ``ATTRIBUTION.md`` states."""

    title: Title
    mpaa: str
    """Rating by the Motion Picture Association: G, PG, PG-13 or R."""
    genres: frozenset[str]
    reviews: int
    """Number of critics' reviews, taken for popularity."""


def load_films() -> tuple[Film, ...]:
    """Read the table that ships with the package, most popular film first."""
    table = (files(__package__) / "films.csv").read_text(encoding="utf-8")
    return tuple(
        Film(
            title=Title(row["title"], int(row["year"])),
            mpaa=row["mpaa"],
            genres=frozenset(row["genres"].split("|")),
            reviews=int(row["reviews"]),
        )
        for row in csv.DictReader(table.splitlines())
    )
