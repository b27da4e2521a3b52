"""``saferec serve``."""

from __future__ import annotations

from typing import Annotated

import typer

from saferec_cli import completion
from saferec_cli.options import (
    CatalogPathOption,
    InstructionOption,
    NumTitlesOption,
    OraclePathOption,
    PolicyRunOption,
    QuietOption,
    SettingOption,
    UnknownOption,
)
from saferec_cli.recommend_request import recommend_request
from saferec_core.errors import one_error
from saferec_core.plugins.manager import load_plugins

__all__ = ["serve"]

_PAGE = "Server"


def serve(
    policy: Annotated[
        str,
        typer.Argument(
            metavar="POLICY",
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
    num_titles: NumTitlesOption = None,
    unknown: UnknownOption = "allow",
    run: PolicyRunOption = None,
    catalog_path: CatalogPathOption = None,
    oracle_path: OraclePathOption = None,
    instruction: InstructionOption = None,
    setting: SettingOption = None,
    quiet: QuietOption = False,
) -> None:
    """Serve a policy on this machine: a page, a JSON endpoint, and one that OpenAI clients understand.

    The page shows guided and free lists side by side, with verdicts. /openapi.json describes the endpoints;
    /v1/chat/completions answers with guided lists. There is no authentication.
    """
    plugins = load_plugins()
    request, problems = recommend_request(
        policy,
        run,
        catalog_path,
        oracle_path,
        instruction,
        setting or (),
        plugins=plugins,
        num_titles=num_titles,
        unknown=unknown,
    )
    if problems:
        raise one_error(problems)

    from saferec_core.serve.running import check_installed, is_loopback, listening
    from saferec_core.serve.running import serve as run_server

    check_installed()
    address = listening(host, port)

    from saferec_core.config.domain import read_domain
    from saferec_core.recommendation.run import Asking, load_recommender  # imports torch
    from saferec_core.serve.desk import Desk

    asking = Asking(num_titles=request.config.num_ranks, unknown="forbid" if unknown == "forbid" else "allow")
    consumed = read_domain(request.config.data.domain_path).consumed
    desk = Desk(load_recommender(request.config, plugins, asking), policy, consumed)
    if not is_loopback(host):
        typer.echo(
            f"Note: everybody who can reach {host} can use this policy; there is no password.", err=True
        )
    run_server(desk, address, host, ready=lambda url: _ready(url, quiet=quiet))


def _ready(url: str, *, quiet: bool) -> None:
    typer.echo(url if quiet else f"{url} (Ctrl-C ends it)")
