"""How popular each catalog title is among the training records."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from saferec_core.data.catalog import Catalog
from saferec_core.data.records import Record

__all__ = ["popularity_percentiles"]


def popularity_percentiles(catalog: Catalog, records: Iterable[Record]) -> Float[Tensor, " C"] | None:
    """Place every catalog title among the others by how many *records* have it as ground truth.

    A title's percentile is the share of the catalog that is less popular, plus half of what is as
    popular, itself included. So 0.5 is what titles drawn evenly from the catalog average.

    Returns:
        C percentiles in 0..1, or None if no ground truth is in the catalog: nothing is known then.
    """
    counts = np.zeros(len(catalog), np.int64)
    for record in records:
        positions = {catalog.find(name, year) for name, year in record.groundtruth}
        counts[[position for position in positions if position is not None]] += 1
    if not counts.any():
        return None
    ordered = np.sort(counts)
    less = np.searchsorted(ordered, counts, "left")
    at_most = np.searchsorted(ordered, counts, "right")
    return torch.from_numpy((less + at_most) / (2 * len(counts)))
