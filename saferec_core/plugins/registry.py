"""Names and what they stand for, noted down without importing it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Generic, TypeVar

from saferec_core.errors import NameTakenError, PluginError, UnknownNameError

__all__ = ["Entry", "Origin", "Registry"]

T = TypeVar("T")


@dataclass(frozen=True)
class Origin:
    """The entry point that supplies something."""

    entry_point: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version} (entry point {self.entry_point!r})"


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

    def load(self) -> type[T]:
        """Import what the entry stands for.

        Raises:
            PluginError: The module or the attribute cannot be imported; the message names the plugin.
        """
        module_name, _, attribute = self.reference.partition(":")
        try:
            loaded: type[T] = getattr(import_module(module_name), attribute)
        except (
            Exception,
            SystemExit,
        ) as error:  # whatever a plugin's import raises, the plugin is to be named
            raise PluginError(
                f"{self.kind} {self.name!r} of {self.origin} cannot be loaded from "
                f"{self.reference!r}: {type(error).__name__}: {error}"
            ) from error
        return loaded


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
        self._entries: dict[str, Entry[T]] = {}
        self._origin: Origin | None = None

    def add(self, name: str, reference: str, *, summary: str) -> None:
        """Offer a component under *name*.

        Args:
            name: What a run configuration calls it; lower case, words joined by ``_`` or ``-``.
            reference: ``"package.module:attribute"``. Nothing is imported before a run names it.
            summary: What it does, in one line.

        Raises:
            NameTakenError: The name is taken; the message names both origins.
            PluginError: The name or the reference is malformed.
        """
        if self._origin is None:
            raise PluginError(f"{self.kind} {name!r} was registered outside a registration hook")
        if not name or name != name.strip().lower() or " " in name:
            raise PluginError(f"{self._origin} offers a {self.kind} under the malformed name {name!r}")
        if ":" not in reference:
            raise PluginError(
                f"{self._origin} offers {self.kind} {name!r} as {reference!r}; wanted "
                "'package.module:attribute'"
            )
        taken = next((entry for entry in self if _spelling(entry.name) == _spelling(name)), None)
        if taken is not None:
            raise NameTakenError(
                f"{self.kind} {name!r} is offered twice: by {taken.origin} and by "
                f"{self._origin}. Uninstall one of them or ask its author for another name."
            )
        self._entries[name] = Entry(self.kind, name, reference, summary, self._origin)

    def get(self, name: str) -> Entry[T]:
        """Return the entry called *name*, written with ``-`` or ``_``.

        Raises:
            UnknownNameError: There is none; the message names the near misses.
        """
        for entry in self:
            if _spelling(entry.name) == _spelling(name):
                return entry
        raise UnknownNameError(self.kind, name, self._entries)

    def __iter__(self) -> Iterator[Entry[T]]:
        return iter(sorted(self._entries.values(), key=lambda entry: entry.name))

    def __len__(self) -> int:
        return len(self._entries)

    @contextmanager
    def offered_by(self, origin: Origin) -> Iterator[None]:
        """Note *origin* as the supplier of everything that is added meanwhile."""
        self._origin = origin
        try:
            yield
        finally:
            self._origin = None
