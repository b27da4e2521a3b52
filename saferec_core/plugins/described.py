"""Describe a component from its source: what ``saferec plugins show`` prints, without importing torch.

Most components import torch, which takes seconds, while all that is to be shown stands in their class body:
docstring, declarations, options with default, bounds and meaning. What cannot be read this way (options that
are inherited, a default that is computed) makes :func:`described` import the component after all.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from saferec_core.plugins.component import Option, bounds_of, declarations_of, options_of
from saferec_core.plugins.contracts import CONTRACTS, contract_of
from saferec_core.plugins.registry import Entry
from saferec_core.plugins.source import NotReadableError, SourceModule, assigned_in, module_source

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
    except NotReadableError:
        contract = contract_of(entry.kind)
        cls = entry.load()
        text = inspect.cleandoc(cls.__doc__ or "")
        return Description(text, declarations_of(cls, contract), tuple(options_of(cls)))


def _from_source(entry: Entry[Any]) -> Description:
    module_name, _, name = entry.reference.partition(":")
    module = module_source(module_name)
    statement = module.class_called(name)
    contract_module, _, contract_name = CONTRACTS[entry.kind].partition(":")
    contract = module_source(contract_module)
    bases = [ast.unparse(base) for base in statement.bases]
    decorators = [ast.unparse(decorator) for decorator in statement.decorator_list]
    if bases != [contract_name] or decorators != ["component"]:
        raise NotReadableError
    own = dict(assigned_in(statement))
    declares = {
        name: module.value(own[name][1]) if name in own else contract.value(default)
        for name, (hint, default, _) in assigned_in(contract.class_called(contract_name))
        if hint.startswith("ClassVar")
    }
    options = tuple(
        _option(module, name, *rest) for name, rest in own.items() if rest[0] and "ClassVar" not in rest[0]
    )
    return Description(ast.get_docstring(statement) or "", declares, options)


def _option(module: SourceModule, name: str, hint: str, value: ast.expr | None, meaning: str) -> Option:
    bounds: dict[str, Any] = {}
    has_default = value is not None
    if isinstance(value, ast.Call):
        if ast.unparse(value.func) != "Field" or value.args:
            raise NotReadableError
        keywords = {keyword.arg: keyword.value for keyword in value.keywords}
        if unknown := keywords.keys() - {"default", "ge", "gt", "le", "lt", "min_length"}:
            raise NotReadableError(unknown)
        has_default = "default" in keywords
        value = keywords.pop("default", None)
        bounds = {str(bound): module.value(number) for bound, number in keywords.items()}
    shown = module.hint(ast.parse(hint, mode="eval").body)
    default = repr(module.value(value)) if has_default else "required"
    return Option(name, shown, default, bounds_of(bounds), " ".join(meaning.split()))
