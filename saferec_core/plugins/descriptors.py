"""The descriptors of standard input, output and error, which are opened again where a plugin closes them."""

from __future__ import annotations

import os
from contextlib import suppress

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["descriptors", "put_back_descriptors"]

File = tuple[int, int]
"""What tells two open files apart: device and inode."""

_STANDARD = (0, 1, 2)
_KEPT = 8
_copies: dict[File, int] = {}
"""A further descriptor of each file that was behind one of them lately; the oldest first."""


def descriptors() -> tuple[File | None, ...]:
    """Return the file behind each; None where it is closed. What is open can be put back later."""
    return tuple(map(_file, _STANDARD))


def put_back_descriptors(before: tuple[File | None, ...]) -> None:
    """Put back what :func:`descriptors` returned; one that was closed stays as it is."""
    for number, file in zip(_STANDARD, before, strict=True):
        if file is not None and _file(number) != file:
            os.dup2(_copies[file], number, inheritable=True)


def _file(number: int) -> File | None:
    try:
        status = os.fstat(number)
    except OSError:
        return None
    file = status.st_dev, status.st_ino
    if file not in _copies:
        with suppress(OSError):
            _copies[file] = _copy(number)
        if len(_copies) > _KEPT:
            os.close(_copies.pop(next(iter(_copies))))
    return file


def _copy(number: int) -> int:
    """Return a further descriptor above the standard ones, which a program that is started does not get."""
    return os.dup(number) if fcntl is None else fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, max(_STANDARD) + 1)
