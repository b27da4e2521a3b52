"""``saferec eval``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from saferec_cli.flags import nested, with_flags
from saferec_cli.options import JsonOption, SettingOption
from saferec_cli.resolve import oracle_name
from saferec_core.config import RunConfig, SftConfig, TrainConfig
from saferec_core.errors import RunError
from saferec_core.plugins import load_plugins
from saferec_core.settings import parse_setting, read_settings, validated

__all__ = ["evaluate"]


@with_flags(TrainConfig)
def evaluate(
    policy: Annotated[str, typer.Argument(help="Run folder, checkpoint, model folder or hub id.")],
    config: Annotated[
        Path | None, typer.Option(help="Run configuration (YAML); that of the policy's run if any.")
    ] = None,
    setting: SettingOption = None,
    as_json: JsonOption = False,
    *,
    flags: dict[str, object],
) -> None:
    """Evaluate a policy on held-out prompts, with 95 % bootstrap intervals."""
    place = Path(policy)
    local = (
        policy.startswith((".", "/"))
        or policy.count("/") > 1
        or (place.name != policy and place.parent.is_dir())
    )
    if local and not place.exists():
        raise RunError(f"{policy} does not exist; wanted a run folder, a checkpoint or a model")
    found = config or _config_of_run(place)
    settings = read_settings(found) if found is not None else {}
    kind: type[RunConfig] = SftConfig if "max_length" in settings else TrainConfig
    known = {path: value for path, value in flags.items() if path.split(".")[0] in kind.model_fields}
    given = [nested(known), *map(parse_setting, setting or ()), {"model": {"model": policy}}]
    resolved = validated(kind, files=[settings], overrides=[oracle_name([settings], given), *given])

    from saferec_cli.render import RichObserver  # --help needs none of this
    from saferec_cli.running import running
    from saferec_core.held_out import run_eval  # imports torch
    from saferec_core.observer import Observer

    observer = Observer() if as_json else RichObserver()
    with running():
        evaluations = run_eval(resolved, load_plugins(), observer)
    if as_json:
        summaries = {found.protocol: found.summary() for found in evaluations}
        typer.echo(json.dumps(summaries, indent=2))


def _config_of_run(policy: Path) -> Path | None:
    """Find the resolved configuration of the run that a policy's folder lies in."""
    candidates = (folder / "config.yaml" for folder in (policy, *policy.parents[:3]))
    return next((path for path in candidates if path.is_file()), None)
