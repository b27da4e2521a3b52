"""``saferec eval``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from saferec_cli.flags import nested, with_flags
from saferec_cli.options import JsonOption, SettingOption
from saferec_cli.resolve import oracle_name
from saferec_core.config.load import parse_setting, read_settings, validated
from saferec_core.config.schema import RunConfig, SftConfig, TrainConfig
from saferec_core.errors import RunError
from saferec_core.plugins.manager import load_plugins
from saferec_core.runs.layout import run_of

__all__ = ["evaluate"]


@with_flags(TrainConfig)
def evaluate(
    policy: Annotated[str, typer.Argument(help="Run folder, checkpoint, model folder or hub id.")],
    config: Annotated[
        Path | None, typer.Option(help="Run configuration (YAML); that of the policy's run if any.")
    ] = None,
    flip: Annotated[
        bool, typer.Option("--flip", help="Ask with constraints removed, added and swapped instead.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Folder for the results; the policy's run, or one of its own."),
    ] = None,
    setting: SettingOption = None,
    as_json: JsonOption = False,
    *,
    flags: dict[str, object],
) -> None:
    """Evaluate a policy on held-out prompts, with 95 % bootstrap intervals.

    Every sample is kept; an evaluation that was interrupted continues when it is called again.
    """
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
    from saferec_core.evaluation.run import run_eval, run_flip  # imports torch
    from saferec_core.runs.observer import Observer

    observer = Observer() if as_json else RichObserver()
    plugins = load_plugins()
    with running():
        if flip:
            responses = run_flip(resolved, plugins, observer, out=out)
            summaries = {found.results.protocol["id"]: found.as_data() for found in responses}
        else:
            evaluations = run_eval(resolved, plugins, observer, out=out)
            summaries = {found.protocol: found.summary() for found in evaluations}
    if as_json:
        typer.echo(json.dumps(_finite(summaries), indent=2))


def _finite(value: Any) -> Any:
    """Replace NaN, which JSON cannot say, by null."""
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if value != value else value


def _config_of_run(policy: Path) -> Path | None:
    """Find the resolved configuration of the run that a policy's folder lies in."""
    run = run_of(policy)
    return run.config if run else None
