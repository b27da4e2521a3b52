"""From arguments to a configuration."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import yaml

from saferec_core.config.choices import DEFAULT_ORACLE
from saferec_core.config.load import Layer, Resolved, resolved
from saferec_core.config.presets import Stage, preset_settings, smoke_settings
from saferec_core.config.schema import RunConfig, SftConfig, StageConfig, TrainConfig
from saferec_core.config.settings import merged, parse_setting, read_settings
from saferec_core.config.yaml_text import read_yaml
from saferec_core.errors import ConfigError
from saferec_core.runs.checkpoints import run_folder_of
from saferec_core.runs.layout import RunLayout
from saferec_core.runs.manifest import stage_of

__all__ = ["Request", "oracle_name", "resolve", "setting_layers", "transform_layers"]

ConfigT = TypeVar("ConfigT", bound=StageConfig)

_NAMED = ("model.model", "data.train_path", "data.catalog_path")
"""Naming any of these means that the run is not the demo."""


@dataclass(frozen=True)
class Request(Generic[ConfigT]):
    """What a command was asked for."""

    resolved: Resolved[ConfigT]
    is_demo: bool
    """Whether neither model nor data are named, so that the embedded demo provides both."""


def resolve(
    kind: type[ConfigT],
    file: Path | None,
    flags: Sequence[Layer],
    settings: Sequence[str],
    *,
    rewards: Sequence[str] = (),
    transforms: Sequence[str] = (),
    smoke: bool = False,
    demo: bool = True,
    of_run: bool = False,
) -> Request[ConfigT]:
    """Lay defaults, YAML file, flags and ``--set`` over one another, in rising order.

    With nothing named, neither model nor data, the demo's profile takes the file's place, unless *demo* is
    False. Where the file is *of_run*, of a run that exists, what that was called does not matter.

    Raises:
        ConfigError: An argument cannot be understood at all.
    """
    given = [*flags, *setting_layers(settings)]
    given += transform_layers(transforms)
    resume_from = _at(merged(layer.settings for layer in given), "resume_from")
    if file is None and resume_from is not None:
        file, of_run = _run_to_resume(kind, Path(resume_from)).config, True
    files = [] if file is None else [_layer_of(file, of_run=of_run)]
    for layer in (*files, *given):
        if not isinstance(layer.settings.get("rewards", {}), Mapping):
            raise ConfigError(
                f"rewards ({layer.origin}): expected NAME: {{weight: ...}} pairs, but got "
                f"{layer.settings['rewards']!r}"
            )
    is_demo = demo and not any(_has(layer.settings, path) for layer in (*files, *given) for path in _NAMED)
    if is_demo:
        short = [smoke_settings(with_sft=False)] if smoke else []
        asked = merged([*(file.settings for file in files), *short, *(layer.settings for layer in given)])
        profile = _demo_profile(kind, asked)
        files.insert(0, Layer("demo", profile))
    if (preset := _at(merged(layer.settings for layer in (*files, *given)), "preset")) is not None:
        stage: Stage = "sft" if issubclass(kind, SftConfig) else "train"
        with_sft = any(_has(layer.settings, "sft") for layer in (*files, *given))
        chosen = preset_settings(str(preset), stage, with_sft=with_sft)
        files.insert(int(is_demo), Layer(f"preset {preset}", chosen))
    if smoke:
        with_sft = any(_has(layer.settings, "sft") for layer in (*files, *given))
        files.append(Layer("--smoke", smoke_settings(with_sft=with_sft)))
    given.insert(0, oracle_name(files, given))
    if kind is TrainConfig:
        given += _reward_layers(files, given, rewards)
    return Request(resolved(kind, files=files, overrides=given), is_demo)


def _layer_of(file: Path, *, of_run: bool) -> Layer:
    settings = read_settings(file)
    kept = {name: value for name, value in settings.items() if name != "run_name" or not of_run}
    return Layer(str(file), kept)


def _run_to_resume(kind: type[RunConfig], named: Path) -> RunLayout:
    """Return the run that a folder is or lies in.

    Raises:
        ConfigError: It is a run of another command.
    """
    run = RunLayout(run_folder_of(named))
    command: Stage = "sft" if issubclass(kind, SftConfig) else "train"
    if (stage := stage_of(run)) not in {None, command}:
        advice = "" if stage == "eval" else f"; continue it with: saferec {stage} --resume-from {named}"
        raise ConfigError(f"{run.path} is a run of 'saferec {stage}', not of 'saferec {command}'{advice}")
    return run


def setting_layers(settings: Iterable[str]) -> list[Layer]:
    """Read every ``--set KEY=VALUE``.

    Raises:
        ConfigError: One of them is not of this form.
    """
    return [Layer(f"--set {text.partition('=')[0]}", parse_setting(text)) for text in settings]


def transform_layers(transforms: Sequence[str]) -> list[Layer]:
    """Read every ``--transform "NAME OPTION=VALUE ..."``.

    Raises:
        ConfigError: One of them is not of this form.
    """
    if not transforms:
        return []
    return [Layer("--transform", {"data": {"transforms": [_transform(text) for text in transforms]}})]


def _transform(text: str) -> dict[str, Any]:
    """Read ``NAME OPTION=VALUE ...``; values are read as YAML."""
    try:
        name, *options = shlex.split(text)
        pairs = [option.partition("=") for option in options]
        values = {key.replace("-", "_"): read_yaml(value) for key, _, value in pairs}
    except (ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"--transform {text!r} cannot be read: {error}") from error
    if not all(key and equals for key, equals, _ in pairs):
        raise ConfigError(f"--transform expects NAME OPTION=VALUE ..., but got {text!r}")
    return {"name": name, **values}


def _demo_profile(kind: type[RunConfig], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the demo's settings for the folder, the seed and the number of records that are *given*."""
    from saferec_core.demo.profile import demo_settings  # only for the demo

    early = {key: given[key] for key in ("output_dir", "seed") if key in given}
    early["data"] = {"max_records": _at(given, "data.max_records")}
    where = resolved(kind, files=[Layer("", {"seed": 0, **early})]).config
    profile = demo_settings(where.output_dir, seed=where.seed, max_records=where.data.max_records)
    if not issubclass(kind, SftConfig):
        return profile
    shared = {key: value for key, value in profile.items() if key in kind.model_fields}
    shared.pop("optimization", None)
    return merged([shared, profile["sft"]])


