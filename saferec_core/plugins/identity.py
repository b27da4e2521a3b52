"""What determines the work of a component: its options, the files that they name, and its code."""

from __future__ import annotations

import dataclasses
import hashlib
import sys
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from saferec_core.files import data_hash

__all__ = ["code_hash", "options_of"]

_READ_UP_TO = 1 << 24
"""Bytes of a file of a package whose content counts; a larger one, such as a model, changes with its date."""


def options_of(component: Any, *, without: Collection[str] = ()) -> dict[str, Any]:
    """Return the options of a component in JSON values, a file by its content.

    Args:
        component: The component; one that is not a dataclass has no options.
        without: Options that do not count.
    """
    if not dataclasses.is_dataclass(component):
        return {}
    fields = (field.name for field in dataclasses.fields(component))
    return {name: _plain(getattr(component, name)) for name in fields if name not in without}


@cache
def code_hash(package: str) -> str:
    """Return the hash of the files of a package, its data included, or of a single module."""
    module = sys.modules.get(package)
    folders = [Path(folder) for folder in getattr(module, "__path__", ())]  # several of a namespace package
    file = getattr(module, "__file__", None)
    files = [path for folder in folders for path in sorted(_files_below(folder))]
    if not folders and file is not None:
        files = [Path(file)]
    digest = hashlib.sha256(package.encode())
    for path in files:
        if path.is_file():
            state = path.stat()
            is_small = state.st_size <= _READ_UP_TO
            content = path.read_bytes() if is_small else f"{state.st_size} {state.st_mtime_ns}".encode()
            digest.update(path.name.encode() + content)
    return digest.hexdigest()


def _files_below(folder: Path) -> Iterator[Path]:
    """Yield the files of a package, without what tools keep beside them."""
    for path in folder.iterdir():
        if path.name.startswith(".") or path.name == "__pycache__":
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _files_below(path)
        elif path.is_file() and path.suffix != ".pyc":
            yield path


def _plain(value: Any) -> Any:
    """Represent an option in JSON; a file, also one in an oracle's options, by its content."""
    if isinstance(value, BaseModel):
        value = {**dict(value), **(value.model_extra or {})}
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        parts = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [_plain(part) for part in parts]
    if isinstance(value, Path) or (isinstance(value, str) and _names_file(value)):
        return {"content": data_hash(Path(value)) if Path(value).exists() else None}
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def _names_file(text: str) -> bool:
    """Return whether a text option names a file, as an oracle's may."""
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # a sentence, too long for a name, or with a null character
        return False
