"""A configuration file to begin with: every key with its meaning, those that must be given filled in."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from textwrap import wrap
from typing import Any

import yaml
from pydantic import BaseModel

from saferec_core.config.choices import ComponentChoice, Section

__all__ = ["template"]

_WIDTH = 96


def template(
    kind: type[Section], *, title: str, filled: Mapping[str, Any], shown: Collection[str] | None = None
) -> str:
    """Write a configuration of *kind* as commented YAML.

    Keys that are not filled in are commented out (``#key: value``) with their defaults, so that the file
    says what can be set and changes nothing.

    Args:
        kind: The configuration.
        title: First line, a comment.
        filled: Values by dotted path; a value may be a mapping, such as a component with its options.
        shown: Dotted paths of further keys to list; None: all.
    """
    return "\n".join([f"# {title}", "", *_section(kind(**_required(kind)), filled, shown, "", 0)]) + "\n"


def _required(kind: type[Section]) -> dict[str, Any]:
    """Return stand-ins for keys without a default, which are filled in and so never shown."""
    stand_ins: dict[str, Any] = {"input": ".", "output": ".", "steps": [{"name": "step"}]}
    return {name: stand_ins[name] for name, field in kind.model_fields.items() if field.is_required()}


def _section(
    section: BaseModel, filled: Mapping[str, Any], shown: Collection[str] | None, prefix: str, depth: int
) -> Iterator[str]:
    for name, field in type(section).model_fields.items():
        if field.exclude:  # says how to run, not what
            continue
        path, value = f"{prefix}{name}", getattr(section, name)
        is_section = isinstance(value, BaseModel) and not isinstance(value, ComponentChoice)
        if is_section and path not in filled:
            below = list(_section(value, filled, shown, f"{path}.", depth + 1))
            if not below:
                continue
            active = any(not line.lstrip().startswith("#") for line in below if line.strip())
            yield from _comment(field.description, depth)
            yield f"{_indent(depth)}{'' if active else '#'}{name}:"
            yield from below
        elif path in filled:
            yield from _comment(field.description, depth)
            yield from _value(name, filled[path], depth, "")
        elif shown is None or path in shown or f"{path}.name" in shown:
            yield from _comment(field.description, depth)
            stored = section.model_dump(mode="json")
            yield from _value(name, stored.get(name), depth, "#")  # some are left out while they are None
        else:
            continue
        if depth == 0:
            yield ""


def _comment(text: str | None, depth: int) -> Iterator[str]:
    for line in wrap(" ".join((text or "").replace("``", "").split()), _WIDTH - 2 * depth):
        yield f"{_indent(depth)}# {line}"


def _value(name: str, value: Any, depth: int, mark: str) -> Iterator[str]:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    short = bool(parts) and not any(isinstance(part, dict | list) for part in parts)
    style = None if short else False
    text = yaml.safe_dump({name: value}, sort_keys=False, default_flow_style=style, width=1000)
    for line in text.splitlines():
        yield f"{_indent(depth)}{mark}{line}"


def _indent(depth: int) -> str:
    return "  " * depth
