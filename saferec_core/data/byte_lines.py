"""Open a file, gzipped or not, and read its lines as bytes."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from saferec_core.errors import DataError

__all__ = ["lines_of", "open_bytes"]


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file that may be gzipped.

    Raises:
        DataError: It cannot be read.
    """
    try:
        if path.suffix.lower() == ".gz":
            return io.BufferedReader(gzip.open(path, "rb"), 1 << 20)
        return path.open("rb", buffering=1 << 20)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def lines_of(file: IO[bytes], path: Path) -> Iterator[bytes]:
    """Yield the lines of an open file; *path* is what an error names."""
    try:
        yield from file
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read to its end: {error}") from error
