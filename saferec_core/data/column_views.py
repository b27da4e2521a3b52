"""Columns of Arrow tables as arrays and views over the very same memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

__all__ = ["as_array", "one_chunk", "text_views"]

_NUMPY = {
    pa.uint64(): np.uint64,
    pa.int16(): np.int16,
    pa.int32(): np.int32,
    pa.uint8(): np.uint8,
    pa.int64(): np.int64,
    pa.float64(): np.float64,
}

_NO_OFFSETS = np.zeros(1, dtype=np.int64)


def text_views(column: Any) -> tuple[memoryview, memoryview]:
    """Return where the texts of a column begin, and end, in their bytes, and the bytes."""
    _, starts, letters = column.buffers()
    offsets = np.frombuffer(starts, dtype=np.int64) if starts is not None and starts.size else _NO_OFFSETS
    return offsets[column.offset :].data, memoryview(b"" if letters is None else letters).cast("B")


def one_chunk(column: Any) -> Any:
    """Return a column as one chunk, copied only if it consists of several."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def as_array(column: Any) -> Any:
    """Return a column without nulls as an array over the very same memory.

    Arrow's own conversion imports pandas.
    """
    chunk = one_chunk(column) if isinstance(column, pa.ChunkedArray) else column
    array = np.frombuffer(chunk.buffers()[1], dtype=_NUMPY[chunk.type])
    return array[chunk.offset : chunk.offset + len(chunk)]
