"""Keys that change with everything that determines the result of a step."""

from __future__ import annotations

import dataclasses
import hashlib
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import saferec_core
from saferec_core.files import data_hash, json_hash
from saferec_core.plugins.contracts.transform import Transform
from saferec_core.plugins.registry import Entry

__all__ = ["input_key", "step_key"]


def input_key(path: Path) -> str:
    """Return the key of a chain's input: its content."""
    return data_hash(path)


def step_key(before: str, entry: Entry[Any], transform: Transform) -> str:
    """Return the key of a step.

    It changes with the previous step, with the transform's version, its package's code and the core's, with
    its options and with the content of every file that they name. Options that a class names in
    ``incidental`` do not count: they change how the work is done, not what comes out.

    Args:
        before: Key of the previous step, or of the input.
        entry: Registry entry of the transform.
        transform: The transform itself.
    """
    options = {name: value for name, value in _fields(transform).items() if name not in transform.incidental}
    content = {
        "before": before,
        "saferec": saferec_core.__version__,
        "reference": entry.reference,
        "version": f"{entry.origin.distribution} {entry.origin.version}",
        "code": [_code_hash("saferec_core"), _code_hash(type(transform).__module__.partition(".")[0])],
        "options": _plain(options),
    }
    return json_hash(content)


def _fields(transform: Transform) -> dict[str, Any]:
    if not dataclasses.is_dataclass(transform):
        return {}
    return {field.name: getattr(transform, field.name) for field in dataclasses.fields(transform)}


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


@cache
def _code_hash(package: str) -> str:
    """Return the hash of the code of a package or single module."""
    file = getattr(sys.modules.get(package), "__file__", None)
    if file is None:
        return package
    path = Path(file)
    files = sorted(path.parent.rglob("*")) if path.name == "__init__.py" else [path]
    digest = hashlib.sha256()
    for source in files:
        if source.suffix in {".py", ".yaml"}:
            digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()
