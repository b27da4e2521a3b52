"""Options that every command has: which plugins are loaded, and how much is said of their failures."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["command_in", "with_common_options_first"]

_WITH_VALUE = ("--plugin", "--no-plugin", "--call-timeout")
_SWITCHES = ("--strict-plugins", "--verbose")
_OWN_VERBOSE = "data"
"""``saferec data build`` has a ``--verbose`` of its own."""


def with_common_options_first(arguments: Sequence[str]) -> list[str]:
    """Move the common options, wherever they stand, in front of the command's name."""
    common: list[str] = []
    others: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument == "--":
            others += [argument, *rest]
            break
        name, equals, _ = (
            argument.replace("_", "-").partition("=") if argument[:2] == "--" else (argument, "", "")
        )
        if name in _WITH_VALUE:
            common.append(f"{name}{argument[len(name) :]}")
            common += [] if equals else [value for value in [next(rest, None)] if value is not None]
        elif name in _SWITCHES and not equals:
            common.append(name)
            if name == "--verbose" and others[:1] == [_OWN_VERBOSE]:
                others.append(name)
        else:
            others.append(argument)
    return [*common, *others]


def command_in(arguments: Sequence[str]) -> str | None:
    """Return the name of the command in arguments whose common options stand in front; None without any."""
    rest = iter(arguments)
    for argument in rest:
        if argument in _WITH_VALUE:
            next(rest, None)
        elif not argument.startswith("-"):
            return argument
    return None
