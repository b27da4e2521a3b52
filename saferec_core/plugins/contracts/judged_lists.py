"""Lists checked against the catalog, the ground truth and the oracle.

Rewards and metrics ask the same questions of a list: which rank is a hit, which violates a
constraint, which is known. The answers are worked out here once per batch, on demand, and once for
each title: lists name the same titles over and over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, islice
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from saferec_core.data.catalog import Catalog
from saferec_core.data.records import Record
from saferec_core.data.titles import Title, normal_form
from saferec_core.errors import ConfigError, PluginError, UnknownNameError
from saferec_core.plugins.contracts.oracle import Oracle, Question, Verdict, ask, check_order
from saferec_core.plugins.contracts.parser import ParsedList
from saferec_core.plugins.contracts.run_context import RunContext
from saferec_core.plugins.sealing import changed, fingerprint, sealed_property

__all__ = ["Judge", "JudgedLists", "unchanged"]

_ASKED_TOGETHER = 1 << 14  # questions of one batch about the whole catalog
_REMEMBERED = 1 << 16
"""How many titles are remembered before all are forgotten."""


_LONGEST_TITLE = 24
"""Words; bounds the search for a title at the end of a sentence."""


class _Met(NamedTuple):
    """What there is to know of a title as the catalog completes it, whatever list it stands in."""

    name: str
    year: int | None
    form: str
    """Normal form of the name."""
    catalog_index: int
    """Position in the catalog; -1 if it may not be recommended."""
    number: int
    """How many titles had been met before."""


_UNREADABLE = ("", None)
"""What stands for every rank that names no title."""


class _MetTitles(dict[tuple[str, int | None], _Met]):
    """The titles that were met, by name and year; a policy names the same ones over and over."""

    def __init__(self, catalog: Catalog) -> None:
        super().__init__()
        self._catalog = catalog

    def __missing__(self, title: tuple[str, int | None]) -> _Met:
        index, (name, year), _ = self._catalog.match(*title)
        met = _Met(name, year, normal_form(name), -1 if index is None else index, len(self))
        self[title] = met
        return met


class Judge:
    """What lists are checked against in a run: the catalog and, if any, the oracle and the popularity."""

    def __init__(
        self,
        catalog: Catalog,
        oracle: Oracle | None = None,
        popularity: Float[Tensor, " C"] | None = None,
    ) -> None:
        """Keep what lists are checked against.

        Args:
            catalog: The C titles that may be recommended.
            oracle: Tells violations.
            popularity: Each title's percentile among them, in 0..1, from `popularity_percentiles`.
        """
        self.catalog = catalog
        self.oracle = oracle
        self.popularity = popularity
        self._met = _MetTitles(catalog)
        self._base_rates: dict[tuple[str, ...], float] = {}
        self._order_is_checked = False

    def _meet(self, lists: Sequence[ParsedList], num_ranks: int) -> list[_Met]:
        """Look up what stands at the written ranks up to *num_ranks*, list after list."""
        if len(self._met) > _REMEMBERED:
            self._met = _MetTitles(self.catalog)
        met = self._met
        return [
            met[(item.name, item.year) if item.readable else _UNREADABLE]
            for parsed in lists
            for item in parsed.items[:num_ranks]
        ]

    def ask(self, questions: Sequence[Question]) -> Sequence[Verdict]:
        """Put *questions* to the oracle.

        Raises:
            ConfigError: The run has no oracle.
            PluginError: The oracle failed, or its verdicts are not sound.
        """
        if self.oracle is None:
            raise ConfigError("an oracle is needed to judge titles; name its table with --oracle-path")
        verdicts = ask(self.oracle, questions)
        if not self._order_is_checked and self.oracle.deterministic:
            self._order_is_checked = len(set(questions)) > 1
            check_order(self.oracle, questions, verdicts)
        return verdicts

    def catalog_title(self, title: Title) -> Title:
        """Return the longest end of a name that is in the catalog, else *title* itself."""
        words = title.name.split()
        for first in range(max(0, len(words) - _LONGEST_TITLE), len(words)):
            match = self.catalog.match(" ".join(words[first:]), title.year)
            if match.position is not None:
                return match.title
        return title

    def meant(self, record: Record) -> Record:
        """Return *record* with its titles as the catalog completes them; itself where nothing changes.

        Ground truth without a year is the only entry of the catalog with its name. Where several entries have
        the name it is ambiguous and cannot be hit, so that it is left out.
        """
        match, by_subtitle = self.catalog.match, self.catalog.match_subtitles
        if not by_subtitle and all(year is not None for _, year in record.groundtruth):
            return record
        matches = [match(*title) for title in record.groundtruth]
        truth = tuple(
            title for position, title, _ in matches if position is not None or title.year is not None
        )
        seen = record.seen_titles
        if by_subtitle:
            seen = tuple(title if isinstance(title, str) else match(*title).title for title in seen)
        if (truth, seen) == (record.groundtruth, record.seen_titles):
            return record
        return replace(record, groundtruth=truth, seen_titles=seen)

    def base_rate(self, constraints: tuple[str, ...]) -> float:
        """Return the share of violations among the catalog's titles that the oracle knows.

        This is what a title that nobody knows is expected to be worth. 0 if none is known.
        """
        if constraints not in self._base_rates:
            decided, violated = self._by_trait
            columns = [self._column(trait) for trait in constraints]
            violating = violated[:, columns].any(dim=1)
            known = violating | decided[:, columns].all(dim=1)
            self._base_rates[constraints] = violating.sum().item() / max(1, int(known.sum()))
        return self._base_rates[constraints]

    @cached_property
    def _by_trait(self) -> tuple[Bool[Tensor, "C T"], Bool[Tensor, "C T"]]:
        """Whether each catalog title is decided for each trait, and violates it: one question a title.

        Users combine traits in more ways than there are traits; a question for every combination and title
        would take hours with millions of titles.
        """
        traits = self._traits
        decided, violated = torch.zeros(2, len(self.catalog.titles), len(traits), dtype=torch.bool)
        for start in range(0, len(self.catalog.titles), _ASKED_TOGETHER):
            titles = self.catalog.titles[start : start + _ASKED_TOGETHER]
            verdicts = self.ask([Question(title.name, title.year, traits) for title in titles])
            for row, verdict in enumerate(verdicts, start):
                evident = verdict.risks.keys() - set(verdict.open)
                if verdict.known and not verdict.risks:  # an oracle that states no risks
                    evident = set(traits)
                decided[row, [self._column(trait) for trait in evident]] = True
                violated[row, [self._column(trait) for trait in verdict.violated]] = True
        return decided, violated

    @cached_property
    def _traits(self) -> tuple[str, ...]:
        return () if self.oracle is None else tuple(sorted(self.oracle.traits))

    def _column(self, trait: str) -> int:
        if trait not in self._traits:
            raise UnknownNameError("trait", trait, self._traits)
        return self._traits.index(trait)


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
        return torch.tensor([float(repeats.count(False)) for repeats, _ in self._whole_lists])

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
        met = self.judge._met
        sizes = [
            float(_repeats(met[title] for title in record.groundtruth).count(False))
            for record in self.records
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
        rows = (_repeats(islice(titles, count)) for count in self._written)
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
            _hits(islice(titles, count), record, tolerance)
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
        return torch.tensor([self.judge.base_rate(record.constraints) for record in self.records])

    @property
    def inputs(self) -> tuple[object, ...]:
        """A fingerprint of what the lists were made of, to be compared with an earlier one."""
        judge = self.judge
        records = {id(record): record for record in self.records}.values()
        return (
            [id(parsed.items) for parsed in self.lists],
            [id(record) for record in self.records],
            [_content(record) for record in records],
            (self.num_ranks, id(judge.oracle), id(judge.catalog), len(judge.catalog.titles)),
            0 if judge.popularity is None else fingerprint(judge.popularity),
        )

    def changed(self) -> list[str]:
        """Return the names of the properties above that somebody changed after they were computed."""
        return changed(self)

    @cached_property
    def _written(self) -> list[int]:
        """How many of the K ranks each list has written."""
        return [min(len(parsed.items), self.num_ranks) for parsed in self.lists]

    @cached_property
    def _meant_records(self) -> list[Record]:
        """The records with their titles as the catalog completes them."""
        return [self.judge.meant(record) for record in self.records]

    @cached_property
    def _titles(self) -> list[_Met]:
        """The titles at the written ranks, list after list."""
        return self.judge._meet(self.lists, self.num_ranks)

    @cached_property
    def _whole_lists(self) -> list[tuple[list[bool], list[bool]]]:
        """For each list, which of all its titles repeat an earlier one, and which are wasted."""
        tolerance = self.judge.catalog.year_tolerance
        rows = []
        for parsed, record in zip(self.lists, self._meant_records, strict=True):
            titles = self.judge._meet([parsed], len(parsed.items))
            repeats = _repeats(titles)
            wasted = [
                repeat or title.catalog_index < 0 or record.has_seen(title.name, title.year, tolerance)
                for repeat, title in zip(repeats, titles, strict=True)
            ]
            rows.append((repeats, wasted))
        return rows

    @cached_property
    def _answers(self) -> tuple[Sequence[Verdict], npt.NDArray[np.intp]]:
        """The oracle's verdicts, and which of them is about each written rank.

        About titles that are written alike it is asked once for all who have the same constraints.
        """
        kinds: dict[tuple[str, ...], int] = {}
        kind_of = [kinds.setdefault(record.constraints, len(kinds)) for record in self.records]
        kind_by_rank = np.repeat(np.asarray(kind_of, np.int64), np.asarray(self._written, np.int64))
        numbers = np.asarray([title.number for title in self._titles], np.int64)
        _, firsts, which = np.unique(
            numbers * len(kinds) + kind_by_rank, return_index=True, return_inverse=True
        )
        constraints, questions = list(kinds), []
        for first, kind in zip(firsts.tolist(), kind_by_rank[firsts].tolist(), strict=True):
            title = self._titles[first]
            questions.append(Question(title.name, title.year, constraints[kind]))
        further = self._further_questions()
        if not further:
            return self.judge.ask(questions), which
        verdicts = list(self.judge.ask([*questions, *(question for _, question in further)]))
        for (position, _), verdict in zip(further, verdicts[len(questions) :], strict=True):
            verdicts.append(_joined(verdicts[which[position]], verdict))
            which[position] = len(verdicts) - 1
        return verdicts, which

    def _further_questions(self) -> list[tuple[int, Question]]:
        """Return what to ask about further titles on a line, and which written rank it is about.

        The words in front of a year may hold more than the title, as in "or else Saw (2004)", so the
        longest end of them that is in the catalog is asked about, else all of them.
        """
        asked, position = [], 0
        for parsed, record in zip(self.lists, self.records, strict=True):
            for item in parsed.items[: self.num_ranks]:
                for title in item.further:
                    name, year = self.judge.catalog_title(title)
                    asked.append((position, Question(name, year, record.constraints)))
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


@contextmanager
def unchanged(lists: JudgedLists, what: str) -> Iterator[None]:
    """Refuse a component that changes the lists it is given: every reward and metric reads the same.

    Args:
        lists: What the component is called with.
        what: The component, as errors name it.

    Raises:
        PluginError: It changed them; the message says what.
    """
    before = lists.inputs
    yield
    after = lists.inputs
    parts = [name for name, was, now in zip(_INPUTS, before, after, strict=True) if was != now]
    if names := [*parts, *lists.changed()]:
        raise PluginError(
            f"{what} changed what it was given: {', '.join(names)}. Others read the same lists; it must "
            "compute with tensors of its own, such as lists.violations.clone()"
        )


_INPUTS = ("lists", "records", "the contents of records", "the judge", "the popularity of titles")
"""The parts of ``JudgedLists.inputs``."""


def _content(record: Record) -> tuple[object, ...]:
    """Return what tells whether a record is as it was: its texts, and which objects its columns are."""
    return (
        tuple((message["role"], message["content"]) for message in record.prompt),
        tuple(
            (name, id(value), len(value) if isinstance(value, list | dict) else 0)
            for name, value in record.columns.items()
        ),
    )


def _joined(first: Verdict, second: Verdict) -> Verdict:
    """Judge two titles of one line as one: what either violates, both do; known if either is."""
    if not second.known:
        return first
    traits = {*first.risks, *second.risks}
    return Verdict(
        known=True,
        risks={trait: max(first.risks.get(trait, 0.0), second.risks.get(trait, 0.0)) for trait in traits},
        violated=tuple(dict.fromkeys([*first.violated, *second.violated])),
    )


def _counts(mask: Bool[Tensor, "N K"]) -> Float[Tensor, "N K"]:
    """Count up to each rank."""
    return mask.cumsum(1, dtype=torch.float64)


def _repeats(titles: Iterable[_Met]) -> list[bool]:
    """Tell which titles of one list, in rank order, were named before."""
    named: set[int | tuple[str, int | None]] = set()
    repeats = []
    for title in titles:
        key = title.catalog_index if title.catalog_index >= 0 else (title.form, title.year)
        repeats.append(key in named and title.form != "")
        named.add(key)
    return repeats


def _hits(titles: Iterable[_Met], record: Record, tolerance: int) -> list[bool]:
    """Match the titles of one list, in rank order, against what is left of the ground truth."""
    left = set(range(len(record.groundtruth)))
    entries: set[int] = set()  # of the catalog that were hit
    hits = []
    for title in titles:
        relevant = record.truth_near(title.name, title.year, tolerance) if title.catalog_index >= 0 else []
        matched = next((index for index in relevant if index in left), None)
        hit = (
            matched is not None
            and title.catalog_index not in entries
            and not record.has_seen(title.name, title.year, tolerance)
        )
        if hit and matched is not None:
            left.remove(matched)
            entries.add(title.catalog_index)
        hits.append(hit)
    return hits
