"""Read what the source of a module says, without importing it.

Most components import torch, which takes seconds, while what a run asks of them beforehand stands in their
class body.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__all__ = ["Assigned", "NotReadableError", "SourceModule", "assigned_in", "module_source"]


class NotReadableError(Exception):
    """The source does not say it, or not in a form that is understood here."""


@dataclass(frozen=True)
class SourceModule:
    """The source of a module, parsed."""

    name: str
    tree: ast.Module

    def class_called(self, name: str) -> ast.ClassDef:
        """Find a class.

        Raises:
            NotReadableError: There is none; it may be made by a factory.
        """
        for statement in self.tree.body:
            if isinstance(statement, ast.ClassDef) and statement.name == name:
                return statement
        raise NotReadableError

    def imported_from(self, package: str) -> set[str]:
        """Return the names that the module imports from a package or its modules."""
        return {
            alias.asname or alias.name
            for statement in self.tree.body
            if isinstance(statement, ast.ImportFrom) and (statement.module or "").startswith(package)
            for alias in statement.names
        }

    def value(self, expression: ast.expr | None) -> Any:
        """Evaluate literals, sets of literals, and names of constants; None for no expression."""
        if expression is None:
            return None
        if isinstance(expression, ast.Name):
            home, assigned = self.constant(expression.id)
            return home.value(assigned)
        if isinstance(expression, ast.Call) and ast.unparse(expression.func) == "frozenset":
            return frozenset(self.value(expression.args[0])) if expression.args else frozenset()
        try:
            return ast.literal_eval(expression)
        except ValueError as error:
            raise NotReadableError from error

    def constant(self, name: str) -> tuple[SourceModule, ast.expr]:
        """Find what a name is assigned, here or in the module that it is imported from."""
        for statement in self.tree.body:
            if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == name:
                return self, statement.value
            if isinstance(statement, ast.ImportFrom) and statement.module:
                for alias in statement.names:
                    if (alias.asname or alias.name) == name:
                        return module_source(statement.module).constant(alias.name)
        raise NotReadableError

    def hint(self, expression: ast.expr) -> str:
        """Write a type as the imported class would show it, aliases resolved."""
        if isinstance(expression, ast.Name):
            try:
                home, assigned = self.constant(expression.id)
            except NotReadableError:  # a class, or built in
                return expression.id
            return home.hint(assigned)
        if "Annotated" in ast.unparse(expression):
            raise NotReadableError
        return ast.unparse(expression)


def module_source(name: str) -> SourceModule:
    """Read the source of a module.

    Raises:
        NotReadableError: There is none, or it is not valid Python.
    """
    try:
        spec = find_spec(name)  # imports the packages around it, not the module
        return SourceModule(name, _parsed(str(spec and spec.origin)))
    except (ImportError, OSError, SyntaxError, ValueError) as error:
        raise NotReadableError from error


@lru_cache(maxsize=64)
def _parsed(path: str) -> ast.Module:
    return ast.parse(Path(path).read_text(encoding="utf-8"))


Assigned = tuple[str, ast.expr | None, str]
"""The annotation of a class attribute, its value, and the string behind it."""


def assigned_in(statement: ast.ClassDef) -> Iterator[tuple[str, Assigned]]:
    """Yield the attributes that a class body assigns or annotates."""
    for line, after in zip(statement.body, [*statement.body[1:], None], strict=True):
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            yield line.target.id, (ast.unparse(line.annotation), line.value, _string(after))
        elif isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
            yield line.targets[0].id, ("", line.value, "")


def _string(statement: ast.stmt | None) -> str:
    is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return str(statement.value.value) if is_text else ""  # type: ignore[union-attr]
