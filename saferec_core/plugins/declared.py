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
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from saferec_core.plugins.registry import Entry

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
        spec = find_spec(module_name)  # imports the packages around it, not the module
        source = Path(str(spec and spec.origin)).read_text(encoding="utf-8")
        module = ast.parse(source)
    except (ImportError, OSError, SyntaxError, ValueError):
        return Declared()
    for statement in module.body:
        if isinstance(statement, ast.ClassDef) and statement.name == name:
            return _of_class(statement, _names_from_core(module))
    return Declared()


def _of_class(statement: ast.ClassDef, contracts: set[str]) -> Declared:
    constants: dict[str, Any] = {}
    options: dict[str, Any] = {}
    for line in statement.body:
        if isinstance(line, ast.Assign) and len(line.targets) == 1 and isinstance(line.targets[0], ast.Name):
            constants[line.targets[0].id] = _literal(line.value)
        elif isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            kind = constants if "ClassVar" in ast.unparse(line.annotation) else options
            kind[line.target.id] = _literal(line.value)
    is_component = any("component" in ast.unparse(decorator) for decorator in statement.decorator_list)
    inherits = any(not isinstance(base, ast.Name) or base.id not in contracts for base in statement.bases)
    return Declared(constants, options if is_component and not inherits else None)


def _names_from_core(module: ast.Module) -> set[str]:
    """Return the names that a module imports from saferec's contracts, which declare no options."""
    return {
        alias.asname or alias.name
        for statement in module.body
        if isinstance(statement, ast.ImportFrom)
        and (statement.module or "").startswith("saferec_core.plugins.contracts")
        for alias in statement.names
    }


def _literal(value: ast.expr | None) -> Any:
    """Return a literal's value, also within ``Field(default=...)``; None for anything else."""
    if isinstance(value, ast.Call):
        value = next((keyword.value for keyword in value.keywords if keyword.arg == "default"), None)
    try:
        return None if value is None else ast.literal_eval(value)
    except ValueError:
        return None
