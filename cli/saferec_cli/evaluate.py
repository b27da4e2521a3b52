"""``saferec eval``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from saferec_cli import completion
from saferec_cli.flags import with_flags
from saferec_cli.options import JsonOption, QuietOption, SettingOption, TransformOption
from saferec_cli.resolve import oracle_name, setting_layers, transform_layers
from saferec_core.config.load import Layer, Resolved, eval_settings, read_settings, resolved
from saferec_core.config.schema import EvalConfig
from saferec_core.errors import RunError, one_error
from saferec_core.plugins.manager import load_plugins
from saferec_core.runs.layout import RunLayout, run_of

__all__ = ["evaluate"]


@with_flags(EvalConfig, without=("model.model",))
def evaluate(
    policy: Annotated[
        str,
        typer.Argument(
            metavar="POLICY",
            help="Run folder, checkpoint, model folder or hub id.",
            autocompletion=completion.runs,
        ),
    ],
    config: Annotated[
        Path | None,
        typer.Option(
            help="Configuration (YAML); by default that of the policy's run.", rich_help_panel="Run"
        ),
    ] = None,
    flip: Annotated[
        bool,
        typer.Option(
            "--flip",
            help="Ask with constraints removed, added and swapped instead.",
            metavar=" ",
            rich_help_panel="Evaluation",
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder for the results; by default the policy's run, or a new folder.",
            rich_help_panel="Run",
        ),
    ] = None,
    transform: TransformOption = None,
    setting: SettingOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    *,
    flags: list[Layer],
) -> None:
    """Evaluate a policy on held-out prompts, with 95% bootstrap intervals.

    Data, catalog and oracle are those of the policy's run unless named. Every sample is kept; an
    interrupted evaluation continues when the same command is given again.
    """
    from saferec_core.preflight.check import find_problems  # Arrow; not for --help
    from saferec_core.preflight.inputs import is_local

    if is_local(policy) and not Path(policy).exists():
        raise RunError(f"{policy} does not exist; name a run folder, a checkpoint or a model")
    given = [*flags, *setting_layers(setting or ()), *transform_layers(transform or ())]
    request = _resolve(policy, config, given)
    plugins = load_plugins()
    problems = [*request.problems, *find_problems(request.config, plugins)]
    if flip and request.config.oracle is None:
        problems.append("--oracle-path is missing: --flip counts violations and needs an oracle")
    if problems:
        raise one_error(problems if is_local(policy) else _with_the_run_first(policy, problems))

    from saferec_cli.render import QuietObserver, RichObserver  # --help needs none of this
    from saferec_cli.running import running
    from saferec_core.evaluation.run import run_eval, run_flip  # imports torch
    from saferec_core.runs.observer import Observer

    observer = Observer() if as_json else QuietObserver() if quiet else RichObserver()
    summaries: dict[str, Any]
    with running("what was generated is kept; the same command continues from there"):
        if flip:
            responses = run_flip(request.config, plugins, observer, out=out)
            summaries = {evaluation.results.protocol["id"]: evaluation.as_data() for evaluation in responses}
        else:
            evaluations = run_eval(request.config, plugins, observer, out=out)
            summaries = {evaluation.protocol: evaluation.summary() for evaluation in evaluations}
    if as_json:
        typer.echo(json.dumps(_finite(summaries), indent=2))


def _resolve(policy: str, config: Path | None, given: list[Layer]) -> Resolved[EvalConfig]:
    run = run_of(Path(policy))
    file = config or (run.config if run else None)
    files = [] if file is None else [Layer(str(file), eval_settings(read_settings(file)))]
    named = Layer("POLICY", {"model": {"model": policy}})
    return resolved(EvalConfig, files=files, overrides=[oracle_name(files, given), *given, named])


def _with_the_run_first(policy: str, problems: list[str]) -> list[str]:
    """Begin with the name itself, which may be that of a mistyped run, if settings are missing as well."""
    if not any("is missing" in problem for problem in problems):
        return problems
    runs = [run.path for run in map(RunLayout, Path("runs").glob("*")) if run.exists]
    newest = max(runs, key=lambda run: run.stat().st_mtime, default=None)
    example = f", such as {newest}" if newest else ""
    first = f"{policy} is not a folder here, so it means a model on the hub; for a run, name its folder"
    return [f"{first}{example}", *problems]


def _finite(value: Any) -> Any:
    """Replace NaN, which JSON cannot say, by null."""
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if value != value else value
