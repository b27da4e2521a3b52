"""Lists held against the catalog, the ground truth and the oracle.

Rewards and metrics ask the same questions of a list: which rank is a hit, which violates a
constraint, which is known. The answers are worked out here once per batch, on demand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from saferec_core.catalog import Catalog
from saferec_core.errors import ConfigError, PluginError, SaferecError
from saferec_core.lists import EventKind, ParsedItem, ParsedList
from saferec_core.oracle import Oracle, Question, Verdict
from saferec_core.records import Record
from saferec_core.titles import normal_form

__all__ = ["Judge", "JudgedLists"]


class Judge:
    """What lists are held against in a run: the catalog and, where there is one, the oracle."""

    def __init__(self, catalog: Catalog, oracle: Oracle | None = None) -> None:
        """Keep the catalog and the oracle of the run."""
        self.catalog = catalog
        self.oracle = oracle
        self._base_rates: dict[tuple[str, ...], float] = {}

    def ask(self, questions: Sequence[Question]) -> Sequence[Verdict]:
        """Put *questions* to the oracle.

        Raises:
            ConfigError: The run has no oracle.
            PluginError: The oracle failed, or did not answer every question.
        """
        if self.oracle is None:
            raise ConfigError("an oracle is needed to judge titles; name its table with --oracle-path")
        try:
            verdicts = self.oracle.judge(questions)
        except SaferecError:
            raise
        except Exception as error:  # whatever it raises, the oracle is to be named
            name = type(self.oracle).__name__
            raise PluginError(f"oracle {name} failed: {type(error).__name__}: {error}") from error
        answered = len(verdicts) if isinstance(verdicts, Sequence) else 0
        if answered != len(questions):
            raise PluginError(
                f"oracle {type(self.oracle).__name__} must answer {len(questions)} questions with a "
                f"verdict each, but answered {answered}"
            )
        return verdicts

    def base_rate(self, constraints: tuple[str, ...]) -> float:
        """Return the share of violations among the catalog's titles that the oracle knows.

        This is what a title that nobody knows is expected to be worth. 0 if none is known.
        """
        if constraints not in self._base_rates:
            questions = [Question(title.name, title.year, constraints) for title in self.catalog.titles]
            known = [verdict for verdict in self.ask(questions) if verdict.known]
            violating = sum(bool(verdict.violated) for verdict in known)
            self._base_rates[constraints] = violating / len(known) if known else 0.0
        return self._base_rates[constraints]


@dataclass(frozen=True)
class JudgedLists:
    """N parsed lists beside the records they answer, seen through K ranks.

    Entry [n, k] of every (N, K) tensor is about the title at rank k + 1 of list n, and False where
    that rank was not written.
    """

    lists: Sequence[ParsedList]
    records: Sequence[Record]
    judge: Judge
    num_ranks: int
    """K; what a list holds beyond it is counted, but not judged."""

    @cached_property
    def rank_mask(self) -> Bool[Tensor, "N K"]:
        """Whether the rank was written."""
        return torch.arange(self.num_ranks) < self.lengths[:, None]

    @cached_property
    def lengths(self) -> Float[Tensor, " N"]:
        """How many titles each list holds, those beyond K included."""
        return torch.tensor([float(len(parsed.items)) for parsed in self.lists])

    @cached_property
    def distinct_lengths(self) -> Float[Tensor, " N"]:
        """How many different titles each list holds."""
        repeats = [float(parsed.count(EventKind.DUPLICATE)) for parsed in self.lists]
        return self.lengths - torch.tensor(repeats)

    @cached_property
    def in_catalog(self) -> Bool[Tensor, "N K"]:
        """Whether the title may be recommended at all."""
        find = self.judge.catalog.find
        return self._by_rank(
            find(name, year) is not None for items in self._items for name, year, _, _ in items
        )

    @cached_property
    def hits(self) -> Bool[Tensor, "N K"]:
        """Whether the title is relevant.

        A hit is in the catalog, not among the seen titles, and matches a title of the ground truth
        that no earlier rank has matched: of the same normal form with the year equal, else the
        nearest within the catalog's year tolerance.
        """
        rows = (
            _hits(items, record, self.judge.catalog)
            for items, record in zip(self._items, self.records, strict=True)
        )
        return self._by_rank(chain.from_iterable(rows))

    @cached_property
    def verdicts(self) -> Sequence[Sequence[Verdict]]:
        """The oracle's verdict on each written rank."""
        questions = [
            Question(name, year, record.constraints)
            for items, record in zip(self._items, self.records, strict=True)
            for name, year, _, _ in items
        ]
        answers = iter(self.judge.ask(questions))
        return [[next(answers) for _ in items] for items in self._items]

    @cached_property
    def known(self) -> Bool[Tensor, "N K"]:
        """Whether the oracle knows the title."""
        return self._by_rank(verdict.known for row in self.verdicts for verdict in row)

    @cached_property
    def violations(self) -> Bool[Tensor, "N K"]:
        """Whether the title is known to violate a constraint of its user."""
        return self._by_rank(bool(verdict.violated) for row in self.verdicts for verdict in row)

    @cached_property
    def base_rates(self) -> Float[Tensor, " N"]:
        """Expected share of violations under each user's constraints (see :meth:`Judge.base_rate`)."""
        return torch.tensor([self.judge.base_rate(record.constraints) for record in self.records])

    @cached_property
    def _items(self) -> list[tuple[ParsedItem, ...]]:
        return [parsed.items[: self.num_ranks] for parsed in self.lists]

    def _by_rank(self, answers: Iterable[bool]) -> Bool[Tensor, "N K"]:
        """Lay out one answer per written rank, list after list; no list can overrun into another."""
        written = self.rank_mask.numpy()
        laid_out = np.zeros_like(written)
        laid_out[written] = np.fromiter(answers, np.bool_, np.count_nonzero(written))
        return torch.from_numpy(laid_out)


def _hits(items: Sequence[ParsedItem], record: Record, catalog: Catalog) -> list[bool]:
    """Match the items of one list, in rank order, against what is left of the ground truth."""
    truth = record.truth_years
    left: dict[str, list[int]] = {}
    hits = []
    for item in items:
        form = normal_form(item.name)
        if form not in truth:
            hits.append(False)
            continue
        years = left.setdefault(form, list(truth[form]))
        year = min(years, key=lambda year: (abs(year - item.year), year), default=None)
        hit = (
            year is not None
            and abs(year - item.year) <= catalog.year_tolerance
            and catalog.find(item.name, item.year) is not None
            and not record.has_seen(form, item.year, catalog.year_tolerance)
        )
        if hit and year is not None:
            years.remove(year)
        hits.append(hit)
    return hits
