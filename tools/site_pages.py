"""Pages of the documentation site that are made from the code: commands, configuration, Python interface.

A hook of mkdocs (see mkdocs.yml); ``mkdocs build --strict`` makes the site.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer
from mkdocs.structure.files import File, Files
from pydantic import BaseModel

import saferec_core
from saferec_cli.commands import app_for
from saferec_cli.flags import flags_of
from saferec_core.config.schema import EvalConfig, SftConfig, TrainConfig

__all__ = ["on_files", "on_page_markdown"]

_OUTSIDE = re.compile(r"\[([^\]]*)\]\(\.\./([^)]+)\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are made from the code."""
    pages = {
        "reference/commands.md": "\n".join(_commands()),
        "reference/configuration.md": "\n".join(_configuration()),
        "reference/python.md": "\n".join(_python()),
    }
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    return files


def _commands() -> Iterator[str]:
    yield "# Commands\n"
    yield "Made from the command line itself; `--help-all` prints every flag of a command.\n"
    root: Any = typer.main.get_command(app_for([]))
    for name, command in root.commands.items():
        for path, inner in _leaves((name,), command):
            yield f"## saferec {' '.join(path)}\n"
            yield f"{inner.help or ''}\n"
            yield "| argument or option | meaning |\n|---|---|"
            for parameter in inner.params:
                if not getattr(parameter, "hidden", False):
                    names = ", ".join(f"`{option}`" for option in getattr(parameter, "opts", []))
                    yield f"| {names} | {_cell(getattr(parameter, 'help', '') or '')} |"
            yield ""


def _leaves(path: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from _leaves((*path, name), inner)
    else:
        yield path, command


def _configuration() -> Iterator[str]:
    yield "# Configuration\n"
    yield "Every key of a YAML file, its flag and its meaning, made from the schema.\n"
    kinds: tuple[tuple[str, type[BaseModel]], ...] = (
        ("saferec train", TrainConfig),
        ("saferec sft", SftConfig),
        ("saferec eval", EvalConfig),
    )
    for title, kind in kinds:
        yield f"## {title}\n"
        yield "| key | flag | meaning |\n|---|---|---|"
        for flag in flags_of(kind):  # type: ignore[arg-type]
            yield f"| `{flag.path}` | `--{flag.name}` | {_cell(flag.help)} |"
        yield ""


def _python() -> Iterator[str]:
    yield "# Python interface\n"
    yield "What `from saferec_core import ...` offers.\n"
    for name in saferec_core.__all__:
        if not name.startswith("__"):
            yield f"::: saferec_core.{name}\n"


def _cell(text: str) -> str:
    """Write a text so that it stays in its cell."""
    return " ".join(text.replace("\\[", "[").split()).replace("|", "\\|").replace("<", "&lt;")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Name files of the checkout that the site does not hold, instead of linking them."""
    return _OUTSIDE.sub(_named, markdown)


def _named(link: re.Match[str]) -> str:
    text, path = link.groups()
    return f"`{path}`" if text == path else f"{text} (`{path}`)"
