"""What code of a plugin may not leave changed: the state that a whole process shares."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

from saferec_core.plugins.finders import Finders
from saferec_core.plugins.process_parts import PARTS, PARTS_AT_LOADING, Part

__all__ = ["surroundings_kept"]

_MOST_NAMED = 5


@contextmanager
def surroundings_kept(notes: list[str], *, loading: bool = False) -> Iterator[None]:
    """Put back what code changes meanwhile, and note what it was.

    Args:
        notes: Takes what was changed.
        loading: Whether a plugin is loaded. The umask, which cannot be read without being set for a moment,
            is looked at only then: later, other threads write files.
    """
    parts = {**PARTS, **PARTS_AT_LOADING} if loading else PARTS
    before = {what: part.read() for what, part in parts.items()}
    try:
        yield
    finally:
        for what, part in parts.items():
            if note := _put_back(what, part, before[what]):
                notes.append(note)


def _put_back(what: str, part: Part, before: Any) -> str:
    """Put back one part if it changed, and return a note on it, whatever a plugin has put in its place."""
    keys, outcome = "", "put back"
    try:
        after = part.read()
        if not _changed(before, after):
            return ""
        keys = _keys_changed(before, after)
    except Exception:  # noqa: BLE001 - what cannot be read or compared is not what it was
        keys = ""
    try:
        part.put_back(before)
    except Exception as error:  # noqa: BLE001 - the other parts are put back all the same
        outcome = f"cannot be put back: {type(error).__name__}"
    return f"changed {what}{keys} ({outcome})"


def _changed(before: Any, after: Any) -> bool:
    """Compare; a module that was not loaded before has no state to put back."""
    if isinstance(before, MappingProxyType):
        return any(after.get(module, state) != state for module, state in before.items())
    return bool(before != after)


def _keys_changed(before: Any, after: Any) -> str:
    """Name what changed of a state that has names."""
    if isinstance(before, Finders):
        return "".join(f": {name} came first" for name in after.put_before(before)[:1])
    if isinstance(before, tuple) and isinstance(before[-1], dict):
        before, after = before[-1], after[-1]
    if not isinstance(before, dict):
        return ""
    changed = (key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    keys = sorted(key.decode(errors="replace") if isinstance(key, bytes) else str(key) for key in changed)
    more = ", ..." if len(keys) > _MOST_NAMED else ""
    return f": {', '.join(keys[:_MOST_NAMED])}{more}" if keys else ""
