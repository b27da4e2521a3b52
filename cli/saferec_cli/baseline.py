"""``saferec baseline``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from saferec_cli import completion
from saferec_cli.eval_request import eval_request, print_summaries, run_folder
from saferec_cli.flags import with_flags
from saferec_cli.options import JsonOption, QuietOption, SettingOption
from saferec_cli.resolve import setting_layers
from saferec_core.config.load import Layer
from saferec_core.config.schema import EvalConfig
from saferec_core.errors import UnknownNameError, one_error
from saferec_core.evaluation.baseline_names import BASELINE_NAMES
from saferec_core.plugins.manager import load_plugins

__all__ = ["baseline"]


@with_flags(EvalConfig, without=("model.model",))
def baseline(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="popularity, co-occurrence or random.",
            autocompletion=lambda: list(BASELINE_NAMES),
        ),
    ],
    run: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Run whose data, catalog, oracle and settings are used.",
            autocompletion=completion.runs,
            rich_help_panel="Run",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="Configuration (YAML) to use instead of a run's.", rich_help_panel="Run"),
    ] = None,
    safe: Annotated[
        bool,
        typer.Option(
            "--safe",
            help="Leave out titles that are known to violate a constraint of the user.",
            rich_help_panel="Evaluation",
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Folder for the results; by default a new one.", rich_help_panel="Run"
        ),
    ] = None,
    setting: SettingOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    *,
    flags: list[Layer],
) -> None:
    """Evaluate a recommender without a model, to compare policies with.

    popularity: the titles that are relevant in most training records. co-occurrence: those that most often go
    together with the user's history. random: titles drawn from the catalog. Never a title that the user
    has seen.
    """
    from saferec_core.preflight.check import find_problems  # Arrow; not for --help

    if name not in BASELINE_NAMES:
        raise UnknownNameError("baseline", name, BASELINE_NAMES)
    given = [*flags, *setting_layers(setting or ())]
    request = eval_request(run_folder(run), config, given, evaluated=name)
    plugins = load_plugins()
    problems = [
        *request.problems,
        *find_problems(request.config, plugins, policy=False, train=name != "random"),
    ]
    if safe and request.config.oracle is None:
        problems.append("--oracle-path is missing: --safe needs an oracle to know violations")
    if problems:
        raise one_error(problems)

    from saferec_cli.render import observer_of  # --help needs none of this
    from saferec_core.evaluation.made_lists import run_baseline  # imports torch

    observer = observer_of(quiet=quiet, as_json=as_json)
    unknown = request.config.evaluation.unknown
    evaluation = run_baseline(request.config, plugins, observer, name, safe=safe, unknown=unknown, out=out)
    if as_json:
        print_summaries({evaluation.protocol: evaluation.summary()})
