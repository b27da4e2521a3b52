"""Find the evaluation file that a user means by naming a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from saferec_core.errors import ConfigError, RunError, near_misses
from saferec_core.runs.layout import WHEN, RunLayout

__all__ = ["find_before_and_after", "find_results"]

_DEFAULT = ("after", "policy")


def find_results(run: Path, *, when: str | None = None, decoding: str = "greedy") -> Path:
    """Return the Parquet file that *run* stands for.

    Args:
        run: A run folder, its evaluation folder, or a Parquet file, which is taken as it is.
        when: Which evaluation of a folder; None: after training, else that of the policy by itself.
        decoding: Which decoding, with what was changed about the constraints, if anything.

    Raises:
        ConfigError: *when* is not one of `WHEN`.
        RunError: The evaluation does not exist; the message lists those that do.
    """
    if when is not None and when not in WHEN:
        raise ConfigError(f"--when must be one of {', '.join(WHEN)}, but is {when!r}")
    if run.is_file():
        return run
    evaluations = _evaluations(run)
    for moment in _DEFAULT if when is None else (when,):
        if (name := f"{moment}-{decoding}") in evaluations:
            return evaluations[name]
    wanted = " or ".join(f"{moment}-{decoding}" for moment in (_DEFAULT if when is None else (when,)))
    raise RunError(
        f"{run} holds no evaluation {wanted}.{_hint(evaluations, decoding)} "
        f"Available: {', '.join(sorted(evaluations))}. Choose with --when and --decoding."
    )


def find_before_and_after(run: Path, *, decoding: str = "greedy") -> tuple[Path, Path]:
    """Return a run's evaluations before and after training.

    Raises:
        RunError: *run* is not a run folder, or one of the two is missing.
    """
    if run.is_file():
        raise RunError(f"{run} is one evaluation; name a second one to compare it with, or a run folder")
    return (
        find_results(run, when="before", decoding=decoding),
        find_results(run, decoding=decoding),
    )


def _evaluations(run: Path) -> Mapping[str, Path]:
    """Return the evaluations of a folder by the names of their files."""
    if not run.exists():
        raise RunError(
            f"{run} does not exist; expected a run folder, its evaluation folder or a .parquet file"
        )
    own = RunLayout(run).evaluation
    folder = own if own.is_dir() else run
    evaluations = {path.stem: path for path in sorted(folder.glob("*.parquet"))}
    if not evaluations:
        raise RunError(
            f"{run} holds no evaluation (no .parquet file in {folder}); "
            "expected a run folder that was evaluated: see saferec eval"
        )
    return evaluations


def _hint(evaluations: Mapping[str, Path], decoding: str) -> str:
    decodings = {name.partition("-")[2] for name in evaluations}
    return "" if decoding in decodings else near_misses(decoding, decodings)
