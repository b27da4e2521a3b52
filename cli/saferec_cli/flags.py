"""A flag for every setting, made from the configuration itself; ``--help`` shows those that people use."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from typer.models import OptionInfo

from saferec_cli import completion
from saferec_core.config.choices import ComponentChoice, Section
from saferec_core.config.lists import split_text
from saferec_core.config.load import Layer
from saferec_core.config.settings import parse_value

__all__ = ["REFERENCE_NAMES", "Flag", "common_paths", "flags_of", "help_all_option", "nested", "with_flags"]

REFERENCE_NAMES: Mapping[str, tuple[str, str]] = {
    "model-name": ("model.model", "Same as --model."),
    "dataset-path": ("data.train_path", "Same as --train-path."),
    "lr": ("optimization.learning_rate", "Same as --learning-rate."),
    "advantage-mode": ("normalizer.name", "Same as --normalizer."),
    "lambda-safe": ("rewards.safety.weight", "Weight of the safety reward."),
    "penalty-safe": ("rewards.safety.penalty", "Size of the penalty for one violation."),
    "lambda-count": ("rewards.count.weight", "Weight of the count reward; 0 disables it."),
    "target-count": ("rewards.count.target", "Number of titles that a completion should list."),
    "risk-threshold": ("oracle.risk_threshold", "Risk from which a title is a violation, in 0..1."),
    "oracle-path": ("oracle.path", "Oracle file, or a table of risks (JSONL, Parquet)."),
}
"""Flags under the names of the Safe-Rank-GRPO paper's reference implementation, or for component options."""

_REFERENCE_METAVARS = {
    "model-name": "TEXT",
    "dataset-path": "PATH",
    "advantage-mode": "NAME",
    "target-count": "INTEGER",
    "oracle-path": "PATH",
}
"""What their values are, if not a number."""

_DATA, _TRAINING, _MEMORY = "Model and data", "Training", "Memory and precision"
_PIPELINE, _EVALUATION, _RUN = "Data pipeline", "Evaluation", "Run"
_PANELS = (_DATA, _PIPELINE, _TRAINING, _MEMORY, _EVALUATION, _RUN)
"""Panels of ``--help``, in order; further ones follow."""

_COMMON: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "model",
            "sft-checkpoint",
            "train-path",
            "validation-path",
            "test-path",
            "catalog-path",
            "oracle-path",
        ),
        _DATA,
    ),
    **dict.fromkeys(("form", "executor", "num-proc", "overwrite", "fresh"), _PIPELINE),
    **dict.fromkeys(
        (
            *("normalizer", "learning-rate", "max-steps", "num-train-epochs", "num-generations"),
            *("kl-beta", "per-device-train-batch-size", "gradient-accumulation-steps", "optim", "select"),
            "max-length",
        ),
        _TRAINING,
    ),
    **dict.fromkeys(("use-lora", "bf16"), _MEMORY),
    **dict.fromkeys(
        (
            *("num-ranks", "eval-prompts", "eval-at", "eval-decoding", "eval-engine", "guided"),
            "instruction",
        ),
        _EVALUATION,
    ),
    **dict.fromkeys(("preset", "run-name", "output-dir", "seed", "resume"), _RUN),
}
"""Flags that ``--help`` shows, and the panel they stand in; ``--help-all`` shows the others as well."""

Command = Callable[..., None]

_OFF = "_off"
"""Ending of the parameter that turns a switch off."""

_NO_FLAG = {"rewards", "transforms", "steps", "input", "output"}
"""Settings that arguments or options such as ``--reward`` stand for."""

_COMPLETERS: Mapping[str, Callable[[str], list[str]]] = {
    "normalizer": completion.names_of("normalizers"),
    "ignore-alarm": completion.names_of("alarms"),
    "advantage-mode": completion.names_of("normalizers"),
    "oracle": completion.names_of("oracles"),
    "parser": completion.names_of("parsers"),
    "eval-metrics": completion.names_of("metrics"),
    "eval-traits": completion.traits,
}


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
    flags = list(_of_section(kind, "", "Other run settings"))
    for name, (path, text) in REFERENCE_NAMES.items():
        if path.split(".")[0] in kind.model_fields:
            panel = "Names in the reference implementation, and options of components"
            flags.append(Flag(name, path, str, _REFERENCE_METAVARS.get(name, "NUMBER"), text, panel))
    return flags


def common_paths(kind: type[Section]) -> set[str]:
    """Return the dotted paths of the settings that ``--help`` shows."""
    return {flag.path for flag in flags_of(kind) if flag.name in _COMMON}


def _of_section(section: type[BaseModel], prefix: str, panel: str) -> Iterator[Flag]:
    for name, field in section.model_fields.items():
        inner = _without_none(field.annotation)
        flag = name.replace("_", "-")
        if name == "sft":
            continue  # a stage within a run; its settings have names that are taken
        if isinstance(inner, type) and issubclass(inner, ComponentChoice):
            default = field.get_default(call_default_factory=True, validated_data={})
            text = f"{_meaning(field)} [default: {default.name if default else 'none'}]"
            yield Flag(flag, f"{prefix}{name}.name", str, "NAME", text, "Components")
        elif isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _of_section(inner, f"{prefix}{name}.", f"Other {name} settings")
        elif name not in _NO_FLAG:
            yield _of_field(flag, f"{prefix}{name}", field, inner, panel)


