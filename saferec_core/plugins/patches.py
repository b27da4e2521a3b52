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
from functools import cached_property
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


class Patches:
    """The names of modules and classes that others may not replace, as they are at one moment."""

    def __init__(self) -> None:
        """Remember them."""
        self._modules = {name: sys.modules[name] for name in _names_of_modules()}
        self._names: dict[str, tuple[Any, dict[str, Any]]] = {}
        for name, module in self._modules.items():
            values = dict(vars(module))  # a copy: another thread may import into it meanwhile
            self._names[name] = module, values
            if name.partition(".")[0] in _OURS:
                for attribute, value in values.items():
                    if isinstance(value, type) and value.__module__ == name:
                        self._names[f"{name}.{attribute}"] = value, dict(vars(value))
        for name in _CLASSES:
            module_name, _, attribute = name.rpartition(".")
            if (cls := getattr(self._modules.get(module_name), attribute, None)) is not None:
                self._names[name] = cls, dict(vars(cls))

    def put_back(self) -> list[str]:
        """Put back what is no longer what it was, and return a note on each."""
        removed = [name for name, module in self._modules.items() if sys.modules.get(name) is not module]
        sys.modules.update((name, self._modules[name]) for name in removed)
        replaced = []
        for name, (owner, before) in self._names.items():
            now = vars(owner)
            for attribute, value in before.items():
                if now.get(attribute) is not value and isinstance(value, _FUNCTIONS):
                    setattr(owner, attribute, value)
                    replaced.append(f"{name}.{attribute}")
        return [*_note("removed the module", removed), *_note("replaced", replaced)]


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
    for name, module in list(sys.modules.items()):
        if (name.partition(".")[0] in _OURS or name in _OTHERS) and isinstance(module, ModuleType):
            yield name
