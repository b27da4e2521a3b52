"""Components: classes whose dataclass fields are their options."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, dataclass_transform, get_type_hints

import pydantic.dataclasses
from pydantic import ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from saferec_core.errors import ConfigError, PluginError, SaferecError, came_instead, near_misses
from saferec_core.plugins.registry import Entry

__all__ = ["Option", "build", "component", "options_of", "required_columns", "scope_of"]

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


def build(entry: Entry[T], options: Mapping[str, Any], inherited: Mapping[str, Any] | None = None) -> T:
    """Build the component that *entry* stands for.

    Args:
        entry: The registered component.
        options: What the run configuration says, by option name.
        inherited: Values of the run that a component takes over where it has an option of that name
            which *options* leaves open, such as the ``variant`` of the discount by rank.

    Raises:
        ConfigError: An option is unknown or its value is refused; the message has its whole path.
        PluginError: The component cannot be imported, or its constructor fails.
    """
    cls = entry.load()
    known = {option.name for option in options_of(cls)}
    for name in options:
        if name not in known:
            wanted = f"Options: {', '.join(sorted(known))}." if known else "It has no options."
            raise ConfigError(
                f"{entry.kind} {entry.name!r} has no option {name!r}.{near_misses(name, known)} {wanted}"
            )
    taken = {name: value for name, value in (inherited or {}).items() if name in known}
    try:
        return cls(**{**taken, **options})
    except ValidationError as error:
        problems = "; ".join(_problem(entry.name, problem) for problem in error.errors())
        raise ConfigError(f"{entry.kind} {entry.name!r}: {problems}") from error
    except SaferecError:
        raise
    except Exception as error:  # whatever a plugin's constructor raises, the plugin is to be named
        raise PluginError(
            f"{entry.kind} {entry.name!r} of {entry.origin} cannot be built: {type(error).__name__}: {error}"
        ) from error


def _problem(name: str, problem: Mapping[str, Any]) -> str:
    place = [str(part) for part in problem["loc"]]
    if problem["type"] == "missing" and len(place) == 1:
        return f"option {place[0]!r} is missing; give --{place[0].replace('_', '-')}"
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{'.'.join([name, *place])}: {message}{came_instead(problem)}"


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
        ", ".join(_bound(part) for part in info.metadata if _bound(part)),
        " ".join((info.description or "").split()),
    )


def _bound(constraint: object) -> str:
    """Write a bound such as ``annotated_types.Ge(ge=1)`` as ``>= 1``."""
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<", "min_length": "length >="}
    for attribute, sign in signs.items():
        value = getattr(constraint, attribute, None)
        if value is not None:
            return f"{sign} {value}"
    return ""


def required_columns(component_or_class: object) -> tuple[str, ...]:
    """Return the dataset columns that a component needs in every record."""
    return tuple(getattr(component_or_class, "columns", ()))


def scope_of(component_or_class: object) -> str:
    """Return ``"rank"`` or ``"list"`` for a reward, and ``""`` for anything else."""
    return str(getattr(component_or_class, "scope", ""))
