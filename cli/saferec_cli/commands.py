"""The commands of ``saferec``, each imported only if it is called or listed."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from typing import Annotated

import typer

from saferec_cli.everywhere import command_in
from saferec_cli.plain_help import Command, Group
from saferec_core import __version__
from saferec_core.plugins.selection import FILES, LEFT_OUT, STRICT
from saferec_core.plugins.time_limits import CALL_LIMITS

__all__ = ["app_for"]


def _paragraphs(text: str | None) -> str:
    """Join the lines of each paragraph, which help fits to the terminal."""
    return "\n\n".join(" ".join(part.split()) for part in cleandoc(text or "").split("\n\n"))


_TRAIN, _USE, _LOOK, _PREPARE = "Train", "Use", "Evaluate and compare", "Prepare"
_COMMANDS = {
    "init": ("initial:init", _PREPARE),
    "doctor": ("doctor:doctor", _PREPARE),
    "data": ("data:app", _PREPARE),
    "oracle": ("oracle:app", _PREPARE),
    "plugins": ("plugins:app", _PREPARE),
    "plan": ("train:plan", _TRAIN),
    "sft": ("sft:sft", _TRAIN),
    "train": ("train:train", _TRAIN),
    "launch": ("launch:launch", _TRAIN),
    "recommend": ("recommend:recommend", _USE),
    "serve": ("serve:serve", _USE),
    "eval": ("evaluate:evaluate", _LOOK),
    "baseline": ("baseline:baseline", _LOOK),
    "compare": ("compare:compare", _LOOK),
    "gate": ("gate:gate", _LOOK),
    "report": ("report:report", _LOOK),
    "replay": ("replay:replay", _LOOK),
}
"""Each command by its name: where its code is, imported only if it is called or listed, and its heading."""
_SETTINGS = {"launch": {"allow_interspersed_args": False, "ignore_unknown_options": True}}
"""How click reads the arguments of commands that are unlike the others."""


def app_for(arguments: Sequence[str]) -> typer.Typer:
    """Return the command line that *arguments* need: the command that they call, or every one."""
    app = typer.Typer(
        name="saferec",
        cls=Group,
        help="Safe SFT and Safe-Rank-GRPO for language models that recommend.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={
            "help_option_names": ["-h", "--help"],
            # The reference implementation writes --lora_r, most tools --lora-r; both are understood.
            "token_normalize_func": lambda token: token.replace("_", "-"),
        },
    )
    app.callback()(_saferec)
    called = command_in(arguments)
    for name in [called] if called in _COMMANDS else _COMMANDS:
        reference, panel = _COMMANDS[str(name)]
        module, _, attribute = reference.partition(":")
        command = getattr(import_module(f"saferec_cli.{module}"), attribute)
        if isinstance(command, typer.Typer):
            _fit_help(command)
            app.add_typer(command, name=name, cls=Group, rich_help_panel=panel)
        else:
            settings = _SETTINGS.get(str(name))
            app.command(name, rich_help_panel=panel, context_settings=settings)(command)
    _fit_help(app)
    return app


def _fit_help(app: typer.Typer) -> None:
    for info in app.registered_commands:
        info.cls = Command
        info.help = _paragraphs(info.callback.__doc__ if info.callback else None)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"saferec {__version__}")
        raise typer.Exit


def _saferec(
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            is_eager=True,
            callback=_print_version,
            help="Print the version and exit.",
        ),
    ] = False,
    *,
    plugin: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Load a Python file with rewards, metrics or other components as a plugin; repeatable.",
        ),
    ] = None,
    no_plugin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Switch off an installed plugin, by its distribution; repeatable, 'all' for every one. "
            "Also: SAFEREC_DISABLE_PLUGINS.",
        ),
    ] = None,
    strict_plugins: Annotated[
        bool,
        typer.Option("--strict-plugins", help="Fail if any installed plugin cannot be used."),
    ] = False,
    call_timeout: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]TIME",
            help="How long a plugin's component may take for one call, or until it takes the next row: 1h "
            "unless set, none for no limit, NAME=2h for one component; repeatable. Also: "
            "SAFEREC_CALL_TIMEOUT.",
        ),
    ] = None,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", help="Show the traceback of a plugin that fails."),
    ] = False,
) -> None:
    """Safe SFT and Safe-Rank-GRPO for language models that recommend.

    Options of this command may also stand behind the name of another.
    """
    if plugin:
        os.environ[FILES] = os.pathsep.join(str(path.absolute()) for path in plugin)
    if no_plugin:
        os.environ[LEFT_OUT] = ",".join(no_plugin)
    if strict_plugins:
        os.environ[STRICT] = "1"
    if call_timeout:
        os.environ[CALL_LIMITS] = ",".join(call_timeout)
    if verbose:
        logging.getLogger("saferec").setLevel(logging.DEBUG)
