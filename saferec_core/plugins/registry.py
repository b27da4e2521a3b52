"""Names and what they stand for, noted down without importing it."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Generic, TypeVar

from saferec_core.errors import NameTakenError, PluginError, UnknownNameError
from saferec_core.plugins.endings import note_package
from saferec_core.plugins.isolation import LOGGER, Isolation, in_words
from saferec_core.plugins.patches import patches_undone
from saferec_core.plugins.plain_text import plain

__all__ = [
    "Entry",
    "Origin",
    "Registry",
    "entry_of",
    "imported_files",
    "loaded_entries",
    "module_of_file",
    "note_entries",
]

T = TypeVar("T")

_OF_FILES = "saferec_plugin_file_"
"""How names of modules begin that were imported from a file."""
_LONGEST_NAME = 64
_NAME = re.compile(rf"[^\W\d_][\w-]{{0,{_LONGEST_NAME - 1}}}")
"""Names are keys of configurations, parts of ``--set`` paths and columns of tables."""

BUILT_IN = "saferec"
"""The distribution of the built-in plugins."""

_ENTRIES: dict[type[Any], Entry[Any]] = {}
"""The entry that each component class was loaded from, so that failures name the plugin."""


@dataclass(frozen=True)
class Origin:
    """The entry point, or the file, that supplies something."""

    entry_point: str
    distribution: str
    """Name of the distribution; the path of a file that a run names by ``--plugin``."""
    version: str
    """Version of the distribution; of a file, the beginning of its SHA-256."""

    @property
    def is_built_in(self) -> bool:
        """Whether it belongs to saferec itself."""
        return self.distribution == BUILT_IN

    @property
    def supplier(self) -> str:
        """Distribution and version."""
        return f"{self.distribution} {self.version}"

    def __str__(self) -> str:
        if self.version.startswith("sha256:"):
            return self.supplier
        return f"{self.supplier} (entry point {self.entry_point!r})"


@dataclass(frozen=True)
class Entry(Generic[T]):
    """A registered component: its name, where its code is, and who supplies it."""

    kind: str
    name: str
    reference: str
    """``module:attribute`` of a class or factory; imported only when a run names the component."""
    summary: str
    """One line for ``saferec plugins list``."""
    origin: Origin

    def __str__(self) -> str:
        """Return the component and its supplier, as errors name them."""
        return f"{self.kind} {self.name!r} of {self.origin.supplier}"

    def load(self) -> type[T]:
        """Import what the entry stands for.

        Raises:
            PluginError: The module or the attribute cannot be imported; the message names the plugin.
        """
        module_name, _, attribute = self.reference.rpartition(":")
        notes: list[str] = []
        undone = nullcontext() if self.origin.is_built_in else patches_undone(notes)
        what = "" if self.origin.is_built_in else f"{self}, being imported,"
        with undone, Isolation(what) as importing:
            module = (
                module_of_file(Path(module_name))
                if module_name.endswith(".py")
                else import_module(module_name)
            )
            loaded: type[T] = getattr(module, attribute)
        if notes := [*importing.notes, *notes]:
            LOGGER.info("%s, when it was imported: %s", self, "; ".join(notes))
        if importing.failure is not None:
            error = importing.failure
            LOGGER.debug("%s cannot be loaded", self, exc_info=error)
            raise PluginError(
                f"{self.kind} {self.name!r} of {self.origin} cannot be loaded from "
                f"{self.reference!r}: {in_words(error)}"
            ) from error
        if isinstance(loaded, type):
            _ENTRIES[loaded] = self
        return loaded


def entry_of(component: object) -> Entry[Any] | None:
    """Return the entry that a component was built from; None for one that no plugin offers."""
    return _ENTRIES.get(type(component))


def loaded_entries() -> dict[tuple[str, str], Entry[Any]]:
    """Return what this process has loaded, by the module and the name of its class."""
    return {(loaded.__module__, loaded.__qualname__): entry for loaded, entry in _ENTRIES.items()}


def note_entries(entries: Mapping[tuple[str, str], Entry[Any]]) -> None:
    """Take over from another process which entry a class was loaded from, if its module is imported here."""
    for (module, name), entry in entries.items():
        if isinstance(found := getattr(sys.modules.get(module), name, None), type):
            _ENTRIES[found] = entry


def module_of_file(path: Path) -> Any:
    """Import a file as a module, once in a process."""
    digest = hashlib.sha256(str(path).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    name = f"{_OF_FILES}{digest}_{path.stem}"  # two files of one name are two plugins
    note_package(name)
    loaded = sys.modules.get(name)
    if loaded is not None and loaded.__file__ == str(path):
        return loaded
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def imported_files() -> list[Path]:
    """Return the files that :func:`module_of_file` has imported in this process."""
    modules = ((name, getattr(module, "__file__", None)) for name, module in sys.modules.copy().items())
    return [Path(file) for name, file in modules if name.startswith(_OF_FILES) and file is not None]


def _spelling(name: str) -> str:
    """Return what two spellings of one name, with ``-`` or ``_``, have in common."""
    return name.replace("_", "-")


class Registry(Generic[T]):
    """The components of one kind, by name.

    A plugin's registration hook receives the registry and calls :meth:`add` for each component.
    """

    def __init__(self, kind: str) -> None:
        """Make an empty registry of components of this *kind*, such as ``"reward"``."""
        self.kind = kind
        self._entries: list[Entry[T]] = []
        self._origin: Origin | None = None

    def add(self, name: str, reference: str, *, summary: str) -> None:
        """Offer a component under *name*.

        A name that another plugin offers as well stands for nothing: a run that asks for it is refused, and
        the message names both plugins.

        Args:
            name: What a run configuration calls it; lower case, words joined by ``_`` or ``-``.
            reference: ``"package.module:attribute"``. Nothing is imported before a run names it.
            summary: What it does, in one line.

        Raises:
            NameTakenError: The plugin offers the name twice.
            PluginError: The name or the reference is malformed.
        """
        if self._origin is None:
            raise PluginError(f"{self.kind} {name!r} was registered outside a registration hook")
        for argument, value in (("name", name), ("reference", reference), ("summary", summary)):
            if type(value) is not str:  # of a class of its own it may compare as it likes
                raise PluginError(
                    f"{self._origin} offers a {self.kind} whose {argument} must be text, but is {value!r}"
                )
        if name != name.lower() or not _NAME.fullmatch(name):
            raise PluginError(
                f"{self._origin} offers a {self.kind} under the malformed name {name!r:.100}; expected are "
                f"at most {_LONGEST_NAME} lower-case letters, digits, - and _, a letter first"
            )
        module, _, attribute = reference.rpartition(":")
        if not (module and attribute):
            raise PluginError(
                f"{self._origin} offers {self.kind} {name!r} as {reference!r}; expected "
                "'package.module:attribute'"
            )
        if any(entry.origin == self._origin for entry in self._called(name)):
            raise NameTakenError(f"{self._origin} offers {self.kind} {name!r} twice")
        if not self._origin.is_built_in:
            note_package(module)
        self._entries.append(Entry(self.kind, name, reference, plain(summary), self._origin))

    def get(self, name: str) -> Entry[T]:
        """Return the entry called *name*, written with ``-`` or ``_``.

        Raises:
            UnknownNameError: There is none; the message names the near misses.
            NameTakenError: Several plugins offer it; the message names them.
        """
        entries = self._called(name)
        if not entries:
            raise UnknownNameError(self.kind, name, {entry.name for entry in self._entries})
        if len(entries) > 1:
            both = " and by ".join(str(entry.origin) for entry in entries)
            outside = next((entry.origin for entry in entries if not entry.origin.is_built_in), None)
            which = outside.distribution if outside is not None else "NAME"
            raise NameTakenError(
                f"{self.kind} {name!r} is offered twice: by {both}. Switch one of them off, such as with "
                f"--no-plugin {which}, uninstall it, or ask its author for another name."
            )
        return entries[0]

    def conflicts(self) -> Mapping[str, tuple[Entry[T], ...]]:
        """Return the names that several plugins offer, with all that offer them."""
        names = sorted({_spelling(entry.name) for entry in self._entries})
        return {name: tuple(entries) for name in names if len(entries := self._called(name)) > 1}

    def _called(self, name: str) -> list[Entry[T]]:
        return [entry for entry in self._entries if _spelling(entry.name) == _spelling(name)]

    def __iter__(self) -> Iterator[Entry[T]]:
        return iter(sorted(self._entries, key=lambda entry: entry.name))

    def __len__(self) -> int:
        return len(self._entries)

    def withdraw(self, origin: Origin) -> list[Entry[T]]:
        """Withdraw everything that *origin* has offered, and return it."""
        withdrawn = [entry for entry in self._entries if entry.origin == origin]
        self._entries = [entry for entry in self._entries if entry.origin != origin]
        return withdrawn

    @contextmanager
    def offered_by(self, origin: Origin) -> Iterator[None]:
        """Note *origin* as the supplier of everything that is added meanwhile.

        Raises:
            PluginError: What others offer was changed; it is put back.
        """
        before = list(self._entries)
        self._origin = origin
        try:
            yield
        finally:
            self._origin = None
            kept = self._entries[: len(before)] if isinstance(self._entries, list) else []
            if kept != before:
                self._entries = before
        if any(entry.origin is not origin for entry in self._entries[len(before) :]):
            self._entries = before
            raise PluginError(f"{origin} offers {self.kind} components in the name of others")
        if kept != before:
            raise PluginError(f"{origin} changed the {self.kind} components of other plugins")
