"""Words that the shell completes: components, metrics, traits and runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from saferec_core.errors import SaferecError

__all__ = ["components", "metrics", "names_of", "runs", "traits"]


def names_of(registry: str) -> Callable[[str], list[str]]:
    """Return what completes the names of one kind of component, such as ``"rewards"``."""

    def complete(incomplete: str) -> list[str]:
        from saferec_core.plugins.manager import load_plugins  # only when the shell asks

        try:
            entries = getattr(load_plugins(), registry)
        except SaferecError:
            return []
        return _beginning(incomplete, (entry.name for entry in entries))

    return complete


def components(incomplete: str) -> list[str]:
    """Complete the name of any component."""
    from saferec_core.plugins.manager import load_plugins  # only when the shell asks

    try:
        return _beginning(incomplete, (entry.name for entry in load_plugins()))
    except SaferecError:
        return []


def metrics(incomplete: str) -> list[str]:
    """Complete a metric, with the cutoffs that are evaluated by default."""
    names = names_of("metrics")("")
    return _beginning(incomplete, [*names, *(f"{name}@{k}" for name in names for k in (5, 10))])


def traits(incomplete: str) -> list[str]:
    """Complete the name of a built-in trait."""
    from saferec_core.data.traits import read_traits  # only when the shell asks

    return _beginning(incomplete, read_traits())


def runs(incomplete: str) -> list[str]:
    """Complete a run folder below ``runs/``, or any path."""
    from saferec_core.runs.layout import RunLayout  # only when the shell asks

    known = [str(run.path) for run in map(RunLayout, Path("runs").glob("*")) if run.exists]
    matching = _beginning(incomplete, known)
    if matching:
        return matching
    path = Path(incomplete)
    folder = path if incomplete.endswith("/") else path.parent
    if not folder.is_dir():
        return []
    paths = (f"{path}/" if path.is_dir() else str(path) for path in folder.iterdir())
    return _beginning(incomplete.removeprefix("./"), paths)


def _beginning(incomplete: str, words: Iterable[str]) -> list[str]:
    return sorted({word for word in words if word.startswith(incomplete)})
