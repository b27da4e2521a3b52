"""Lists checked against the catalog, the ground truth and the oracle.

Rewards and metrics ask the same questions of a list: which rank is a hit, which violates a
constraint, which is known. The answers are worked out here once per batch, on demand, and once for
each title: lists name the same titles over and over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, islice
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from saferec_core.data.records import Record
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.plugins.contracts.listed_titles import ListedTitles
from saferec_core.plugins.contracts.met_titles import MetVerdicts, repeats
from saferec_core.plugins.contracts.oracle import Question, Verdict
from saferec_core.plugins.contracts.parser import ParsedList
from saferec_core.plugins.contracts.run_context import RunContext
from saferec_core.plugins.contracts.verdict import joined
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
        return torch.from_numpy(self._listed.lengths).float()

    @sealed_property
    def distinct_lengths(self) -> Float[Tensor, " N"]:
        """How many different titles each list holds, those beyond K included."""
        return self._count(~self._listed.repeated)

    def useful_counts(self, first: int) -> Float[Tensor, " N"]:
        """How many of the *first* titles of each list, K or not, are not wasted."""
        return self._count(~self._listed.wasted & (self._listed.places < first))

    @sealed_property
    def ranked_lengths(self) -> Float[Tensor, " N"]:
        """How many titles of each list have a rank; a protocol may remove some before ranking."""
        return self.lengths

    @sealed_property
    def truth_sizes(self) -> Float[Tensor, " N"]:
        """How many titles the ground truth of each list holds; those of one catalog entry are one."""
        met = self.judge.met_titles
        truths = [record.groundtruth for record in self.records]
        numbers = met.numbers_of(list(chain.from_iterable(truths)))
        lists = np.repeat(np.arange(len(truths)), list(map(len, truths)))
        repeated = repeats(lists, met.entities[numbers])
        sizes = np.bincount(lists[~repeated], minlength=len(truths))
        return torch.from_numpy(sizes).double()

    @sealed_property
    def catalog_indices(self) -> Int[Tensor, "N K"]:
        """Position of the title in the catalog; -1 where it may not be recommended, or there is none."""
        return self._by_rank(self._listed.catalog_indices, absent=-1)

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
        return self._by_rank(self._listed.repeated)

    @sealed_property
    def seen(self) -> Bool[Tensor, "N K"]:
        """Whether the user has already seen the title, by the catalog's year tolerance."""
        return self._by_rank(self._listed.seen)

    @sealed_property
    def wasted(self) -> Bool[Tensor, "N K"]:
        """Whether the rank shows the user nothing new.

        It repeats an earlier rank, was seen, or may not be recommended at all.
        """
        return self._by_rank(self._listed.wasted)

    @sealed_property
    def hits(self) -> Bool[Tensor, "N K"]:
        """Whether the title is relevant.

        A hit is in the catalog, not among the seen titles, and matches a title of the ground truth
        that no earlier rank has matched: of the same normal form with the year equal, else the
        nearest within the catalog's year tolerance. A catalog entry is hit once.
        """
        return self._by_rank(self._listed.hits(self.num_ranks))

    @sealed_property
    def hit_counts(self) -> Float[Tensor, "N K"]:
        """How many titles are hits."""
        return _counts(self.hits)

    @sealed_property
    def verdicts(self) -> Sequence[Sequence[Verdict]]:
        """The oracle's verdict on each written rank."""
        given = self._answers
        answers = iter(
            given.joint.get(at) or given.of_titles[position]
            for at, position in enumerate(given.positions.tolist())
        )
        return [list(islice(answers, count)) for count in self._written]

    @sealed_property
    def known(self) -> Bool[Tensor, "N K"]:
        """Whether the oracle knows the title."""
        return self._by_rank(self._answers.known)

    @sealed_property
    def undecided(self) -> Bool[Tensor, "N K"]:
        """Whether nobody can tell if the title violates a constraint; a user without any is safe from all."""
        has_constraints = torch.tensor(
            [bool(record.constraints) for record in self.records], dtype=torch.bool
        )
        return self.rank_mask & ~self.known & has_constraints[:, None]

    @sealed_property
    def known_counts(self) -> Float[Tensor, "N K"]:
        """How many titles the oracle knows."""
        return _counts(self.known)

    @sealed_property
    def violations(self) -> Bool[Tensor, "N K"]:
        """Whether the title is known to violate a constraint of its user."""
        return self._by_rank(self._answers.violated)

    @sealed_property
    def violation_counts(self) -> Float[Tensor, "N K"]:
        """How many titles violate a constraint."""
        return _counts(self.violations)

    @sealed_property
    def base_rates(self) -> Float[Tensor, " N"]:
        """Expected share of violations under each user's constraints (see :meth:`Judge.base_rate`)."""
        judge, (records, which) = self.judge, self._each_record
        rates = [judge.base_rate(record.constraints, judge.columns(record)) for record in records]
        return torch.tensor(rates)[which]

    @cached_property
    def _written(self) -> list[int]:
        """How many of the K ranks each list has written."""
        return [min(size, self.num_ranks) for size in self._listed.batch.sizes]

    @cached_property
    def _each_record(self) -> tuple[list[Record], npt.NDArray[np.int64]]:
        """The records, each once since siblings share one, and which of them each list answers (N,)."""
        ids = list(map(id, self.records))
        each = dict(zip(ids, self.records, strict=True))
        positions = dict(zip(each, range(len(each)), strict=True))
        return list(each.values()), np.array(list(map(positions.__getitem__, ids)), np.int64)

    @cached_property
    def _listed(self) -> ListedTitles:
        """The titles of all lists."""
        judge = self.judge
        _, which = self._each_record
        return ListedTitles(
            self.lists, self._meant_records, which, judge.met_titles, judge.catalog.year_tolerance
        )

    @cached_property
    def _meant_records(self) -> list[Record]:
        """Each record once, with its titles as the catalog completes them."""
        return list(map(self.judge.meant, self._each_record[0]))

    @cached_property
    def _answers(self) -> _Answers:
        """The oracle's answers.

        About titles that are written alike it is asked once for all who have the same constraints, and the
        same columns where its verdicts depend on any. If it is deterministic, it is never asked again.
        """
        judge, listed = self.judge, self._listed
        remembered = listed.met.verdicts if judge.needed_oracle.deterministic else MetVerdicts()
        records, which = self._each_record
        questions = [(record.constraints, judge.columns(record)) for record in records]
        kind_of = [remembered.kind_of(*question) for question in questions]
        by_kind = dict(zip(kind_of, questions, strict=True))

        def ask(new: Sequence[tuple[int, int]]) -> Sequence[Verdict]:
            return judge.ask([Question(*listed.met.titles[title], *by_kind[kind]) for title, kind in new])

        has_rank, _ = self._cells
        kinds = np.array(kind_of, np.int64)[which[listed.lists[has_rank]]]
        positions = remembered.positions_of(kinds, listed.numbers[has_rank], ask)
        known, violated = remembered.known[positions], remembered.violated[positions]
        joint: dict[int, Verdict] = {}
        if further := self._further_questions():
            for (at, _), verdict in zip(further, judge.ask([asked for _, asked in further]), strict=True):
                if not verdict.violated:
                    continue  # a safe title beside one that nobody knows does not make it safe
                joint[at] = both = joined(joint.get(at) or remembered.verdicts[positions[at]], verdict)
                known[at], violated[at] = both.known, bool(both.violated)
        return _Answers(remembered.verdicts, positions, joint, known, violated)

    def _further_questions(self) -> list[tuple[int, Question]]:
        """Return what to ask about further titles on a line, and which written rank it is about.

        The words in front of a year may hold more than the title, as in "or else Saw (2004)", so the
        longest end of them that is in the catalog is asked about, else all of them.
        """
        listed, question = self._listed, self.judge.question
        if not any(listed.batch.columns.further):
            return []
        written_before = (listed.places < self.num_ranks).cumsum() - 1
        return [
            (int(written_before[at]), question(title, self.records[listed.lists[at]]))
            for at, item in enumerate(listed.batch.items)
            if item.further and listed.places[at] < self.num_ranks
            for title in item.further
        ]

    def _count(self, titles: npt.NDArray[np.bool_]) -> Float[Tensor, " N"]:
        """Count the titles of each list that are True."""
        counts = np.bincount(self._listed.lists[titles], minlength=len(self.lists))
        return torch.from_numpy(counts).float()

    def _by_rank(self, values: npt.NDArray[Any], *, absent: int = 0) -> Tensor:
        """Lay out one value per title, or per written rank, list after list."""
        has_rank, cells = self._cells
        laid_out = np.full(len(self.lists) * self.num_ranks, absent, values.dtype)
        laid_out[cells] = values[has_rank] if len(values) == len(has_rank) else values
        return torch.from_numpy(laid_out.reshape(-1, self.num_ranks))

    @cached_property
    def _cells(self) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
        """Which titles have a rank, and of each that has, its entry in a (N, K) table, row after row."""
        listed = self._listed
        has_rank = listed.places < self.num_ranks
        return has_rank, (listed.lists * self.num_ranks + listed.places)[has_rank]


class _Answers(NamedTuple):
    """What the oracle says about each written rank, list after list."""

    of_titles: Sequence[Verdict]
    """What it has said about titles."""
    positions: npt.NDArray[np.int64]
    """Which of it is about the title of each rank."""
    joint: Mapping[int, Verdict]
    """The verdicts of ranks that name further titles."""
    known: npt.NDArray[np.bool_]
    violated: npt.NDArray[np.bool_]


def _counts(mask: Bool[Tensor, "N K"]) -> Float[Tensor, "N K"]:
    """Count up to each rank."""
    return mask.cumsum(1, dtype=torch.float64)
