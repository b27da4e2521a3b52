"""Plugins from a single file, without packaging: ``--plugin ./my_reward.py``.

Every class of the file that inherits a contract of saferec is offered under the name of the class, without
the word for its kind: ``MoodReward`` as the reward ``mood``. The file is read, not imported, until a run
names one of them. A file that implements hooks is a plugin as a package is.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from saferec_core.errors import PluginError
from saferec_core.plugins.contracts import CONTRACTS
from saferec_core.plugins.hookspecs import PROJECT
from saferec_core.plugins.registry import Origin

__all__ = ["FileComponent", "components_in", "has_hooks", "origin_of_file"]

_KIND_OF_BASE = {reference.rpartition(":")[2]: kind for kind, reference in CONTRACTS.items()}
_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_KIND_WORDS = {*CONTRACTS, "function", "source"}


class FileComponent(NamedTuple):
    """A component that a file defines."""

    kind: str
    name: str
    reference: str
    summary: str


def origin_of_file(path: Path) -> Origin:
    """Return what names a file as the supplier of components.

    Raises:
        PluginError: It cannot be read.
    """
    return Origin(path.name, str(path), f"sha256:{hashlib.sha256(_bytes(path)).hexdigest()[:12]}")


def has_hooks(path: Path) -> bool:
    """Tell whether a file implements hooks itself."""
    return any(
        isinstance(statement, ast.FunctionDef) and statement.name.startswith(f"{PROJECT}_")
        for statement in _parsed(path).body
    )


def components_in(path: Path) -> Iterator[FileComponent]:
    """Yield the components that a file defines.

    Raises:
        PluginError: It is not valid Python, or defines none.
    """
    count = 0
    for statement in _parsed(path).body:
        if not isinstance(statement, ast.ClassDef) or statement.name.startswith("_"):
            continue
        bases = [ast.unparse(base).rpartition(".")[2] for base in statement.bases]
        kind = next((_KIND_OF_BASE[base] for base in bases if base in _KIND_OF_BASE), None)
        if kind is None:
            continue
        count += 1
        summary = (ast.get_docstring(statement) or "").partition("\n")[0]
        yield FileComponent(kind, _name(statement.name), f"{path}:{statement.name}", summary)
    if not count:
        wanted = ", ".join(sorted(_KIND_OF_BASE))
        raise PluginError(f"{path} defines no component: a class that inherits one of {wanted}")


def _name(class_name: str) -> str:
    """Return ``mood`` for ``MoodReward``, ``rare-titles`` for ``RareTitles``."""
    words = [word.lower() for word in _WORDS.findall(class_name)]
    while len(words) > 1 and words[-1] in _KIND_WORDS:
        words.pop()
    return "_".join(words)


def _parsed(path: Path) -> ast.Module:
    try:
        return ast.parse(_bytes(path), filename=str(path))
    except (SyntaxError, ValueError) as error:
        raise PluginError(f"{path} is not valid Python: {error}") from error


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PluginError(f"{path} cannot be read: {error.strerror or error}") from error