def oracle_name(files: Sequence[Layer], given: Sequence[Layer]) -> Layer:
    """Name the oracle that options such as ``--oracle-path`` belong to without naming it."""
    unnamed = [
        layer for layer in given if _has(layer.settings, "oracle") and not _has(layer.settings, "oracle.name")
    ]
    if not unnamed:
        return Layer("", {})
    named = [name for file in files if (name := _at(file.settings, "oracle.name")) is not None]
    return Layer(unnamed[0].origin, {"oracle": {"name": str(named[-1]) if named else DEFAULT_ORACLE}})


def _reward_layers(files: Sequence[Layer], given: Sequence[Layer], chosen: Sequence[str]) -> list[Layer]:
    """Say what ``--reward`` means in weights: exactly these, with 1 where no weight is given.

    Options given for a reward that is not in use do not bring it into use, nor does a weight for one
    that ``--reward`` leaves out.
    """
    base = _weights_of_files(files)
    own = merged(rewards for layer in given if isinstance(rewards := layer.settings.get("rewards"), Mapping))
    layers = []
    for name in dict.fromkeys([*base, *own, *chosen]):
        if not isinstance(own.get(name, {}), Mapping):
            continue  # refused when the whole is checked
        if _has(own, f"{name}.weight") and (not chosen or name in chosen):
            continue
        if chosen:
            weight = (base.get(name) or 1.0) if name in chosen else 0.0
            layers.append(Layer("--reward", {"rewards": {name: {"weight": weight}}}))
        elif name not in base:
            layers.append(Layer("default", {"rewards": {name: {"weight": 0.0}}}))
    return layers


def _weights_of_files(files: Sequence[Layer]) -> dict[str, Any]:
    """Return the weight of each reward that the last file with rewards names, else the defaults."""
    named = [rewards for file in files if (rewards := file.settings.get("rewards"))]
    if not named:
        return {name: choice.weight for name, choice in TrainConfig().rewards.items()}
    return {
        name: choice.get("weight", 1.0) if isinstance(choice, Mapping) else 1.0
        for name, choice in named[-1].items()
    }


def _at(settings: Mapping[str, Any], path: str) -> Any:
    """Return the setting at a dotted path, None where it is not given."""
    value: Any = settings
    for part in path.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def _has(settings: Mapping[str, Any], path: str) -> bool:
    return _at(settings, path) is not None
