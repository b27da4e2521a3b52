"""What lists are worth to their users: metrics of each list, and of all lists together.

Nothing is filtered before ranking: a title that was seen, is listed twice or is outside the catalog
keeps its rank and is a miss.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, Protocol

import numpy as np
from jaxtyping import Float
from torch import Tensor

from saferec_core.plugins.contracts.judged_lists import JudgedLists

__all__ = [
    "Better",
    "Interval",
    "Kind",
    "Metric",
    "difference",
    "mean_with_interval",
]

Better = Literal["higher", "lower", "none"]
Kind = Literal["mean", "share", "whole"]

Interval = tuple[float, float, float]
"""Mean, and the bounds of its 95 % bootstrap interval."""

_RESAMPLES = 2000


class Metric(Protocol):
    """Says one thing of each list, or of all lists together.

    A class may also have ``needs_popularity = True``: where the judge has no ``popularity``, the
    metric is then left out.
    """

    at_depth: ClassVar[bool]
    """Whether it is computed for every K, as recall@5 and recall@10."""
    better: ClassVar[Better]
    """Which of two policies it speaks for; ``"none"`` where neither side is better."""
    kind: ClassVar[Kind]
    """``"mean"``: a number for each list; ``"share"``: 0 or 1 for each list, so that the mean is a
    share of lists; ``"whole"``: one number for all lists, such as how much of the catalog they name.
    Such a number belongs to the number of lists and has no interval: lists drawn with repetition
    never name more titles than all lists do, so a bootstrap would miss its own estimate."""
    needs_oracle: ClassVar[bool]
    """Whether it asks for verdicts; left out where the run has no oracle."""

    def __call__(self, lists: JudgedLists, k: int) -> Float[Tensor, ...]:
        """Return (N,), or a single value for kind ``"whole"``; NaN is "no value".

        Args:
            lists: The judged lists; what its ``..._counts`` hold at column k - 1 serves every K.
            k: How many ranks count, in 1..K; all K for a metric without depth.
        """
        ...


def mean_with_interval(values: Sequence[float], *, seed: int = 0) -> Interval | None:
    """Average over the samples that have a value, with a 95 % percentile bootstrap interval."""
    present = np.asarray([value for value in values if value == value], dtype=np.float64)
    if not len(present):
        return None
    generator = np.random.default_rng(seed)
    means = [present[generator.integers(0, len(present), len(present))].mean() for _ in range(_RESAMPLES)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(present.mean()), float(low), float(high)


def difference(before: Sequence[float], after: Sequence[float], *, seed: int = 0) -> Interval | None:
    """Compare two policies sample by sample: mean of after - before, paired bootstrap interval."""
    pairs = zip(before, after, strict=True)
    return mean_with_interval([second - first for first, second in pairs], seed=seed)
