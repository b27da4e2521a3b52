"""A flag for every setting, made from the configuration itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from saferec_core.config.schema import RunConfig
from saferec_core.config.sections import ComponentChoice, Section

__all__ = ["DOCUMENT_NAMES", "Flag", "flags_of", "nested", "with_flags"]

DOCUMENT_NAMES: Mapping[str, tuple[str, str]] = {
    "model-name": ("model.model", "The document's name for --model."),
    "dataset-path": ("data.train_path", "The document's name for --train-path in SFT."),
    "lr": ("optimization.learning_rate", "The document's name for --learning-rate in RL."),
    "advantage-mode": ("normalizer.name", "The document's name for --normalizer."),
    "lambda-safe": ("rewards.safety.weight", "Weight of the safety reward."),
    "penalty-safe": ("rewards.safety.penalty", "Size of the penalty for one violation."),
    "lambda-count": ("rewards.count.weight", "Weight of the count reward; 0 leaves it out."),
    "target-count": ("rewards.count.target", "Titles that a completion should list."),
    "risk-threshold": ("oracle.risk_threshold", "A risk of at least this is a violation, in 0..1."),
    "oracle-path": ("oracle.path", "Oracle file, or a table of risks (JSONL, Parquet)."),
}
"""Flags that the Safe-Rank-GRPO document has under other names, or for options of components."""

_NO_FLAG = {"rewards", "transforms", "steps", "input", "output"}
"""Settings that arguments or options such as ``--reward`` stand for."""


@dataclass(frozen=True)
class Flag:
    """One flag and the setting that it moves."""

    name: str
    path: str
    """Dotted path of the setting."""
    kind: type[Any]
    """``bool`` for an on/off pair, ``list`` if it may be repeated, else ``str``."""
    metavar: str
    help: str
    panel: str

    @property
    def parameter(self) -> str:
        """Name of the Python parameter."""
        return f"flag_{self.name.replace('-', '_')}"


def flags_of(kind: type[Section]) -> list[Flag]:
    """List the flags of a command whose configuration is of this *kind*."""
    flags = list(_of_section(kind, "", "Run"))
    for name, (path, text) in DOCUMENT_NAMES.items():
        if path.split(".")[0] in kind.model_fields:
            flags.append(Flag(name, path, str, "VALUE", text, "Names of the document"))
    return flags


def _of_section(section: type[BaseModel], prefix: str, panel: str) -> Iterator[Flag]:
    for name, field in section.model_fields.items():
        inner = _without_none(field.annotation)
        flag = name.replace("_", "-")
        if isinstance(inner, type) and issubclass(inner, RunConfig):
            continue  # a stage within a run; its settings have names that are taken
        if inner is ComponentChoice:
            text = f"{_meaning(field)} See 'saferec plugins list'."
            yield Flag(flag, f"{prefix}{name}.name", str, "NAME", text, "Components")
        elif isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _of_section(inner, f"{prefix}{name}.", name.capitalize())
        elif name not in _NO_FLAG:
            yield _of_field(flag, f"{prefix}{name}", field, inner, panel)


def _of_field(name: str, path: str, field: FieldInfo, inner: Any, panel: str) -> Flag:
    default = field.get_default(call_default_factory=True, validated_data={})
    shown = ", ".join(map(str, default)) if isinstance(default, list) else default
    text = f"{_meaning(field)} [default: {'none' if shown in (None, '') else shown}]"
    if inner is bool:
        return Flag(name, path, bool, "", text, panel)
    if get_origin(inner) is list:
        return Flag(name, path, list, "VALUE,...", text, panel)
    if get_origin(inner) is Literal:
        return Flag(name, path, str, "|".join(map(str, get_args(inner))), text, panel)
    names = {int: "INTEGER", float: "NUMBER", Path: "PATH"}
    return Flag(name, path, str, names.get(inner, "TEXT"), text, panel)


def _meaning(field: FieldInfo) -> str:
    return " ".join((field.description or "").split())


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) in (Union, UnionType):
        rest = [part for part in get_args(annotation) if part is not NoneType]
        return rest[0] if len(rest) == 1 else annotation
    return annotation


def with_flags(kind: type[Section]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command a flag for every setting of *kind*.

    The command's parameter ``flags`` receives the settings that were given, by dotted path.
    """
    flags = flags_of(kind)

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        def run(**arguments: Any) -> None:
            given = {
                flag.path: _value(flag, arguments.pop(flag.parameter))
                for flag in flags
                if arguments.get(flag.parameter) not in (None, [], ()) or arguments.pop(flag.parameter, None)
            }
            command(**arguments, flags=given)

        own = [p for p in inspect.signature(command).parameters.values() if p.name != "flags"]
        hints = inspect.get_annotations(command, eval_str=True)
        parameters = [p.replace(annotation=hints[p.name]) for p in own]
        parameters += [_parameter(flag) for flag in flags]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        return run

    return decorate


def _parameter(flag: Flag) -> inspect.Parameter:
    declared = f"--{flag.name}/--no-{flag.name}" if flag.kind is bool else f"--{flag.name}"
    option: Any = typer.Option(
        declared,
        help=flag.help,
        metavar=None if flag.kind is bool else flag.metavar,
        rich_help_panel=flag.panel,
        show_default=False,
    )
    kind: Any = list[str] if flag.kind is list else flag.kind
    return inspect.Parameter(
        flag.parameter,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, option],
    )


def _value(flag: Flag, given: Any) -> Any:
    if flag.kind is list:
        return [part.strip() for text in given for part in text.split(",") if part.strip()]
    if flag.path.startswith(("rewards.", "oracle.")) and not flag.path.endswith((".path", ".name")):
        return yaml.safe_load(given)  # an option of a component: only its plugin knows the type
    return given


def nested(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Turn ``{"a.b": 1}`` into ``{"a": {"b": 1}}``."""
    result: dict[str, Any] = {}
    for path, value in settings.items():
        *sections, name = path.split(".")
        place = result
        for section in sections:
            place = place.setdefault(section, {})
        place[name] = value
    return result
