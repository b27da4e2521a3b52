"""``saferec replay``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from saferec_cli import completion
from saferec_cli.options import JsonOption, RewardOption, SettingOption
from saferec_cli.printing import print_json
from saferec_cli.resolve import resolve
from saferec_core.config.load import Layer
from saferec_core.config.schema import TrainConfig
from saferec_core.errors import one_error
from saferec_core.plugins.manager import load_plugins
from saferec_core.runs.layout import run_of

__all__ = ["replay"]

_SHOWN = 5
"""Completions with another sign that are printed."""


def replay(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="ROLLOUTS",
            help="Run folder, or JSONL with prompt, completion and the columns of its record.",
            autocompletion=completion.runs,
        ),
    ],
    config: Annotated[
        Path | None,
        typer.Option(help="Configuration (YAML); by default that of the run.", rich_help_panel="Run"),
    ] = None,
    reward: RewardOption = None,
    normalizer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Normalizer to use instead.",
            autocompletion=completion.names_of("normalizers"),
            rich_help_panel="Training",
        ),
    ] = None,
    catalog_path: Annotated[
        Path | None, typer.Option(help="Catalog to use instead.", rich_help_panel="Model and data")
    ] = None,
    oracle_path: Annotated[
        Path | None,
        typer.Option(help="Oracle file or table to use instead.", rich_help_panel="Model and data"),
    ] = None,
    setting: SettingOption = None,
    draw: Annotated[
        Path | None, typer.Option(metavar="FILE", help="SVG or PNG file to draw the replay in.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file of --draw.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Credit stored completions by other rewards, weights, normalizers or oracles, without a model.

    Prints the advantages by rank, the share of their variance that each reward would supply alone and, for
    a run, what would have been credited differently. Everything that is not named is taken from the run.
    """
    from saferec_core.preflight.replay import find_replay_problems  # Arrow; not for --help
    from saferec_core.replay.stored import rollouts_file

    path = rollouts_file(source)
    run = run_of(source)
    own = None if run is None or path != run.rollouts else run.config
    flags: list[Layer] = []
    given: dict[str, dict[str, Any]] = {
        "--normalizer": {"normalizer": {"name": normalizer}} if normalizer else {},
        "--catalog-path": {"data": {"catalog_path": str(catalog_path)}} if catalog_path else {},
        "--oracle-path": {"oracle": {"path": str(oracle_path)}} if oracle_path else {},
    }
    flags += [Layer(flag, settings) for flag, settings in given.items() if settings]
    request = resolve(
        TrainConfig,
        config or own,
        flags,
        setting or (),
        rewards=reward or (),
        demo=False,
        of_run=config is None,
    )
    plugins = load_plugins()
    problems = [
        *request.resolved.problems,
        *find_replay_problems(request.resolved.config, plugins, draw, overwrite=overwrite),
    ]
    if problems:
        raise one_error(problems)

    from saferec_cli.render_replay import replayed  # --help needs none of this
    from saferec_core.replay.picture import draw_replay
    from saferec_core.replay.run import replay as credit_again  # imports torch

    before = None
    if own is not None:
        before = resolve(TrainConfig, own, [], (), demo=False, of_run=True).resolved.checked()
    result = credit_again(path, request.resolved.config, plugins, own=before)
    if draw is not None:
        draw_replay(result, draw)
    if as_json:
        print_json(result.as_data())
        return
    replayed(result, shown=_SHOWN)
    if draw is not None:
        typer.echo(f"Drawn: {draw}")
