"""From arguments to a configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from saferec_cli.flags import nested
from saferec_core.config.load import merged, parse_setting, read_settings, validated
from saferec_core.config.presets import Stage, preset_settings
from saferec_core.config.schema import RunConfig, SftConfig, TrainConfig
from saferec_core.errors import ConfigError

__all__ = ["oracle_name", "resolve"]

ConfigT = TypeVar("ConfigT", bound=RunConfig)

_NAMED = ("model.model", "data.train_path", "data.catalog_path")
"""Naming any of these means that the run is not the demo."""


def resolve(
    kind: type[ConfigT],
    file: Path | None,
    flags: Mapping[str, Any],
    settings: Sequence[str],
    *,
    rewards: Sequence[str] = (),
    transforms: Sequence[str] = (),
) -> ConfigT:
    """Lay defaults, YAML file, flags and ``--set`` over one another, in rising order.

    With nothing named, neither model nor data, the demo's profile takes the file's place.
    """
    given = [nested(flags), *(parse_setting(setting) for setting in settings)]
    if transforms:
        given.append({"data": {"transforms": [{"name": name} for name in transforms]}})
    resume_from = _at(merged(given), "resume_from")
    if file is None and resume_from is not None:
        from saferec_core.runs.resuming import run_folder_of  # imports torch

        file = run_folder_of(Path(resume_from)) / "config.yaml"
    files = [read_settings(file)] if file is not None else []
    for layer in (*files, *given):
        if not isinstance(layer.get("rewards", {}), Mapping):
            raise ConfigError(f"rewards: wanted NAME: {{weight: ...}} pairs, but got {layer['rewards']!r}")
    is_demo = not any(_has(layer, path) for layer in (*files, *given) for path in _NAMED)
    if is_demo:
        files.insert(0, _demo_profile(kind, merged([*files, *given])))
    if (preset := _at(merged([*files, *given]), "preset")) is not None:
        stage: Stage = "sft" if issubclass(kind, SftConfig) else "train"
        with_sft = any(_has(layer, "sft") for layer in (*files, *given))
        files.insert(int(is_demo), preset_settings(str(preset), stage, with_sft=with_sft))
    given.insert(0, oracle_name(files, given))
    if kind is TrainConfig:
        given.append(_reward_layer(validated(TrainConfig, files=files), given, rewards))
    resolved = validated(kind, files=files, overrides=given)
    if is_demo:  # mistakes have been told before anything is made
        _make_demo(resolved)
    return resolved


def _demo_profile(kind: type[RunConfig], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the demo's settings for the folder and the seed that are *given*."""
    from saferec_core.demo.profile import demo_settings  # only for the demo

    early = {key: given[key] for key in ("output_dir", "seed") if key in given}
    where = validated(kind, files=[{"seed": 0, **early}])
    profile = demo_settings(where.output_dir, seed=where.seed)
    if not issubclass(kind, SftConfig):
        return profile
    shared = {key: value for key, value in profile.items() if key in kind.model_fields}
    shared.pop("optimization", None)
    return merged([shared, profile["sft"]])


def _make_demo(config: RunConfig) -> None:
    from saferec_cli.running import running  # imports torch
    from saferec_core.demo.profile import make_demo

    with running():
        make_demo(config.output_dir, seed=config.seed)


def oracle_name(files: Sequence[Mapping[str, Any]], given: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Name the oracle that options such as ``--oracle-path`` are said of without naming it."""
    if not any(_has(layer, "oracle") and not _has(layer, "oracle.name") for layer in given):
        return {}
    named = [name for file in files if (name := _at(file, "oracle.name")) is not None]
    return {"oracle": {"name": str(named[-1]) if named else "table"}}


def _reward_layer(
    base: TrainConfig, given: Sequence[Mapping[str, Any]], chosen: Sequence[str]
) -> dict[str, Any]:
    """Say what ``--reward`` means in weights: exactly these, with 1 where no weight is said.

    Options given for a reward that is not in use do not bring it into use, nor does a weight for one
    that ``--reward`` leaves out.
    """
    said = merged(rewards for layer in given if isinstance(rewards := layer.get("rewards"), Mapping))
    weights: dict[str, float] = {}
    for name in dict.fromkeys([*base.rewards, *said, *chosen]):
        if not isinstance(said.get(name, {}), Mapping):
            continue  # refused when the whole is checked
        if _has(said, f"{name}.weight") and (not chosen or name in chosen):
            continue
        below = base.rewards[name].weight if name in base.rewards else 0.0
        if not chosen:
            weights[name] = below
        elif name in chosen:
            weights[name] = below or 1.0
        else:
            weights[name] = 0.0
    return {"rewards": {name: {"weight": weight} for name, weight in weights.items()}}


def _at(settings: Mapping[str, Any], path: str) -> Any:
    """Return the setting at a dotted path, None where it is not said."""
    place: Any = settings
    for part in path.split("."):
        if not isinstance(place, Mapping) or part not in place:
            return None
        place = place[part]
    return place


def _has(settings: Mapping[str, Any], path: str) -> bool:
    return _at(settings, path) is not None
