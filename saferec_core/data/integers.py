"""Arrays of Python's integers."""

from __future__ import annotations

from collections.abc import Sequence
from struct import pack

import numpy as np
from numpy.typing import NDArray

__all__ = ["int64_array"]


def int64_array(values: Sequence[int]) -> NDArray[np.int64]:
    """Return integers as an array; for thousands of them faster than `numpy.array` and `numpy.fromiter`."""
    return np.frombuffer(bytearray(pack(f"{len(values)}q", *values)), np.int64)
