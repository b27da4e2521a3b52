"""What ``saferec eval`` and ``saferec baseline`` share: whose data, which settings, what is printed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from saferec_cli.printing import print_json
from saferec_cli.resolve import oracle_name
from saferec_core.config.load import Layer, Resolved, eval_settings, resolved
from saferec_core.config.schema import EvalConfig
from saferec_core.config.settings import read_settings
from saferec_core.errors import RunError
from saferec_core.runs.layout import run_of
from saferec_core.runs.manifest import stage_of
from saferec_core.runs.prompts import prompts_layers

__all__ = ["eval_request", "print_summaries", "run_folder"]


def eval_request(
    run: str | None, config: Path | None, given: list[Layer], *, evaluated: str
) -> Resolved[EvalConfig]:
    """Resolve the settings of an evaluation: those of *config*, else of the run that *run* lies in.

    Args:
        run: A run folder, a policy, or nothing.
        config: A configuration to use instead of the run's.
        given: What flags say.
        evaluated: The policy, file or baseline that is evaluated.
    """
    folder = run_of(Path(run)) if run is not None else None
    file = config or (folder.config if folder else None)
    files = [] if file is None else [Layer(str(file), eval_settings(read_settings(file)))]
    if folder is not None and config is None and stage_of(folder) in {"train", "sft"}:
        files.insert(0, Layer(str(folder.path), {"evaluation": {"eval_year": "required"}}))
    if folder is not None:
        files[:0] = prompts_layers(folder, sentences=False)
    named = Layer("POLICY", {"model": {"model": evaluated}})
    return resolved(EvalConfig, files=files, overrides=[oracle_name(files, given), *given, named])


def run_folder(run: str | None) -> str | None:
    """Refuse a run that is not a run folder.

    Raises:
        RunError: It is not one, and lies in none.
    """
    if run is not None and run_of(Path(run)) is None:
        raise RunError(f"{run} is not a run folder; leave it out, and name the data by --config or flags")
    return run


def print_summaries(summaries: Mapping[str, Any]) -> None:
    """Print what was measured as JSON."""
    print_json(summaries)
