"""Arrow tables in one file that ends with a seal, so that a damaged file or one that was cut off is noticed.

The file holds an Arrow IPC stream for each table, then 32 bytes: a mark, the length of the streams, and their
xxh3-128 hash.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import xxhash

__all__ = ["is_whole", "write_sealed"]

_MARK = b"SAFEREC\n"
_END_BYTES = 32
_BLOCK = 1 << 20


def write_sealed(path: Path, tables: Iterable[Any]) -> None:
    """Write tables, or readers of their batches, and the seal; the same batches give the same bytes."""
    import pyarrow as pa  # not for those who only ask whether a file is whole

    with path.open("w+b") as file:
        for table in tables:
            with pa.ipc.new_stream(file, table.schema) as stream:
                for batch in table if isinstance(table, pa.RecordBatchReader) else table.to_batches():
                    stream.write_batch(batch)
        length = file.tell()
        file.seek(0)
        file.write(_MARK + length.to_bytes(8, "little") + _digest(file, length))


def is_whole(path: Path) -> bool:
    """Return whether the content of a file agrees with the seal at its end."""
    with path.open("rb") as file:
        length = file.seek(0, os.SEEK_END) - _END_BYTES
        file.seek(max(length, 0))
        end = file.read()
        file.seek(0)
        wanted = _MARK + max(length, 0).to_bytes(8, "little")
        return end[: len(wanted)] == wanted and end[len(wanted) :] == _digest(file, length)


def _digest(file: Any, length: int) -> bytes:
    """Hash the next *length* bytes by reading instead of mapping them, which would keep them in memory."""
    digest = xxhash.xxh3_128()
    while length > 0 and (block := file.read(min(_BLOCK, length))):
        digest.update(block)
        length -= len(block)
    return digest.digest()
