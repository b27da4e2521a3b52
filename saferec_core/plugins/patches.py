"""Notice functions and classes of other modules that a plugin replaces, and put them back.

Looked at are saferec itself, pluggy, the parts of the standard library that it rests on and, once they are
loaded, torch and NumPy: modules of which a replaced function changes what everybody computes. Only what was a
function or a class counts, since modules keep state of their own under other names; what a plugin adds harms
nobody. Modules that a plugin removes from ``sys.modules`` come back as well.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property, lru_cache
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

__all__ = ["Patches", "patches_undone"]

_OURS = ("saferec_core", "saferec_plugins", "saferec_cli", "pluggy")
_OTHERS = (
    *(
        "csv",
        "decimal",
        "importlib.metadata",
        "io",
        "json",
        "json.decoder",
        "json.encoder",
        "logging",
        "math",
        "os",
    ),
    *("pathlib", "posixpath", "random", "shutil", "statistics", "tempfile", "time", "warnings"),
    *("numpy", "numpy.random", "torch", "torch.nn.functional"),
)
_CLASSES = ("logging.Logger", "pathlib.Path", "random.Random", "torch.Tensor")

_MOST_NAMED = 5

_FUNCTIONS = (FunctionType, BuiltinFunctionType, type, property, cached_property, classmethod, staticmethod)


_copies: dict[str, tuple[Any, dict[str, Any]]] = {}
"""By name, a module or class and its names as they were last; one that is as it was is not copied again."""
_classes: dict[str, tuple[dict[str, Any], list[type]]] = {}
"""By module, a copy of its names and the classes among them that it defines."""


class Patches:
    """The names of modules and classes that others may not replace, as they are at one moment."""

    def __init__(self) -> None:
        """Remember them."""
        self._modules = {name: sys.modules[name] for name in _names_of_modules()}
        self._names: dict[str, tuple[Any, dict[str, Any]]] = {}
        for name, module in self._modules.items():
            copy = self._names[name] = _remembered(name, module)
            if name.partition(".")[0] in _OURS:
                for cls in _classes_of(name, copy[1]):
                    path = f"{name}.{cls.__name__}"
                    self._names[path] = _remembered(path, cls)
        for name in _CLASSES:
            module_name, _, attribute = name.rpartition(".")
            if (owner := getattr(self._modules.get(module_name), attribute, None)) is not None:
                self._names[name] = _remembered(name, owner)

    def put_back(self) -> list[str]:
        """Put back what is no longer what it was, and return a note on each."""
        removed = [name for name, module in self._modules.items() if sys.modules.get(name) is not module]
        sys.modules.update((name, self._modules[name]) for name in removed)
        replaced = []
        for name, (owner, before) in self._names.items():
            now = vars(owner)
            if _is_same(now, before):
                continue
            for attribute, value in before.items():
                if now.get(attribute) is not value and isinstance(value, _FUNCTIONS):
                    setattr(owner, attribute, value)
                    replaced.append(f"{name}.{attribute}")
        return [*_note("removed the module", removed), *_note("replaced", replaced)]


def _remembered(name: str, owner: Any) -> tuple[Any, dict[str, Any]]:
    copy = _copies.get(name)
    if copy is None or copy[0] is not owner or not _is_same(vars(owner), copy[1]):
        # Another thread may import into it meanwhile, so that even a copy has to be one step.
        copy = _copies[name] = owner, dict(vars(owner))
    return copy


def _is_same(now: Any, before: dict[str, Any]) -> bool:
    """Compare names and values; those that are identical, as nearly all are, are not compared any further."""
    try:
        return bool(now == before)
    except Exception:  # noqa: BLE001 - an array, or whatever a plugin has put in the place of a function
        return False


def _classes_of(name: str, copy: dict[str, Any]) -> list[type]:
    kept = _classes.get(name)
    if kept is None or kept[0] is not copy:
        own = [value for value in copy.values() if isinstance(value, type) and value.__module__ == name]
        kept = _classes[name] = copy, own
    return kept[1]


def _note(verb: str, names: list[str]) -> Iterator[str]:
    if names:
        more = ", ..." if len(names) > _MOST_NAMED else ""
        yield f"{verb} {', '.join(names[:_MOST_NAMED])}{more} (put back)"


@contextmanager
def patches_undone(notes: list[str]) -> Iterator[None]:
    """Put back what code replaces meanwhile, and note what it was."""
    patches = Patches()
    try:
        yield
    finally:
        notes += patches.put_back()


def _names_of_modules() -> Iterator[str]:
    for name in (*_ours(tuple(sys.modules)), *_OTHERS):
        if isinstance(sys.modules.get(name), ModuleType):
            yield name


@lru_cache(maxsize=1)
def _ours(modules: tuple[str, ...]) -> list[str]:
    return [name for name in modules if name.partition(".")[0] in _OURS]
