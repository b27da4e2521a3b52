"""Pickles of plain data: containers, strings and numbers. Whatever could run code is refused."""

from __future__ import annotations

import pickle
import pickletools
import reprlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from saferec_core.data.byte_lines import open_bytes
from saferec_core.errors import DataError

__all__ = ["read_plain_pickle"]

_RUNS_CODE = {"GLOBAL", "STACK_GLOBAL", "INST", "OBJ", "REDUCE", "BUILD", "NEWOBJ", "NEWOBJ_EX"}
_RUNS_CODE |= {"PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4"}

_UNREADABLE = (
    *(pickle.UnpicklingError, EOFError, LookupError, ValueError, TypeError, MemoryError),
    *(AttributeError, OverflowError, RecursionError),
)

_ORDER = reprlib.Repr()  # sorts nested sets and does not follow nesting without end
_ORDER.maxlevel, _ORDER.maxtuple, _ORDER.maxstring, _ORDER.maxother = 3, 10, 1 << 20, 1 << 10


def read_plain_pickle(path: Path) -> Iterable[Any]:
    """Read a collection from a pickle.

    The Safe-Rank-GRPO paper's reference implementation keeps its catalog in one. A set comes as a sorted
    list: its own order differs from process to process.

    Raises:
        DataError: It contains an opcode that runs code, is damaged, or does not hold a collection.
    """
    with open_bytes(path) as file:
        content = file.read()
    try:
        opcodes = {opcode.name for opcode, _, _ in pickletools.genops(content)}
        if forbidden := sorted(opcodes & _RUNS_CODE):
            raise DataError(
                f"{path} is a pickle that could run code ({', '.join(forbidden)}); convert it to JSONL"
            )
        loaded = pickle.loads(content)  # noqa: S301 - only data opcodes are left
    except _UNREADABLE as error:
        raise DataError(f"{path} cannot be read as a pickle: {error}") from error
    if not isinstance(loaded, list | tuple | set | frozenset | dict):
        raise DataError(f"{path}: expected a collection, but got {type(loaded).__name__}")
    return sorted(loaded, key=_ORDER.repr) if isinstance(loaded, set | frozenset) else loaded
