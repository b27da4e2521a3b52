"""Lists checked against the catalog, the ground truth and the oracle.

Rewards and metrics ask the same questions of a list: which rank is a hit, which violates a
constraint, which is known. The answers are worked out here once per batch, on demand, and once for
each title: lists name the same titles over and over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, islice
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from saferec_core.data.records import Record
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.plugins.contracts.met_titles import MetTitle, hits, repeats
from saferec_core.plugins.contracts.oracle import Question, Verdict, joined
from saferec_core.plugins.contracts.parser import ParsedList
from saferec_core.plugins.contracts.record_columns import RecordColumns
from saferec_core.plugins.contracts.run_context import RunContext
from saferec_core.plugins.sealing import sealed_property

__all__ = ["JudgedLists"]


@dataclass(frozen=True)
class JudgedLists:
    """N parsed lists beside the records they answer, seen through K ranks.

    Entry [n, k] of every (N, K) tensor is about the title at rank k + 1 of list n, and False where
    that rank was not written. Of the tensors named ``..._counts``, entry [n, k] is how many of the
    first k + 1 ranks are; column -1 is thus about all K.
    """

    lists: Sequence[ParsedList]
    records: Sequence[Record]
    judge: Judge
    num_ranks: int
    """K; what a list holds beyond it is counted, but not judged."""
    context: RunContext = field(default_factory=RunContext, kw_only=True, compare=False)
    """Where in a run the lists were written; takes figures to be logged."""

    def only(self, positions: Sequence[int]) -> Self:
        """Return the lists at *positions* by themselves."""
        return replace(
            self,
            lists=[self.lists[n] for n in positions],
            records=[self.records[n] for n in positions],
        )

    @sealed_property
    def rank_mask(self) -> Bool[Tensor, "N K"]:
        """Whether the rank was written."""
        return torch.arange(self.num_ranks) < self.lengths[:, None]

    @sealed_property
    def listed_counts(self) -> Float[Tensor, "N K"]:
        """How many ranks were written."""
        return _counts(self.rank_mask)

    @sealed_property
    def lengths(self) -> Float[Tensor, " N"]:
        """How many titles each list holds, those beyond K included."""
        return torch.tensor([float(len(parsed.items)) for parsed in self.lists])

    @sealed_property
    def distinct_lengths(self) -> Float[Tensor, " N"]:
        """How many different titles each list holds, those beyond K included."""
        return torch.tensor([float(repeated.count(False)) for repeated, _ in self._whole_lists])

    def useful_counts(self, first: int) -> Float[Tensor, " N"]:
        """How many of the *first* titles of each list, K or not, are not wasted."""
        return torch.tensor([float(wasted[:first].count(False)) for _, wasted in self._whole_lists])

    @sealed_property
    def ranked_lengths(self) -> Float[Tensor, " N"]:
        """How many titles of each list have a rank; a protocol may remove some before ranking."""
        return self.lengths

    @sealed_property
    def truth_sizes(self) -> Float[Tensor, " N"]:
        """How many titles the ground truth of each list holds; those of one catalog entry are one."""
        met = self.judge.met_titles
        sizes = [
            float(repeats(met[title] for title in record.groundtruth).count(False)) for record in self.records
        ]
        return torch.tensor(sizes, dtype=torch.float64)

    @sealed_property
    def catalog_indices(self) -> Int[Tensor, "N K"]:
        """Position of the title in the catalog; -1 where it may not be recommended, or there is none."""
        return self._by_rank([title.catalog_index for title in self._titles], np.int64, absent=-1)

    @sealed_property
    def in_catalog(self) -> Bool[Tensor, "N K"]:
        """Whether the title may be recommended at all."""
        return self.catalog_indices >= 0

    @sealed_property
    def repeated(self) -> Bool[Tensor, "N K"]:
        """Whether an earlier rank names the same title.

        Titles of one catalog entry are the same, whatever year each is written with; outside the catalog,
        titles of the same normal form and year are.
        """
        titles = iter(self._titles)
        rows = (repeats(islice(titles, count)) for count in self._written)
        return self._by_rank(list(chain.from_iterable(rows)))

    @sealed_property
    def seen(self) -> Bool[Tensor, "N K"]:
        """Whether the user has already seen the title, by the catalog's year tolerance."""
        tolerance = self.judge.catalog.year_tolerance
        titles = iter(self._titles)
        return self._by_rank(
            [
                record.has_seen(title.name, title.year, tolerance)
                for count, record in zip(self._written, self._meant_records, strict=True)
                for title in islice(titles, count)
            ]
        )

    @sealed_property
    def wasted(self) -> Bool[Tensor, "N K"]:
        """Whether the rank shows the user nothing new.

        It repeats an earlier rank, was seen, or may not be recommended at all.
        """
        return self.repeated | self.seen | (self.rank_mask & ~self.in_catalog)

    @sealed_property
    def hits(self) -> Bool[Tensor, "N K"]:
        """Whether the title is relevant.

        A hit is in the catalog, not among the seen titles, and matches a title of the ground truth
        that no earlier rank has matched: of the same normal form with the year equal, else the
        nearest within the catalog's year tolerance. A catalog entry is hit once.
        """
        tolerance = self.judge.catalog.year_tolerance
        titles = iter(self._titles)
        rows = (
            hits(islice(titles, count), record, tolerance)
            for count, record in zip(self._written, self._meant_records, strict=True)
        )
        return self._by_rank(list(chain.from_iterable(rows)))

    @sealed_property
    def hit_counts(self) -> Float[Tensor, "N K"]:
        """How many titles are hits."""
        return _counts(self.hits)

    @sealed_property
    def verdicts(self) -> Sequence[Sequence[Verdict]]:
        """The oracle's verdict on each written rank."""
        verdicts, which = self._answers
        answers = map(verdicts.__getitem__, which.tolist())
        return [list(islice(answers, count)) for count in self._written]

    @sealed_property
    def known(self) -> Bool[Tensor, "N K"]:
        """Whether the oracle knows the title."""
        verdicts, which = self._answers
        known = np.asarray([verdict.known for verdict in verdicts], np.bool_)
        return self._by_rank(known[which])

    @sealed_property
    def known_counts(self) -> Float[Tensor, "N K"]:
        """How many titles the oracle knows."""
        return _counts(self.known)

    @sealed_property
    def violations(self) -> Bool[Tensor, "N K"]:
        """Whether the title is known to violate a constraint of its user."""
        verdicts, which = self._answers
        violated = np.asarray([bool(verdict.violated) for verdict in verdicts], np.bool_)
        return self._by_rank(violated[which])

    @sealed_property
    def violation_counts(self) -> Float[Tensor, "N K"]:
        """How many titles violate a constraint."""
        return _counts(self.violations)

    @sealed_property
    def base_rates(self) -> Float[Tensor, " N"]:
        """Expected share of violations under each user's constraints (see :meth:`Judge.base_rate`)."""
        judge = self.judge
        rates = [judge.base_rate(record.constraints, judge.columns(record)) for record in self.records]
        return torch.tensor(rates)

    @cached_property
    def _written(self) -> list[int]:
        """How many of the K ranks each list has written."""
        return [min(len(parsed.items), self.num_ranks) for parsed in self.lists]

    @cached_property
    def _meant_records(self) -> list[Record]:
        """The records with their titles as the catalog completes them."""
        each = {id(record): record for record in self.records}  # siblings share a record
        meant = {key: self.judge.meant(record) for key, record in each.items()}
        return [meant[id(record)] for record in self.records]

    @cached_property
    def _titles(self) -> list[MetTitle]:
        """The titles at the written ranks, list after list."""
        return self.judge.met_titles.of(
            item for parsed in self.lists for item in parsed.items[: self.num_ranks]
        )

    @cached_property
    def _whole_lists(self) -> list[tuple[list[bool], list[bool]]]:
        """For each list, which of all its titles repeat an earlier one, and which are wasted."""
        tolerance = self.judge.catalog.year_tolerance
        rows = []
        for parsed, record in zip(self.lists, self._meant_records, strict=True):
            titles = self.judge.met_titles.of(parsed.items)
            repeated = repeats(titles)
            wasted = [
                repeat or title.catalog_index < 0 or record.has_seen(title.name, title.year, tolerance)
                for repeat, title in zip(repeated, titles, strict=True)
            ]
            rows.append((repeated, wasted))
        return rows

    @cached_property
    def _answers(self) -> tuple[Sequence[Verdict], npt.NDArray[np.intp]]:
        """The oracle's verdicts, and which of them is about each written rank.

        About titles that are written alike it is asked once for all who have the same constraints, and the
        same columns where its verdicts depend on any.
        """
        kinds: dict[tuple[tuple[str, ...], RecordColumns], int] = {}
        columns = self.judge.columns
        kind_of = [
            kinds.setdefault((record.constraints, columns(record)), len(kinds)) for record in self.records
        ]
        kind_by_rank = np.repeat(np.asarray(kind_of, np.int64), np.asarray(self._written, np.int64))
        numbers = np.asarray([title.number for title in self._titles], np.int64)
        _, firsts, which = np.unique(
            numbers * len(kinds) + kind_by_rank, return_index=True, return_inverse=True
        )
        asked, questions = list(kinds), []
        for first, kind in zip(firsts.tolist(), kind_by_rank[firsts].tolist(), strict=True):
            title = self._titles[first]
            questions.append(Question(title.name, title.year, *asked[kind]))
        further = self._further_questions()
        if not further:
            return self.judge.ask(questions), which
        verdicts = list(self.judge.ask([*questions, *(question for _, question in further)]))
        for (position, _), verdict in zip(further, verdicts[len(questions) :], strict=True):
            verdicts.append(joined(verdicts[which[position]], verdict))
            which[position] = len(verdicts) - 1
        return verdicts, which

    def _further_questions(self) -> list[tuple[int, Question]]:
        """Return what to ask about further titles on a line, and which written rank it is about.

        The words in front of a year may hold more than the title, as in "or else Saw (2004)", so the
        longest end of them that is in the catalog is asked about, else all of them.
        """
        asked: list[tuple[int, Question]] = []
        position = 0
        for parsed, record in zip(self.lists, self.records, strict=True):
            for item in parsed.items[: self.num_ranks]:
                asked += [(position, self.judge.question(title, record)) for title in item.further]
                position += 1
        return asked

    def _by_rank(
        self, answers: npt.ArrayLike, dtype: type[np.bool_ | np.int64] = np.bool_, *, absent: int = 0
    ) -> Tensor:
        """Lay out one answer per written rank, list after list; no list can overrun into another."""
        written = self.rank_mask.numpy()
        laid_out = np.full(written.shape, absent, dtype)
        laid_out[written] = answers
        return torch.from_numpy(laid_out)


def _counts(mask: Bool[Tensor, "N K"]) -> Float[Tensor, "N K"]:
    """Count up to each rank."""
    return mask.cumsum(1, dtype=torch.float64)
