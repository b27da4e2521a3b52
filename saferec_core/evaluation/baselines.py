"""Recommenders without a model, to compare a policy with: what is popular, what goes together, chance."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from saferec_core.data.catalog import Catalog
from saferec_core.data.records import Record
from saferec_core.data.titles import Title
from saferec_core.errors import UnknownNameError
from saferec_core.evaluation.baseline_names import BASELINE_NAMES
from saferec_core.models.guided.allowed import AllowedTitles

__all__ = ["BASELINES", "Baseline", "CoOccurrence", "Popularity", "RandomTitles", "baseline"]

Scores = npt.NDArray[np.float64]


class Baseline(ABC):
    """Scores every title of the catalog for a user, from training records alone."""

    needs_training = True
    """Whether it learns from training records."""

    def __init__(self, catalog: Catalog, train: Sequence[Record], *, seed: int = 0) -> None:  # noqa: ARG002
        """Learn from *train*.

        Args:
            catalog: The C titles that may be recommended.
            train: Training records; ground truth outside of the catalog is ignored.
            seed: Seed of everything that is drawn.
        """
        self._catalog = catalog
        self._seed = seed

    @abstractmethod
    def scores(self, record: Record, position: int) -> Scores:
        """Return a score for each of the C titles, (C,); the higher the better.

        Args:
            record: The user's prompt, history and constraints; never looked at for its ground truth.
            position: Position of the record among the held-out ones.
        """

    def rank(
        self, record: Record, position: int, num_titles: int, allowed: AllowedTitles, *, safe: bool
    ) -> list[Title]:
        """Return the best titles that the user has not seen; of equal ones the first of the catalog.

        Args:
            record: Whom to recommend to.
            position: Position of the record among the held-out ones.
            num_titles: Length of the list; it is shorter where fewer titles are left.
            allowed: What users have seen, and may be shown.
            safe: Whether titles that are known to violate a constraint of the user are left out.
        """
        allowance = allowed.of(record)
        left = allowance.safe.copy() if safe else np.ones(len(self._catalog), np.bool_)
        left[list(allowance.seen)] = False
        candidates = np.flatnonzero(left)
        order = np.argsort(-self.scores(record, position)[candidates], kind="stable")[:num_titles]
        return [self._catalog.titles[title] for title in candidates[order]]


class Popularity(Baseline):
    """The titles that are relevant in most training records, the same for everybody."""

    def __init__(self, catalog: Catalog, train: Sequence[Record], *, seed: int = 0) -> None:
        """Count how many records have each title as ground truth."""
        super().__init__(catalog, train, seed=seed)
        self._counts = np.zeros(len(catalog))
        for record in train:
            self._counts[_positions(catalog, record.groundtruth)] += 1

    def scores(self, record: Record, position: int) -> Scores:  # noqa: ARG002 - the same for everybody
        """Return the counts."""
        return self._counts


class CoOccurrence(Baseline):
    """The titles that most often go together with those of the user's history.

    The score of a title is the sum over the history of the share of training records with the title of the
    history that have this one as well; popularity decides between equal scores, and for users without a
    history. A record has the titles of its history and of its ground truth.
    """

    def __init__(self, catalog: Catalog, train: Sequence[Record], *, seed: int = 0) -> None:
        """Count in how many records each pair of titles occurs."""
        super().__init__(catalog, train, seed=seed)
        popularity = Popularity(catalog, train).scores(Record(prompt=()), 0)
        # At most half of the smallest share that is not 0, so that it decides between equal scores only.
        self._popularity: Scores = popularity / (2 * max(1, len(train)) * max(1.0, popularity.max()))
        rows = [_positions(catalog, [*record.seen_titles, *record.groundtruth]) for record in train]
        record_of = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
        titles = np.concatenate([*rows, np.zeros(0)]).astype(np.int64)
        has = csr_array((np.ones(len(titles)), (record_of, titles)), shape=(len(rows), len(catalog)))
        self._together = (has.T @ has).tocsr()
        self._records = np.maximum(self._together.diagonal(), 1)

    def scores(self, record: Record, position: int) -> Scores:  # noqa: ARG002 - chance plays no part
        """Return the summed shares."""
        history = _positions(self._catalog, record.seen_titles)
        if not len(history):
            return self._popularity
        weights = csr_array(1 / self._records[history][None, :])
        summed: Scores = (weights @ self._together[history]).toarray()[0]
        return summed + self._popularity


class RandomTitles(Baseline):
    """Titles drawn evenly from the catalog, anew for each user."""

    needs_training = False

    def scores(self, record: Record, position: int) -> Scores:  # noqa: ARG002 - whoever asks
        """Return numbers drawn evenly from 0..1; the same for the same seed and position."""
        return np.random.default_rng([self._seed, position]).random(len(self._catalog))


BASELINES: Mapping[str, type[Baseline]] = MappingProxyType(
    dict(zip(BASELINE_NAMES, (Popularity, CoOccurrence, RandomTitles), strict=True))
)
"""The baselines by name."""


def baseline(name: str) -> type[Baseline]:
    """Return the baseline of this name.

    Raises:
        UnknownNameError: There is none.
    """
    if name not in BASELINES:
        raise UnknownNameError("baseline", name, BASELINES)
    return BASELINES[name]


def _positions(catalog: Catalog, titles: Iterable[Title | str]) -> npt.NDArray[np.int64]:
    """Return where the titles stand in the catalog, each once; those that it lacks are left out."""
    positions = {
        catalog.find(title, None) if isinstance(title, str) else catalog.find(title.name, title.year)
        for title in titles
    }
    return np.array(sorted(position for position in positions if position is not None), np.int64)
