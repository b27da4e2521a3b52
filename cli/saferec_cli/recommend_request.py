"""What ``saferec recommend`` and ``saferec serve`` share: the settings of a policy, and what they lack."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import typer

from saferec_cli.eval_request import run_folder
from saferec_cli.resolve import oracle_name, setting_layers
from saferec_core.config.load import Layer, Resolved, resolved
from saferec_core.config.schema import RecommendConfig
from saferec_core.errors import RunError
from saferec_core.evaluation.baseline_names import names_baseline
from saferec_core.plugins.offered import Plugins
from saferec_core.runs.layout import run_of
from saferec_core.runs.prompts import recommend_layers, unknown_instruction

__all__ = ["recommend_request"]


def recommend_request(
    policy: str,
    run: str | None,
    catalog_path: Path | None,
    oracle_path: Path | None,
    instruction: str | None,
    settings: Iterable[str],
    *,
    plugins: Plugins,
    num_titles: int | None,
    unknown: str,
) -> tuple[Resolved[RecommendConfig], list[str]]:
    """Resolve what a policy needs: the settings of *run*, else of the run that it lies in, then flags.

    Returns:
        The resolved configuration, and every problem that keeps the policy from recommending.

    Raises:
        RunError: The policy or the run does not exist.
    """
    from saferec_core.preflight.check import find_problems  # Arrow; not for --help
    from saferec_core.preflight.inputs import is_local

    is_baseline = names_baseline(policy)
    if not is_baseline and is_local(policy) and not Path(policy).exists():
        raise RunError(f"{policy} does not exist; name a run folder, a checkpoint or a model")
    flags: dict[str, Any] = {} if num_titles is None else {"num_ranks": num_titles}
    if catalog_path is not None:
        flags["data"] = {"catalog_path": str(catalog_path)}
    if oracle_path is not None:
        flags["oracle"] = {"path": str(oracle_path)}
    if instruction is not None:
        flags["prompts"] = {"instruction": instruction}
    source = run_folder(run) or policy
    request = _resolved(policy, source, [Layer("flags", flags), *setting_layers(settings)])
    problems = list(request.problems)
    needs_train = is_baseline and policy != "random"
    if needs_train and request.config.data.train_path is None:
        problems.append(f"{policy} needs training records; name a run that has them with --run RUN")
        needs_train = False
    problems += find_problems(request.config, plugins, policy=not is_baseline, train=needs_train)
    if unknown not in {"allow", "forbid"}:
        problems.append(f"--unknown must be allow or forbid, but is {unknown!r}")
    if (
        not problems
        and not is_baseline
        and (note := unknown_instruction(policy, run_of(Path(source)), request))
    ):
        typer.echo(f"Note: {note}", err=True)
    return request, problems


def _resolved(policy: str, source: str, given: Sequence[Layer]) -> Resolved[RecommendConfig]:
    run = run_of(Path(source))
    files = [] if run is None else recommend_layers(run)
    named = Layer("POLICY", {"model": {"model": policy}})
    return resolved(RecommendConfig, files=files, overrides=[oracle_name(files, given), *given, named])
