"""What a user means by naming a run: the file of one of its evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from saferec_core.errors import ConfigError, RunError, near_misses
from saferec_core.runs.layout import WHEN, RunLayout

__all__ = ["find_before_and_after", "find_results"]

_DEFAULT = ("after", "policy")


def find_results(place: Path, *, when: str | None = None, decoding: str = "greedy") -> Path:
    """Return the Parquet file that *place* stands for.

    Args:
        place: A run folder, its evaluation folder, or a Parquet file, which is taken as it is.
        when: Which evaluation of a folder; None: after training, else that of the policy by itself.
        decoding: Which decoding, with what was changed about the constraints, if anything.

    Raises:
        ConfigError: *when* is none that there is.
        RunError: There is no such evaluation; what is there is named.
    """
    if when is not None and when not in WHEN:
        raise ConfigError(f"--when must be one of {', '.join(WHEN)}, but is {when!r}")
    if place.is_file():
        return place
    found = _evaluations(place)
    for moment in _DEFAULT if when is None else (when,):
        if (name := f"{moment}-{decoding}") in found:
            return found[name]
    wanted = " or ".join(f"{moment}-{decoding}" for moment in (_DEFAULT if when is None else (when,)))
    raise RunError(
        f"{place} holds no evaluation {wanted}.{_hint(found, decoding)} There: {', '.join(sorted(found))}. "
        "Choose with --when and --decoding."
    )


def find_before_and_after(place: Path, *, decoding: str = "greedy") -> tuple[Path, Path]:
    """Return a run's evaluations before and after training.

    Raises:
        RunError: *place* is no run folder, or one of the two is not there.
    """
    if place.is_file():
        raise RunError(f"{place} is one evaluation; name a second one to compare it with, or a run folder")
    return (
        find_results(place, when="before", decoding=decoding),
        find_results(place, when="after", decoding=decoding),
    )


def _evaluations(place: Path) -> Mapping[str, Path]:
    """Return the evaluations of a folder by the names of their files."""
    if not place.exists():
        raise RunError(
            f"{place} does not exist; wanted a run folder, its evaluation folder or a .parquet file"
        )
    own = RunLayout(place).evaluation
    folder = own if own.is_dir() else place
    found = {path.stem: path for path in sorted(folder.glob("*.parquet"))}
    if not found:
        raise RunError(
            f"{place} holds no evaluation (no .parquet file in {folder}); "
            "wanted a run folder that was evaluated: see saferec eval"
        )
    return found


def _hint(found: Mapping[str, Path], decoding: str) -> str:
    decodings = {name.partition("-")[2] for name in found}
    return "" if decoding in decodings else near_misses(decoding, decodings)
