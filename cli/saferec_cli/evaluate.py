"""``saferec eval``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from saferec_cli import completion
from saferec_cli.eval_request import eval_request, print_summaries, run_folder
from saferec_cli.flags import with_flags
from saferec_cli.options import JsonOption, QuietOption, SettingOption, TransformOption
from saferec_cli.resolve import setting_layers, transform_layers
from saferec_core.config.load import Layer
from saferec_core.config.schema import EvalConfig
from saferec_core.errors import ConfigError, RunError, one_error
from saferec_core.plugins.manager import load_plugins
from saferec_core.runs.checkpoints import starting_policy
from saferec_core.runs.layout import RunLayout

__all__ = ["evaluate"]


@with_flags(EvalConfig, without=("model.model",))
def evaluate(
    policy: Annotated[
        str | None,
        typer.Argument(
            metavar="POLICY",
            help="Run folder, checkpoint, model folder or hub id; with --eval-engine openai, a model's name.",
            autocompletion=completion.runs,
            show_default=False,
        ),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Evaluate the lists of this file (JSONL, Parquet, ...) instead of a policy's.",
            rich_help_panel="Evaluation",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="Configuration (YAML); by default that of the policy's run.", rich_help_panel="Run"
        ),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Run whose data, catalog, oracle and settings are used; by default the policy's.",
            autocompletion=completion.runs,
            rich_help_panel="Run",
        ),
    ] = None,
    before: Annotated[
        bool,
        typer.Option(
            "--before",
            help="Evaluate what the run's training began with, beside the run's policy.",
            rich_help_panel="Evaluation",
        ),
    ] = False,
    flip: Annotated[
        bool,
        typer.Option(
            "--flip",
            help="Ask with constraints removed, added and swapped instead.",
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

    --predictions evaluates what any other system recommends: a row per record, with id or position (from 0)
    and either titles or completion.
    """
    from saferec_core.preflight.check import find_problems  # Arrow; not for --help
    from saferec_core.preflight.inputs import is_local

    if predictions is not None:
        if flip or before or policy is not None:
            also = (
                f"a policy ({policy})" if policy is not None else "--flip or --before, which asks a policy,"
            )
            raise ConfigError(
                f"{also} does not go with --predictions; --run names the run whose data is used"
            )
        given = [*flags, *setting_layers(setting or ()), *transform_layers(transform or ())]
        _predictions(predictions, run_folder(run), config, given, out=out, quiet=quiet, as_json=as_json)
        return
    if policy is None:
        raise ConfigError("POLICY is missing: a run folder, a checkpoint or a model, or --predictions FILE")
    given = [*flags, *setting_layers(setting or ()), *transform_layers(transform or ())]
    stem = None
    source = run_folder(run) or policy
    if before:
        trained = _trained(policy, run)
        policy, out, stem = starting_policy(trained), out or trained.path, "before"
    request = eval_request(source, config, given, evaluated=policy)
    hosted = request.config.evaluation.eval_engine == "openai"
    if not hosted and is_local(policy) and not Path(policy).exists():
        raise RunError(f"{policy} does not exist; name a run folder, a checkpoint or a model")
    plugins = load_plugins()
    problems = [*request.problems, *find_problems(request.config, plugins)]
    if flip:
        problems += _problems_of_flipping(request.config, before=before)
    if problems:
        raise one_error(problems if hosted or is_local(policy) else _with_the_run_first(policy, problems))

    from saferec_cli.render import observer_of  # --help needs none of this
    from saferec_cli.running import running
    from saferec_core.evaluation.run import run_eval, run_flip  # imports torch

    observer = observer_of(quiet=quiet, as_json=as_json)
    summaries: dict[str, Any]
    with running("what was generated is kept; the same command continues from there"):
        if flip:
            responses = run_flip(request.config, plugins, observer, out=out)
            summaries = {evaluation.results.protocol["id"]: evaluation.as_data() for evaluation in responses}
        else:
            evaluations = run_eval(request.config, plugins, observer, out=out, stem=stem)
            summaries = {evaluation.protocol: evaluation.summary() for evaluation in evaluations}
    if as_json:
        print_summaries(summaries)


def _predictions(
    file: Path,
    run: str | None,
    config: Path | None,
    given: list[Layer],
    *,
    out: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Evaluate the lists of a file."""
    from saferec_core.preflight.check import find_problems  # Arrow; not for --help

    request = eval_request(run, config, given, evaluated=str(file))
    plugins = load_plugins()
    problems = [*request.problems, *find_problems(request.config, plugins, policy=False)]
    if not file.exists():
        problems.append(f"--predictions {file} does not exist")
    if request.config.evaluation.guided:
        problems.append("--guided does not go with --predictions, whose lists are written already")
    if problems:
        raise one_error(problems)

    from saferec_cli.render import observer_of  # --help needs none of this
    from saferec_core.evaluation.made_lists import run_predictions  # imports torch

    observer = observer_of(quiet=quiet, as_json=as_json)
    evaluation = run_predictions(request.config, plugins, observer, file, out=out)
    if as_json:
        print_summaries({evaluation.protocol: evaluation.summary()})


def _problems_of_flipping(config: EvalConfig, *, before: bool) -> list[str]:
    """Name what keeps --flip from being asked."""
    problems = []
    if config.oracle is None:
        problems.append("--oracle-path is missing: --flip counts violations and needs an oracle")
    if before:
        problems.append("--flip goes with the policy itself; for --before, name the policy's own folder")
    if config.evaluation.guided:
        problems.append("--flip asks what a policy does by itself; it does not go with --guided")
    return problems


def _trained(policy: str, run: str | None) -> RunLayout:
    """Return the run whose beginning is to be evaluated.

    Raises:
        ConfigError: --run is given as well.
        RunError: POLICY is not a run folder.
    """
    if run is not None:
        raise ConfigError("--before means the run that POLICY names; leave --run out")
    layout = RunLayout(Path(policy))
    if not layout.exists:
        raise RunError(f"--before needs the folder of a training run, and {policy} is not one")
    return layout


def _with_the_run_first(policy: str, problems: list[str]) -> list[str]:
    """Begin with the name itself, which may be that of a mistyped run, if settings are missing as well."""
    if not any("is missing" in problem for problem in problems):
        return problems
    runs = [run.path for run in map(RunLayout, Path("runs").glob("*")) if run.exists]
    newest = max(runs, key=lambda run: run.stat().st_mtime, default=None)
    example = f", such as {newest}" if newest else ""
    first = f"{policy} is not a folder here, so it means a model on the hub; for a run, name its folder"
    return [f"{first}{example}", *problems]
