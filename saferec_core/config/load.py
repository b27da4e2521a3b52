"""Make a configuration of layers of settings, each value with where it came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from saferec_core.config.choices import ComponentChoice, Section
from saferec_core.config.misfits import location_of
from saferec_core.config.problems import in_words, section_below
from saferec_core.config.schema import EvalConfig, SftConfig, TrainConfig
from saferec_core.config.settings import Settings, flat, merged
from saferec_core.errors import one_error

__all__ = [
    "DEFAULT",
    "Layer",
    "Resolved",
    "eval_settings",
    "resolved",
]

ConfigT = TypeVar("ConfigT", bound=Section)

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