def _of_field(name: str, path: str, field: FieldInfo, inner: Any, panel: str) -> Flag:
    default = field.get_default(call_default_factory=True, validated_data={})
    shown = ", ".join(map(str, default)) if isinstance(default, list) else default
    choices = ", ".join(map(str, get_args(inner))) if get_origin(inner) is Literal else ""
    known = "; ".join(filter(None, [choices, "" if shown in (None, "") else f"default: {shown}"]))
    text = f"{_meaning(field)} [{known}]" if known else _meaning(field)
    if inner is bool:
        text = f"{_meaning(field)}{' [default: on]' if default else ''}"
        return Flag(name, path, bool, "", text, panel.replace("settings", "switches"))
    names = {int: "INTEGER", float: "NUMBER", Path: "PATH"}
    if get_origin(inner) is list:
        return Flag(name, path, list, f"{names.get(get_args(inner)[0], 'NAME')},...", text, panel)
    return Flag(name, path, str, "NAME" if choices else names.get(inner, "TEXT"), text, panel)


def _meaning(field: FieldInfo) -> str:
    return " ".join((field.description or "").replace("``", "").split())


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) in (Union, UnionType):
        rest = [part for part in get_args(annotation) if part is not NoneType]
        return rest[0] if len(rest) == 1 else annotation
    return annotation


def with_flags(kind: type[Section], *, without: Collection[str] = ()) -> Callable[[Command], Command]:
    """Give a command a flag for every setting of *kind*, and ``--help-all``.

    The command's parameter ``flags`` receives a layer of settings for each flag that was given.

    Args:
        kind: The configuration.
        without: Dotted paths of settings that the command has arguments for.
    """
    flags = [flag for flag in flags_of(kind) if flag.path not in without]

    def decorate(command: Command) -> Command:
        def run(**arguments: Any) -> None:
            arguments.pop("help_all", None)
            given = {flag: arguments.pop(flag.parameter, None) for flag in flags}
            for flag in flags:
                if arguments.pop(f"{flag.parameter}{_OFF}", None):
                    given[flag] = False
            layers = [
                Layer(f"--{flag.name}", nested(flag.path, _value(flag, value)))
                for flag, value in given.items()
                if value not in (None, [], ())
            ]
            command(**arguments, flags=layers)

        own = [p for p in inspect.signature(command).parameters.values() if p.name != "flags"]
        hints = inspect.get_annotations(command, eval_str=True)
        parameters = [p.replace(annotation=hints[p.name], kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
        parameters += [_parameter(flag) for flag in flags]
        parameters += [_off(flag) for flag in flags if flag.kind is bool]
        parameters.sort(key=_position)
        parameters.append(help_all_option())
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        return run

    return decorate


def _position(parameter: inspect.Parameter) -> int:
    """Return what to sort parameters by: arguments, then options by the panel that they stand in."""
    [option] = getattr(parameter.annotation, "__metadata__", [None])
    if not isinstance(option, OptionInfo):
        return -1
    panel = option.rich_help_panel
    return _PANELS.index(panel) if panel in _PANELS else len(_PANELS)


def _parameter(flag: Flag) -> inspect.Parameter:
    option: Any = typer.Option(
        f"--{flag.name}",
        help=flag.help.replace("[", "\\["),  # square brackets are markup to rich
        metavar=flag.metavar or None,
        rich_help_panel=_COMMON.get(flag.name, flag.panel),
        show_default=False,
        hidden=flag.name not in _COMMON,
        autocompletion=_COMPLETERS.get(flag.name),
    )
    kind: Any = list[str] if flag.kind is list else flag.kind
    return inspect.Parameter(
        flag.parameter,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, option],
    )


def _off(flag: Flag) -> inspect.Parameter:
    """Return the option that turns a switch off, which no help lists."""
    option: Any = typer.Option(f"--no-{flag.name}", hidden=True, show_default=False)
    return inspect.Parameter(
        f"{flag.parameter}{_OFF}",
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[bool | None, option],
    )


def help_all_option() -> inspect.Parameter:
    """Return the option that prints the help with every flag in it."""
    option: Any = typer.Option(
        "--help-all",
        is_eager=True,
        callback=_show_all,
        help="Show every option and exit; switches also have a --no- form.",
    )
    return inspect.Parameter(
        "help_all", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Annotated[bool, option]
    )


def _show_all(context: typer.Context, value: bool) -> None:
    if not value or context.resilient_parsing:
        return
    for parameter in context.command.params:
        if hasattr(parameter, "hidden") and not str(parameter.name).endswith(_OFF):
            parameter.hidden = False
    if text := context.get_help():  # rich has printed it already
        typer.echo(text)
    raise typer.Exit


def _value(flag: Flag, given: Any) -> Any:
    if flag.kind is list:
        return [part for text in given for part in split_text(text)]
    if flag.path.startswith(("rewards.", "oracle.")) and not flag.path.endswith((".path", ".name")):
        return parse_value(given, f"--{flag.name}")  # only the component's plugin knows the type
    return given


def nested(path: str, value: Any) -> dict[str, Any]:
    """Turn ``"a.b"`` and 1 into ``{"a": {"b": 1}}``."""
    for part in reversed(path.split(".")):
        value = {part: value}
    return dict(value)
