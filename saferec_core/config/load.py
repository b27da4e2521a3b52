"""Read a configuration: defaults, profile, YAML file and single settings, in rising order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from saferec_core.config.schema import RunConfig
from saferec_core.config.sections import ComponentChoice, Section
from saferec_core.errors import ConfigError, came_instead, near_misses

__all__ = ["as_yaml", "merged", "parse_setting", "read_settings", "validated"]

ConfigT = TypeVar("ConfigT", bound=Section)
Settings = dict[str, Any]


def read_settings(path: Path) -> Settings:
    """Read a YAML file of settings.

    Raises:
        ConfigError: The file is missing, no YAML, or no mapping.
    """
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"configuration {path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"configuration {path} is no YAML: {_told(error)}") from None
    if not isinstance(loaded or {}, dict):
        raise ConfigError(f"configuration {path} must hold KEY: VALUE pairs, but holds {_kind_of(loaded)}")
    if not all(isinstance(key, str) for key in loaded or {}):
        raise ConfigError(f"configuration {path} must hold KEY: VALUE pairs, and every KEY must be text")
    return loaded or {}


def _told(error: yaml.YAMLError) -> str:
    """Tell what is wrong and where without the line itself, which may hold a key."""
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
    return f"{what} (line {mark.line + 1}, column {mark.column + 1})" if mark else str(what)


def _kind_of(loaded: object) -> str:
    return "a list" if isinstance(loaded, list) else f"a single value ({type(loaded).__name__})"


def parse_setting(text: str) -> Settings:
    """Turn ``"rewards.safety.weight=2"`` into nested settings; the value is read as YAML.

    Raises:
        ConfigError: There is no ``=``, or the value is no YAML.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set wants KEY=VALUE, but got {text!r}")
    try:
        nested: Any = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {key}: the value is no YAML: {_told(error)}") from None
    for part in reversed(key.strip().split(".")):
        nested = {part: nested}
    return dict(nested)


def merged(layers: Iterable[Mapping[str, Any]]) -> Settings:
    """Lay settings over one another; mappings are merged, everything else is replaced."""
    result: Settings = {}
    for layer in layers:
        for key, value in layer.items():
            below = result.get(key)
            if isinstance(below, dict) and isinstance(value, Mapping):
                result[key] = merged([below, value])
            else:
                result[key] = dict(value) if isinstance(value, Mapping) else value
    return result


def validated(
    kind: type[ConfigT],
    *,
    files: Sequence[Mapping[str, Any]] = (),
    overrides: Sequence[Mapping[str, Any]] = (),
) -> ConfigT:
    """Make a configuration of *kind* out of its defaults, files and overrides, in rising order.

    A file that names ``rewards`` names all of them; an override changes one among them.

    Raises:
        ConfigError: Every problem with the key's whole path, what was wanted and what came.
    """
    settings: Settings = {}
    for file in files:
        if "rewards" in file:
            settings.pop("rewards", None)
        settings = merged([settings, file])
    if "rewards" in kind.model_fields and "rewards" not in settings:
        settings["rewards"] = kind.model_construct().model_dump(include={"rewards"})["rewards"]
    try:
        return kind.model_validate(_with_names(kind.model_construct(), merged([settings, *overrides])))
    except ValidationError as error:
        raise ConfigError("\n".join(_problem(kind, problem) for problem in error.errors())) from error


def _with_names(defaults: BaseModel, settings: Settings) -> Settings:
    """Complete options that are said of a default component without naming it."""
    for name, value in settings.items():
        default = getattr(defaults, str(name), None)
        if not isinstance(value, dict) or not isinstance(default, BaseModel):
            continue
        if isinstance(default, ComponentChoice):
            settings[name] = {"name": default.name, **value}
        else:
            _with_names(default, value)
    return settings


def _problem(kind: type[BaseModel], problem: Mapping[str, Any]) -> str:
    path = ".".join(map(str, problem["loc"])) or "configuration"
    if problem["type"] == "extra_forbidden":
        section: Any = kind
        for part in problem["loc"][:-1]:
            section = _section_below(section, part)
        fields = getattr(section, "model_fields", {})
        known = f" Keys here: {', '.join(sorted(fields))}." if fields else ""
        return f"unknown key {path!r}.{near_misses(str(problem['loc'][-1]), fields)}{known}"
    message = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "value_error":
        return f"{path}: {message}" if problem["loc"] else message
    return f"{path}: {message}{came_instead(problem)}"


def _section_below(section: Any, name: Any) -> Any:
    """Return the type of a section's field, without the None that an optional one may be."""
    field = getattr(section, "model_fields", {}).get(name)
    if field is None:
        return None
    parts = [part for part in get_args(field.annotation) if part is not NoneType]
    return parts[0] if len(parts) == 1 else field.annotation


def as_yaml(config: RunConfig) -> str:
    """Write a resolved configuration, every default spelled out and every file by its whole path."""
    return yaml.safe_dump(_located(config.model_dump(mode="json")), sort_keys=False, allow_unicode=True)


def _located(value: Any) -> Any:
    """Write what names a file or folder so that it is found from any working directory."""
    if isinstance(value, dict):
        return {key: _located(part) for key, part in value.items()}
    if isinstance(value, str) and ("/" in value or "." in value) and Path(value).exists():
        return str(Path(value).resolve())
    return value
