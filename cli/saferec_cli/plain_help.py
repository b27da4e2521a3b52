"""Commands whose help names values in plain words: ``INTEGER`` and nothing behind a switch.

typer writes ``<int range> [x>=1]`` and ``<bool>`` instead, and ``{RUN}`` for an argument.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup

__all__ = ["Command", "Group"]

_WORDS = {"int": "INTEGER", "float": "NUMBER", "str": "TEXT", "path": "PATH"}


class _PlainHelp:
    def get_params(self, ctx: Any) -> list[Any]:
        """Return the arguments and options as help shows them."""
        parameters: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for parameter in parameters:
            if parameter.param_type_name == "argument":
                parameter.display_type_rich = _nothing
            elif parameter.is_flag:
                parameter.metavar = ""
            elif parameter.metavar is None and hasattr(parameter, "display_type"):
                kind = parameter.display_type(ctx).strip("<>").removesuffix(" range")
                parameter.metavar = _WORDS.get(kind, kind)
            parameter._get_number_range_help_str = _nothing
        return parameters

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return what the line of usage names."""
        pieces: list[str] = super().collect_usage_pieces(ctx)  # type: ignore[misc]
        return [piece.replace("{", "").replace("}", "") for piece in pieces]


class Command(_PlainHelp, TyperCommand):
    """A command."""


class Group(_PlainHelp, TyperGroup):
    """A command with commands of its own."""


def _nothing(*_: Any, **__: Any) -> None:
    """Stand for what is not shown."""
