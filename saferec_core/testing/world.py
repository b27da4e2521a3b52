"""The small world that the checks take place in: eight titles, one user and an oracle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from saferec_core.data.catalog import Catalog
from saferec_core.data.records import Record
from saferec_core.data.titles import Title
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.oracle import Oracle
from saferec_core.plugins.contracts.parser import ParsedItem, ParsedList
from saferec_core.testing.stated_oracle import StatedOracle
from saferec_core.testing.titles import OUTSIDE, TITLES

__all__ = [
    "NUM_RANKS",
    "ORDINARY",
    "AskedColumns",
    "hostile_lists",
    "judged_lists",
    "listing",
    "world_record",
]

NUM_RANKS = 5
"""K in the checks of rewards and metrics."""

ORDINARY: Sequence[Sequence[Title]] = (
    TITLES[:5],
    TITLES[3:5],
    (TITLES[0], TITLES[0], OUTSIDE, TITLES[7]),
    (TITLES[6], TITLES[1], TITLES[2]),
    (OUTSIDE, TITLES[5], TITLES[4], TITLES[3], TITLES[2]),
    (TITLES[2],),
)
"""Lists as policies write them: some short, some with a repeated title or one outside of the catalog."""


class AskedColumns(dict[str, Any]):
    """The columns of a record, which note down what was asked for in vain."""

    def __init__(self, columns: Mapping[str, Any], missed: set[str]) -> None:
        """Hold *columns*; the names of others that somebody asks for are added to *missed*."""
        super().__init__(columns)
        self._missed = missed

    def __missing__(self, name: str) -> Any:
        self._missed.add(name)
        raise KeyError(name)

    def get(self, name: str, default: Any = None) -> Any:
        """Return a column, or *default* after noting that it is missing."""
        if name not in self:
            self._missed.add(name)
        return super().get(name, default)


def listing(titles: Sequence[Title]) -> ParsedList:
    """Return the parsed list of a completion with one ``Title (Year)`` a line."""
    items, start = [], 0
    for title in titles:
        end = start + len(str(title)) + 1
        items.append(ParsedItem(title.name, title.year, start, end, end - 1))
        start = end
    return ParsedList(tuple(items))


def world_record(columns: Mapping[str, Any] | None = None) -> Record:
    """Return the record of a user who likes the first three titles and wants no gore."""
    return Record(
        prompt=[{"role": "user", "content": "Films, please."}],
        groundtruth=TITLES[:3],
        constraints=("gore",),
        columns={} if columns is None else columns,
    )


def judged_lists(
    lists: Sequence[Sequence[Title] | ParsedList],
    *,
    num_ranks: int,
    record: Record | None = None,
    oracle: Oracle | None = None,
    catalog: Sequence[Title] = TITLES,
    bare: bool = False,
) -> JudgedLists:
    """Make what a reward or a metric is called with: *lists* that all answer one *record*.

    Args:
        lists: Lists of titles, or parsed lists.
        num_ranks: K, the ranks that are judged.
        record: What the lists answer; by default a user who likes the first three titles and wants no gore.
        oracle: Tells violations; by default one for which the films of odd years are gory.
        catalog: The titles that may be recommended.
        bare: Whether there is neither oracle nor popularity, as in a run that has none.
    """
    asked = oracle or StatedOracle(
        {title.name: ["gore"] if (title.year or 0) % 2 else [] for title in TITLES[:6]}, traits=["gore"]
    )
    judge = (
        Judge(Catalog(catalog))
        if bare
        else Judge(Catalog(catalog), asked, torch.linspace(0, 1, len(catalog)))
    )
    return JudgedLists(
        lists=[each if isinstance(each, ParsedList) else listing(each) for each in lists],
        records=[record or world_record()] * len(lists),
        judge=judge,
        num_ranks=num_ranks,
    )


def hostile_lists() -> Iterator[tuple[str, ParsedList]]:
    """Yield lists that a policy may write and nobody expects, each with what it is."""
    yield (
        "unreadable ranks",
        ParsedList(
            tuple(
                ParsedItem("???", None, 10 * n, 10 * n + 10, 10 * n + 9, readable=False)
                for n in range(NUM_RANKS)
            )
        ),
    )
    yield "a title without a year", listing([Title("Film A", None), Title("Film Q", None)])
    yield "an empty title", listing([Title("", None), Title(" ", 1990)])
    yield "years nobody has", listing([Title("Film A", 0), Title("Film A", -1), Title("Film A", 10**6)])
    yield "control characters", listing([Title("\x00\x1b[31m\r\n\t", 1990), Title("\u202eA mliF", 1990)])
    yield "a lone surrogate", listing([Title("Film \ud800", 1990)])
    yield "a title of ten thousand characters", listing([Title("A" * 10_000, 1990)])
    yield "three hundred titles", listing([TITLES[n % len(TITLES)] for n in range(300)])
    aside = ParsedItem("Film A", 1990, 0, 40, 39, further=(Title("Film B", 1991), OUTSIDE))
    yield "further titles on a line", ParsedList((aside,))
