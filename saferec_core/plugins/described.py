"""Describe a component from its source: what ``saferec plugins show`` prints, without importing torch.

Most components import torch, which takes seconds, while all that is to be shown stands in their class body:
docstring, declarations, options with default, bounds and meaning. What cannot be read this way (options that
are inherited, a default that is computed) makes :func:`described` import the component after all.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from saferec_core.plugins.component import Option, bounds_of, declarations_of, options_of
from saferec_core.plugins.contracts import CONTRACTS, contract_of
from saferec_core.plugins.registry import Entry

__all__ = ["Description", "described"]


@dataclass(frozen=True)
class Description:
    """What there is to know of a component before it is built."""

    text: str
    """Its docstring."""
    declares: Mapping[str, Any]
    """What it declares, by the class attributes of the contract of its kind."""
    options: tuple[Option, ...]
    """In the order of its fields."""


def described(entry: Entry[Any]) -> Description:
    """Describe a component, from its source if that says it all.

    Raises:
        PluginError: It has to be imported, and cannot be.
    """
    try:
        return _from_source(entry)
    except _NotReadableError:
        contract = contract_of(entry.kind)
        cls = entry.load()
        text = inspect.cleandoc(cls.__doc__ or "")
        return Description(text, declarations_of(cls, contract), tuple(options_of(cls)))


class _NotReadableError(Exception):
    """The source does not say it, or not in a form that is understood here."""


def _from_source(entry: Entry[Any]) -> Description:
    module_name, _, name = entry.reference.partition(":")
    module = _module(module_name)
    statement = module.class_called(name)
    contract_module, _, contract_name = CONTRACTS[entry.kind].partition(":")
    contract = _module(contract_module)
    bases = [ast.unparse(base) for base in statement.bases]
    decorators = [ast.unparse(decorator) for decorator in statement.decorator_list]
    if bases != [contract_name] or decorators != ["component"]:
        raise _NotReadableError
    own = dict(_assigned(statement))
    declares = {
        name: module.value(own[name][1]) if name in own else contract.value(default)
        for name, (hint, default, _) in _assigned(contract.class_called(contract_name))
        if hint.startswith("ClassVar")
    }
    options = tuple(
        _option(module, name, *rest) for name, rest in own.items() if rest[0] and "ClassVar" not in rest[0]
    )
    return Description(ast.get_docstring(statement) or "", declares, options)


@dataclass(frozen=True)
class _Module:
    """The source of a module, parsed."""

    name: str
    tree: ast.Module

    def class_called(self, name: str) -> ast.ClassDef:
        for statement in self.tree.body:
            if isinstance(statement, ast.ClassDef) and statement.name == name:
                return statement
        raise _NotReadableError

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
            raise _NotReadableError from error

    def constant(self, name: str) -> tuple[_Module, ast.expr]:
        """Find what a name is assigned, here or in the module that it is imported from."""
        for statement in self.tree.body:
            if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == name:
                return self, statement.value
            if isinstance(statement, ast.ImportFrom) and statement.module:
                for alias in statement.names:
                    if (alias.asname or alias.name) == name:
                        return _module(statement.module).constant(alias.name)
        raise _NotReadableError

    def hint(self, expression: ast.expr) -> str:
        """Write a type as the imported class would show it, aliases resolved."""
        if isinstance(expression, ast.Name):
            try:
                home, assigned = self.constant(expression.id)
            except _NotReadableError:  # a class, or built in
                return expression.id
            return home.hint(assigned)
        if "Annotated" in ast.unparse(expression):
            raise _NotReadableError
        return ast.unparse(expression)


@lru_cache(maxsize=64)
def _module(name: str) -> _Module:
    try:
        spec = find_spec(name)  # imports the packages around it, not the module
        source = Path(str(spec and spec.origin)).read_text(encoding="utf-8")
        return _Module(name, ast.parse(source))
    except (ImportError, OSError, SyntaxError, ValueError) as error:
        raise _NotReadableError from error


_Assigned = tuple[str, ast.expr | None, str]
"""The annotation of a class attribute, its value, and the string behind it."""


def _assigned(statement: ast.ClassDef) -> Iterator[tuple[str, _Assigned]]:
    """Yield the attributes that a class body assigns or annotates."""
    for line, after in zip(statement.body, [*statement.body[1:], None], strict=True):
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            yield line.target.id, (ast.unparse(line.annotation), line.value, _string(after))
        elif isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
            yield line.targets[0].id, ("", line.value, "")


def _option(module: _Module, name: str, hint: str, value: ast.expr | None, meaning: str) -> Option:
    bounds: dict[str, Any] = {}
    has_default = value is not None
    if isinstance(value, ast.Call):
        if ast.unparse(value.func) != "Field" or value.args:
            raise _NotReadableError
        keywords = {keyword.arg: keyword.value for keyword in value.keywords}
        if unknown := keywords.keys() - {"default", "ge", "gt", "le", "lt", "min_length"}:
            raise _NotReadableError(unknown)
        has_default = "default" in keywords
        value = keywords.pop("default", None)
        bounds = {str(bound): module.value(number) for bound, number in keywords.items()}
    shown = module.hint(ast.parse(hint, mode="eval").body)
    default = repr(module.value(value)) if has_default else "required"
    return Option(name, shown, default, bounds_of(bounds), " ".join(meaning.split()))


def _string(statement: ast.stmt | None) -> str:
    is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return str(statement.value.value) if is_text else ""  # type: ignore[union-attr]
