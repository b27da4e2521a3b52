"""What tells one state of the data from another."""

from __future__ import annotations

import hashlib
from pathlib import Path

from saferec_core.errors import DataError

__all__ = ["data_hash"]


def data_hash(path: Path) -> str:
    """Return the SHA-256 of a file, or of all files of a folder with their names.

    Raises:
        DataError: It is neither, such as a pipe, which can be read only once.
    """
    if not path.is_file() and not path.is_dir():
        raise DataError(f"{path} is neither a file nor a folder; write it to a file first")
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            digest.update(str(file.relative_to(path)).encode() if path.is_dir() else b"")
            with file.open("rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
    return digest.hexdigest()
