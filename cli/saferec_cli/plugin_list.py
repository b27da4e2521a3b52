"""The list of installed components, as plain lines: rich takes longer than finding the plugins does."""

from __future__ import annotations

import os
import shutil
import textwrap
from collections.abc import Iterable, Iterator
from itertools import groupby

import typer

from saferec_core.plugins.manager import Plugins

__all__ = ["print_plugins"]

_NARROWEST = 20
"""Columns that a summary gets on however narrow a terminal."""


def print_plugins(plugins: Plugins) -> None:
    """Print every component by kind, and what is wrong with plugins that cannot be used."""
    is_plain = bool(os.environ.get("NO_COLOR"))
    for line in _lines(plugins, shutil.get_terminal_size().columns):
        typer.echo(line, color=False if is_plain else None)


def _lines(plugins: Plugins, width: int) -> Iterator[str]:
    entries = [
        (each.kind, each.name, each.summary, f"{each.origin.distribution} {each.origin.version}")
        for each in plugins
    ]
    names = max((len(name) for _, name, _, _ in entries), default=0)
    suppliers = max((len(supplier) for *_, supplier in entries), default=0)
    room = max(_NARROWEST, width - names - suppliers - 6)
    for kind, of_kind in groupby(entries, key=lambda entry: entry[0]):
        yield typer.style(kind, bold=True)
        for _, name, summary, supplier in of_kind:
            first, *others = textwrap.wrap(_printable(summary), room) or [""]
            yield f"  {name:{names}}  {first:{room}}  {typer.style(supplier, dim=True)}"
            yield from (f"  {'':{names}}  {line}" for line in others)
    conflicts = (
        f"{same[0].kind} {same[0].name!r}: {', '.join(str(entry.origin) for entry in same)}"
        for same in plugins.conflicts()
    )
    notes = (f"{state.origin}: {note}" for state in plugins.states for note in state.notes)
    broken = (f"{state.origin}: {state.reason}" for state in plugins.broken)
    yield from _section("failed to load", broken, width, typer.colors.RED)
    yield from _section("offered twice, so that no run can use it", conflicts, width, typer.colors.RED)
    yield from _section("notes", notes, width, typer.colors.YELLOW)
    yield from _section("switched off", map(str, (state.origin for state in plugins.disabled)), width, None)


def _section(title: str, texts: Iterable[str], width: int, color: str | None) -> Iterator[str]:
    """Yield texts under a title; nothing if there are none."""
    for number, text in enumerate(texts):
        if number == 0:
            yield "\n" + typer.style(title, bold=True, fg=color)
        wrapped = textwrap.wrap(_printable(text), max(_NARROWEST, width - 2), break_on_hyphens=False)
        yield from (typer.style(f"  {line}", fg=color) for line in wrapped)


def _printable(text: str) -> str:
    """Return a plugin's text without what a terminal would act on."""
    return "".join(character if character.isprintable() else " " for character in text)
