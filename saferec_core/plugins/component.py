"""Components: classes whose dataclass fields are their options."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from inspect import Parameter, get_annotations, isasyncgenfunction, iscoroutinefunction, signature
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar, dataclass_transform, get_args, get_origin, get_type_hints

import pydantic.dataclasses
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

__all__ = [
    "Option",
    "bounds_of",
    "component",
    "declarations_of",
    "kinds_of",
    "options_of",
    "undeclared",
    "unlike",
]

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(Field,))
def component(cls: type[T]) -> type[T]:
    """Make *cls* a component: a frozen dataclass whose options pydantic checks when it is built.

    The string that follows a field says what the option means; ``saferec plugins show`` prints it.
    """
    config = ConfigDict(use_attribute_docstrings=True, extra="forbid", allow_inf_nan=False)
    decorate: Any = pydantic.dataclasses.dataclass(frozen=True, kw_only=True, config=config)
    decorated: type[T] = decorate(cls)
    return decorated


@dataclass(frozen=True)
class Option:
    """One option of a component."""

    name: str
    type: str
    default: str
    range: str
    meaning: str


def options_of(cls: type[Any]) -> list[Option]:
    """List the options of a component class in the order of its fields."""
    if not dataclasses.is_dataclass(cls):
        return []
    hints = get_type_hints(cls, include_extras=False)
    infos: Mapping[str, FieldInfo] = getattr(cls, "__pydantic_fields__", {})
    return [
        _option(field, hints.get(field.name, Any), infos.get(field.name))
        for field in dataclasses.fields(cls)
        if field.init
    ]


def kinds_of(cls: type[Any]) -> Mapping[str, Any]:
    """Return the types of the options of a component class, by name."""
    if not dataclasses.is_dataclass(cls):
        return {}
    hints = get_type_hints(cls)
    return {field.name: hints.get(field.name) for field in dataclasses.fields(cls)}


def _option(field: dataclasses.Field[Any], hint: Any, info: FieldInfo | None) -> Option:
    type_name = hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "")
    if info is None:
        default = "required" if field.default is dataclasses.MISSING else repr(field.default)
        return Option(field.name, type_name, default, "", "")
    value = info.get_default(call_default_factory=True, validated_data={})
    return Option(
        field.name,
        type_name.replace("pathlib._local.", "").replace("pathlib.", ""),
        "required" if value is PydanticUndefined else repr(value),
        bounds_of(_bounds(info.metadata)),
        " ".join((info.description or "").split()),
    )


def bounds_of(bounds: Mapping[str, Any]) -> str:
    """Write bounds such as ``{"ge": 1}`` as ``>= 1``."""
    return ", ".join(f"{_SIGNS[name]} {value}" for name, value in bounds.items())


_SIGNS: Mapping[str, str] = MappingProxyType(
    {"ge": ">=", "gt": ">", "le": "<=", "lt": "<", "min_length": "length >="}
)


def _bounds(metadata: Iterable[object]) -> dict[str, Any]:
    """Collect bounds such as ``annotated_types.Ge(ge=1)`` by name."""
    return {
        name: getattr(part, name)
        for part in metadata
        for name in _SIGNS
        if getattr(part, name, None) is not None
    }


def declarations_of(cls: type[Any], contract: type[Any]) -> dict[str, Any]:
    """Return what a component class declares about itself, by the class attributes of its *contract*.

    What is neither declared nor has a default is None.
    """
    names = [name for name, hint in get_annotations(contract).items() if str(hint).startswith("ClassVar")]
    return {name: getattr(cls, name, None) for name in names}


def undeclared(component: object, contract: type[Any]) -> str:
    """Say what a component declares wrongly, or leaves undeclared, by its *contract*; empty if nothing.

    ``columns = "user"`` would be read as four columns, and ``needs_oracle = "no"`` as yes.
    """
    for name, adapter in _declarations(contract).items():  # type: ignore[arg-type]
        if not hasattr(component, name):
            return f"must declare {name!r}"
        value = getattr(component, name)
        try:
            adapter.validate_python(tuple(value) if isinstance(value, list) else value, strict=True)
        except ValidationError as error:
            wanted = "; ".join(dict.fromkeys(str(problem["msg"]) for problem in error.errors()))
            return f"declares {name} = {value!r}: {wanted}"
    return ""


def unlike(component: object, contract: type[Any], *, may_wait: bool) -> str:
    """Say which method of a component cannot be called as its *contract* specifies; empty if all can.

    Args:
        component: The component.
        contract: The base class of its kind.
        may_wait: Whether its methods may be async.
    """
    for name in sorted(getattr(contract, "__abstractmethods__", ())):
        specified = getattr(contract, name)
        if isinstance(specified, property):
            continue
        method = getattr(component, name)
        if not callable(method):
            return f"must have a method {name}, but that is {method!r:.100}"
        if isasyncgenfunction(method) or (iscoroutinefunction(method) and not may_wait):
            return f"has an async method {name}; it must be a plain one"
        if fault := _misfit(name, specified, method):
            return fault
    return ""


def _misfit(name: str, specified: Any, method: Any) -> str:
    """Say what keeps a method from being called as it is specified."""
    parameters = list(signature(specified).parameters.values())[1:]  # without self
    given = [each.name for each in parameters if each.kind is not Parameter.KEYWORD_ONLY]
    named = {each.name: None for each in parameters if each.kind is Parameter.KEYWORD_ONLY}
    try:
        own = signature(method)
    except (TypeError, ValueError):  # written in C, it does not say
        return ""
    try:
        own.bind(*given, **named)
    except TypeError as error:
        call = ", ".join([*given, *(f"{each}=..." for each in named)])
        return f"is called as {name}({call}), but has {name}{own}: {error}"
    return ""


@cache
def _declarations(contract: type[Any]) -> Mapping[str, TypeAdapter[Any]]:
    """Return the attributes that a contract asks for, of the class or an instance, and their checks."""
    hints = {name: hint for cls in reversed(contract.__mro__) for name, hint in get_type_hints(cls).items()}
    types = {
        name: get_args(hint)[0] if get_origin(hint) is ClassVar else hint
        for name, hint in hints.items()
        if hint is not ClassVar
    }
    return {name: TypeAdapter(hint) for name, hint in types.items()}
