"""Read a configuration: layers of settings laid over one another, each value with where it came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from saferec_core.config.choices import ComponentChoice, Section
from saferec_core.config.misfits import location_of
from saferec_core.config.problems import in_words, section_below
from saferec_core.config.schema import EvalConfig, RunConfig, SftConfig, TrainConfig
from saferec_core.config.yaml_text import read_yaml
from saferec_core.errors import ConfigError, one_error

__all__ = [
    "DEFAULT",
    "Layer",
    "Resolved",
    "as_yaml",
    "eval_settings",
    "flat",
    "merged",
    "parse_setting",
    "parse_value",
    "read_settings",
    "resolved",
]

ConfigT = TypeVar("ConfigT", bound=Section)
Settings = dict[str, Any]

DEFAULT = "default"
"""Origin of a value that no layer sets."""


@dataclass(frozen=True)
class Layer:
    """Settings from one source."""

    origin: str
    """The source as the user knows it: ``--lr``, ``run.yaml``, ``preset safe-rank-grpo``."""
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Resolved(Generic[ConfigT]):
    """A configuration and the origin of its values."""

    config: ConfigT
    origins: Mapping[str, str] = field(default_factory=dict)
    """Origin by dotted path, of every value that a layer sets."""
    problems: Sequence[str] = ()
    """What was wrong with the settings; values that were refused are left at their defaults."""

    def origin(self, path: str) -> str:
        """Return where the value at a dotted path came from."""
        return _origin(self.origins, path)

    def checked(self) -> ConfigT:
        """Return the configuration.

        Raises:
            ConfigError: A setting was refused; the message holds every problem.
        """
        if self.problems:
            raise one_error(self.problems)
        return self.config


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


def resolved(
    kind: type[ConfigT], *, files: Sequence[Layer] = (), overrides: Sequence[Layer] = ()
) -> Resolved[ConfigT]:
    """Make a configuration of *kind* out of its defaults, files and overrides, in rising order.

    A file that names ``rewards`` names all of them; an override changes one among them.

    Raises:
        ConfigError: Some problem leaves no configuration at all; the message holds every problem.
    """
    settings, origins = _laid_over(kind, files, overrides)
    problems: list[str] = []
    while True:  # what was wrong is left out, for what else there is to be found
        try:
            return Resolved(kind.model_validate(settings), origins, problems)
        except ValidationError as error:
            further = [_in_words(kind, problem, origins) for problem in error.errors()]
            if not {*further} - {*problems}:  # what is wrong is not one value
                raise one_error(problems) from None
            problems += further
            for problem in error.errors():
                _remove(settings, location_of(problem))


def _laid_over(
    kind: type[Section], files: Sequence[Layer], overrides: Sequence[Layer]
) -> tuple[Settings, dict[str, str]]:
    settings: Settings = {}
    origins: dict[str, str] = {}
    for file in files:
        if "rewards" in file.settings:
            settings.pop("rewards", None)
            origins = {path: origin for path, origin in origins.items() if not path.startswith("rewards.")}
        _forget_options_of_others(kind, settings, origins, file.settings)
        settings = merged([settings, file.settings])
        _note(origins, file)
    if "rewards" in kind.model_fields and "rewards" not in settings:
        settings["rewards"] = kind.model_construct().model_dump(include={"rewards"})["rewards"]
    _forget_options_of_others(kind, settings, origins, merged(layer.settings for layer in overrides))
    for layer in overrides:
        settings = merged([settings, layer.settings])
        _note(origins, layer)
    return _with_names(kind.model_construct(), settings), origins


def _forget_options_of_others(
    kind: type[BaseModel],
    settings: Settings,
    origins: dict[str, str],
    above: Mapping[str, Any],
    prefix: str = "",
) -> None:
    """Drop the options of a component where the settings *above* name another one in its place."""
    for name in kind.model_fields:
        below, chosen, path = settings.get(name), above.get(name), f"{prefix}{name}"
        if not isinstance(below, dict) or not isinstance(chosen, Mapping):
            continue
        section = section_below(kind, name)
        if isinstance(section, type) and issubclass(section, ComponentChoice):
            if "name" in chosen and chosen["name"] != below.get("name", chosen["name"]):
                settings[name] = {}
                for known in [known for known in origins if known.startswith(f"{path}.")]:
                    del origins[known]
        elif isinstance(section, type) and issubclass(section, BaseModel):
            _forget_options_of_others(section, below, origins, chosen, f"{path}.")


def _note(origins: dict[str, str], layer: Layer) -> None:
    """Note where values come from; a value takes the place of those below and above it."""
    for path in flat(layer.settings):
        for known in [*origins]:
            if known.startswith(f"{path}.") or path.startswith(f"{known}."):
                del origins[known]
        origins[path] = layer.origin


def _origin(origins: Mapping[str, str], path: str) -> str:
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        if (origin := origins.get(".".join(parts[:length]))) is not None:
            return origin
    below = (origin for known, origin in origins.items() if known.startswith(f"{path}."))
    return next(below, DEFAULT)


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


def _in_words(kind: type[BaseModel], problem: Mapping[str, Any], origins: Mapping[str, str]) -> str:
    origin = _origin(origins, ".".join(map(str, problem["loc"])))
    return in_words(kind, problem, "" if origin == DEFAULT else origin)


def _remove(settings: Settings, location: Sequence[Any]) -> None:
    """Remove the value at *location*; a list as a whole if it is one of its entries."""
    within: Any = settings
    for depth, part in enumerate(location, start=1):
        below = within.get(part)
        if depth == len(location) or not isinstance(below, dict):
            within.pop(part, None)
            return
        within = below


def eval_settings(settings: Mapping[str, Any]) -> Settings:
    """Return what the configuration of a training run says about evaluation, for ``saferec eval``.

    Only settings of training are left out; a key that no command knows stays, and is refused later.
    """
    training = {*TrainConfig.model_fields, *SftConfig.model_fields} - {*EvalConfig.model_fields}
    kept = {name: value for name, value in settings.items() if name not in training}
    if isinstance(model := kept.get("model"), Mapping):
        trained = {*section_below(TrainConfig, "model").model_fields}
        trained -= {*section_below(EvalConfig, "model").model_fields}
        kept["model"] = {name: value for name, value in model.items() if name not in trained}
    return kept


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
