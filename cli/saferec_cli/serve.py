"""``saferec serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from saferec_cli import completion
from saferec_cli.eval_request import run_folder
from saferec_cli.options import QuietOption, SettingOption
from saferec_cli.recommend import recommend_request
from saferec_core.errors import RunError, one_error
from saferec_core.evaluation.baseline_names import names_baseline
from saferec_core.plugins.manager import load_plugins

__all__ = ["serve"]

_DATA, _PAGE = "Model and data", "Server"


def serve(
    policy: Annotated[
        str,
        typer.Argument(
            help="Run folder, checkpoint, model folder or hub id; or a baseline, such as popularity.",
            autocompletion=completion.runs,
        ),
    ],
    host: Annotated[
        str, typer.Option(help="Address to listen on; this machine alone by default.", rich_help_panel=_PAGE)
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port; 0: any that is free.", rich_help_panel=_PAGE)
    ] = 8080,
    num_titles: Annotated[
        int, typer.Option("-k", "--num-titles", min=1, help="Titles of a list.", rich_help_panel=_PAGE)
    ] = 10,
    unknown: Annotated[
        str,
        typer.Option(
            metavar="allow|forbid",
            help="Whether a guided list may hold titles that the oracle cannot judge.",
            rich_help_panel=_PAGE,
        ),
    ] = "allow",
    run: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Run whose catalog, oracle and parser are used; by default the policy's.",
            autocompletion=completion.runs,
            rich_help_panel=_DATA,
        ),
    ] = None,
    catalog_path: Annotated[
        Path | None, typer.Option(help="Catalog; by default that of the policy's run.", rich_help_panel=_DATA)
    ] = None,
    oracle_path: Annotated[
        Path | None,
        typer.Option(
            help="Oracle file or table; by default that of the policy's run.", rich_help_panel=_DATA
        ),
    ] = None,
    setting: SettingOption = None,
    quiet: QuietOption = False,
) -> None:
    """Serve a policy on this machine: a page, a JSON endpoint, and one that OpenAI clients understand.

    The page shows guided and free lists side by side, with verdicts. /openapi.json describes the endpoints;
    /v1/chat/completions answers with guided lists. There is no authentication.
    """
    from saferec_core.preflight.check import find_problems  # Arrow; not for --help
    from saferec_core.preflight.inputs import is_local

    is_baseline = names_baseline(policy)
    if not is_baseline and is_local(policy) and not Path(policy).exists():
        raise RunError(f"{policy} does not exist; name a run folder, a checkpoint or a model")
    request = recommend_request(policy, run_folder(run) or policy, catalog_path, oracle_path, setting or ())
    plugins = load_plugins()
    needs_train = is_baseline and policy != "random"
    problems = [
        *request.problems,
        *find_problems(request.config, plugins, policy=not is_baseline, train=needs_train),
    ]
    if unknown not in {"allow", "forbid"}:
        problems.append(f"--unknown must be allow or forbid, but is {unknown!r}")
    if problems:
        raise one_error(problems)

    from saferec_core.serve.running import check_installed, is_loopback, listening
    from saferec_core.serve.running import serve as run_server

    check_installed()
    address = listening(host, port)

    from saferec_core.recommendation.run import Asking, load_recommender  # imports torch
    from saferec_core.serve.desk import Desk

    asking = Asking(num_titles=num_titles, unknown="forbid" if unknown == "forbid" else "allow")
    desk = Desk(load_recommender(request.config, plugins, asking), policy)
    if not is_loopback(host):
        typer.echo(
            f"Note: everybody who can reach {host} can use this policy; there is no password.", err=True
        )
    run_server(desk, address, host, ready=lambda url: _ready(url, quiet=quiet))


def _ready(url: str, *, quiet: bool) -> None:
    typer.echo(url if quiet else f"{url} (Ctrl-C ends it)")
