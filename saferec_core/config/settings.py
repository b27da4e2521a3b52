"""Settings as nested mappings: read from a file or text, merged, flattened, and written again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from saferec_core.config.schema import RunConfig
from saferec_core.config.yaml_text import read_yaml
from saferec_core.errors import ConfigError

__all__ = ["Settings", "as_yaml", "flat", "merged", "parse_setting", "parse_value", "read_settings"]

Settings = dict[str, Any]
"""Values by key, with a mapping for each section."""


def read_settings(path: Path) -> Settings:
    """Read a YAML file of settings.

    Raises:
        ConfigError: The file is missing, is not valid YAML, or does not hold a mapping.
    """
    try:
        loaded = read_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"configuration {path} does not exist") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"configuration {path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"configuration {path} is not valid YAML: {_yaml_problem(error)}") from None
    if not isinstance(loaded or {}, dict):
        raise ConfigError(f"configuration {path} must hold KEY: VALUE pairs, but holds {_kind_of(loaded)}")
    if not all(isinstance(key, str) for key in loaded or {}):
        raise ConfigError(f"configuration {path} must hold KEY: VALUE pairs, and every KEY must be text")
    return loaded or {}


def _yaml_problem(error: yaml.YAMLError) -> str:
    """Say what is wrong and where without quoting the line, which may hold a key."""
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    return f"{what} (line {mark.line + 1}, column {mark.column + 1})" if mark else str(what)


def _kind_of(loaded: object) -> str:
    return "a list" if isinstance(loaded, list) else f"a single value ({type(loaded).__name__})"


def parse_setting(text: str) -> Settings:
    """Turn ``"rewards.safety.weight=2"`` into nested settings; the value is read as YAML.

    Raises:
        ConfigError: There is no ``=``, or the value is not valid YAML.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set expects KEY=VALUE, but got {text!r}")
    nested = parse_value(value, f"--set {key}")
    for part in reversed(key.strip().split(".")):
        nested = {part: nested}
    return dict(nested)


def parse_value(text: str, called: str) -> Any:
    """Read a value that is given on the command line.

    Args:
        text: The value, as YAML.
        called: What an error names, such as ``--set seed``.

    Raises:
        ConfigError: It is not valid YAML.
    """
    try:
        return read_yaml(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{called}: the value is not valid YAML: {_yaml_problem(error)}") from None


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


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Turn nested settings into values by dotted path; an empty mapping is a value."""
    values: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            values |= flat(value, f"{prefix}{key}.")
        else:
            values[f"{prefix}{key}"] = value
    return values


def as_yaml(config: RunConfig) -> str:
    """Write a resolved configuration, every default spelled out and every file by its whole path."""
    return yaml.safe_dump(_located(config.model_dump(mode="json")), sort_keys=False, allow_unicode=True)


def _located(value: Any) -> Any:
    """Write what names a file or folder so that it is found from any working directory."""
    if isinstance(value, dict):
        return {key: _located(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_located(part) for part in value]
    if isinstance(value, str) and ("/" in value or "." in value):
        with suppress(OSError):  # text that is too long for a name
            if Path(value).exists():
                return str(Path(value).resolve())
    return value
