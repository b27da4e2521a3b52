"""Files and folders: hashes of what they hold, and replacing one as a whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from saferec_core.errors import DataError, RunError

__all__ = ["beside", "data_hash", "json_hash", "remove", "replacing", "write_text"]


def json_hash(content: Any) -> str:
    """Return the SHA-256 of *content* as JSON, whatever the order of its keys.

    An iterator in its place, or in a list in its place, counts as a list, of which an item at a time is read.
    """
    digest = hashlib.sha256()
    for text in _json_parts(content):
        digest.update(text.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _json_parts(content: Any) -> Iterator[str]:
    """Write JSON in pieces."""
    is_list_of_iterators = isinstance(content, list) and any(isinstance(each, Iterator) for each in content)
    if not isinstance(content, Iterator) and not is_list_of_iterators:
        yield json.dumps(content, sort_keys=True, ensure_ascii=False)
        return
    yield "["
    for number, item in enumerate(content):
        yield ", " if number else ""
        yield from _json_parts(item)
    yield "]"


def data_hash(path: Path) -> str:
    """Return the SHA-256 of a file, or of all files of a folder with their names.

    Raises:
        DataError: It is neither, such as a pipe, which can be read only once.
    """
    if path.is_file() and (state := path.stat()).st_size >= _REMEMBERED_FROM:
        return _hash_of_state(
            path, state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns
        )
    return _hash_now(path)


_REMEMBERED_FROM = 1 << 24
"""Bytes of a file whose hash a process remembers while nobody changes the file; smaller ones take no time."""


@lru_cache(maxsize=64)
def _hash_of_state(path: Path, *_state: int) -> str:
    return _hash_now(path)


def _hash_now(path: Path) -> str:
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


@contextmanager
def replacing(output: Path, called: Path | None = None) -> Iterator[Path]:
    """Yield the path of a draft, which replaces *output* once it is complete.

    A file is on disk before it replaces another, so that a power failure leaves the old or the new one.

    Args:
        output: A file or a folder.
        called: What an error names instead.

    Raises:
        RunError: The draft cannot be written; what was there is as it was.
    """
    draft, aside = beside(output, "draft"), beside(output, "old")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        remove(draft)
        try:
            yield draft
            if draft.is_file():
                with draft.open("rb") as file:
                    os.fsync(file.fileno())
            if output.is_dir():
                remove(aside)
                output.rename(aside)
            os.replace(draft, output)  # noqa: PTH105 - also for folders
        finally:
            remove(draft)
        remove(aside)
    except OSError as error:
        raise RunError(
            f"{called or output} cannot be written: {error.strerror or error}. What was there before is "
            "unchanged."
        ) from error


def write_text(path: Path, text: str) -> None:
    """Write a text file as a whole or not at all.

    Raises:
        RunError: It cannot be written; what was there is as it was.
    """
    with replacing(path) as draft:
        draft.write_text(text, encoding="utf-8", newline="\n")


def beside(output: Path, what: str) -> Path:
    """Name a hidden companion of *output*, such as its draft."""
    return output.with_name(f".{output.name}.{what}")


def remove(path: Path) -> None:
    """Remove a file, a link or a whole folder, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
