"""What the source of a component says about it, read without importing it.

Rewards, normalizers and metrics import torch, which takes seconds. Whether a reward needs an oracle, which
columns and which options it has stand in its class body, and a wrong configuration is refused on their word.
What cannot be read this way (a class made by a factory, a value that is computed) is left to the check that
the component itself makes when it is built.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from saferec_core.plugins.registry import Entry
from saferec_core.plugins.source import NotReadableError, assigned_in, module_source

__all__ = ["Declared", "declared"]


@dataclass(frozen=True)
class Declared:
    """Class attributes and options of a component, as far as they are literals."""

    constants: Mapping[str, Any] = field(default_factory=dict)
    """Class attributes by name, such as ``needs_oracle``."""
    options: Mapping[str, Any] | None = None
    """Default of each option by name, None where it is not a literal; None where options may be inherited."""


def declared(entry: Entry[Any]) -> Declared:
    """Read what the class of *entry* declares; nothing where its source cannot be read."""
    module_name, _, name = entry.reference.partition(":")
    try:
        module = module_source(module_name)
        statement = module.class_called(name)
    except NotReadableError:
        return Declared()
    constants: dict[str, Any] = {}
    options: dict[str, Any] = {}
    for attribute, (hint, value, _) in assigned_in(statement):
        kind = options if hint and "ClassVar" not in hint else constants
        kind[attribute] = _literal(value)
    contracts = module.imported_from("saferec_core.plugins.contracts")
    is_component = any("component" in ast.unparse(decorator) for decorator in statement.decorator_list)
    inherits = any(not isinstance(base, ast.Name) or base.id not in contracts for base in statement.bases)
    return Declared(constants, options if is_component and not inherits else None)


def _literal(value: ast.expr | None) -> Any:
    """Return a literal's value, also within ``Field(default=...)``; None for anything else."""
    if isinstance(value, ast.Call):
        value = next((keyword.value for keyword in value.keywords if keyword.arg == "default"), None)
    try:
        return None if value is None else ast.literal_eval(value)
    except ValueError:
        return None
