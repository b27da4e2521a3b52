"""Whether the plugins that a configuration names exist, have the options given, and fit together.

Built-in rewards, normalizers and metrics import torch, which takes seconds: their source is read instead.
Those of others are imported and built, as the run does it, since only that shows whether they can be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from saferec_core.config.choices import DEFAULT_METRICS, ComponentChoice, RewardChoice
from saferec_core.config.limits import read_limits
from saferec_core.config.schema import RunConfig, TrainConfig
from saferec_core.errors import NameTakenError, SaferecError, near_misses
from saferec_core.pipeline.config import ChainConfig
from saferec_core.plugins.build import build
from saferec_core.plugins.component import options_of
from saferec_core.plugins.declared import Declared, declared
from saferec_core.plugins.offered import Plugins
from saferec_core.plugins.registry import Entry, Registry
from saferec_core.preflight.problems import Problems

__all__ = ["check_components", "check_rewards", "columns_of_oracles", "find_chain_problems"]


def check_components(
    problems: Problems, config: RunConfig, plugins: Plugins, *, is_demo: bool = False
) -> None:
    """Check oracle, parser, transforms and metrics.

    Args:
        problems: Takes what is wrong.
        config: The run.
        plugins: What is installed.
        is_demo: Whether the files that components read are the demo's, which are made later.
    """
    data = config.data
    shared = {
        "catalog_path": data.catalog_path,
        "year_tolerance": data.year_tolerance,
        "oracle": config.oracle,
        "seed": config.seed,
    }
    chosen: list[tuple[Registry[Any], ComponentChoice, Mapping[str, Any]]]
    chosen = [(plugins.parsers, data.parser, {"catalog_path": data.catalog_path})]
    chosen += [(plugins.transforms, choice, shared) for choice in data.transforms]
    oracles = () if config.oracle is None else config.oracle.each
    chosen += [(plugins.oracles, choice, {"year_tolerance": data.year_tolerance}) for choice in oracles]
    for registry, choice, inherited in chosen:
        with problems.collecting():
            entry = plugins.find(registry, choice.name)
            if not (is_demo and _reads_files(entry)):
                build(entry, choice.options, inherited)
    if not is_demo:
        _check_oracle_files(problems, oracles, "--oracle-path")
    evaluation = config.evaluation
    for name in {*evaluation.eval_metrics} - {DEFAULT_METRICS}:
        with problems.collecting():
            entry = plugins.find(plugins.metrics, name)
            if not entry.origin.is_built_in:
                build(entry, evaluation.eval_metric_options.get(name, {}))


def _reads_files(entry: Entry[Any]) -> bool:
    """Whether a component may read files of the run when it is built; one of others is imported at least."""
    if entry.origin.is_built_in:
        return True
    return any(option.name in {"catalog_path", "oracle", "path"} for option in options_of(entry.load()))


def find_chain_problems(config: ChainConfig, plugins: Plugins) -> list[str]:
    """Return every problem of a chain of transforms that shows before its first row."""
    problems = Problems()
    if not config.input.exists():
        problems.add(f"input {config.input} does not exist; name a file or a datasets folder")
    if config.catalog_path is not None and not config.catalog_path.exists():
        problems.add(f"catalog_path: {config.catalog_path} does not exist")
    _check_oracle_files(problems, () if config.oracle is None else config.oracle.each, "oracle.path")
    if config.executor == "ray" and find_spec("ray") is None:
        problems.add("--executor ray needs Ray: install saferec[ray], or leave the flag out")
    for choice in config.steps:
        with problems.collecting():
            build(plugins.find(plugins.transforms, choice.name), choice.options, config.handed_down)
    return problems.lines


def _check_oracle_files(problems: Problems, oracles: Sequence[ComponentChoice], first: str) -> None:
    for choice in oracles:
        path = choice.options.get("path")
        if isinstance(path, str | Path) and not Path(path).exists():
            way = first if choice is oracles[0] else f"oracle.beside, path of {choice.name!r}"
            problems.add(f"{way}: {path} does not exist")


def check_rewards(problems: Problems, config: TrainConfig, plugins: Plugins) -> dict[str, str]:
    """Check rewards and normalizer, the built-in ones by what their source declares; limits and alarms.

    Returns:
        Columns that the rewards need, each with what needs it.
    """
    columns: dict[str, str] = {}
    for name, choice in config.rewards.items():
        try:
            entry = plugins.find(plugins.rewards, name)
        except SaferecError as error:
            if not (choice.weight == 0 and isinstance(error, NameTakenError)):  # not used, so nobody's loss
                problems.add(str(error))
            continue
        if choice.weight == 0:
            continue
        if not entry.origin.is_built_in:
            with problems.collecting():
                columns |= dict.fromkeys(_built_columns(name, choice, config, plugins), f"reward {name!r}")
            continue
        stated = declared(entry)
        _check_options(problems, f"reward {name!r}", stated, choice.options)
        columns |= dict.fromkeys(stated.constants.get("columns") or (), f"reward {name!r}")
        if stated.constants.get("needs_oracle") and config.oracle is None:
            problems.add(
                f"--oracle-path is missing: reward {name!r} needs an oracle (or choose one with --oracle, or "
                f"leave the reward out with --set rewards.{name}.weight=0)"
            )
        target = choice.options.get("target", (stated.options or {}).get("target"))
        if isinstance(target, int) and target > config.num_ranks:
            problems.add(
                f"rewards.{name}.target = {target} titles cannot be ranked: num_ranks (K) is "
                f"{config.num_ranks}. Lower the target or set --num-ranks {target}."
            )
    with problems.collecting():
        read_limits(config.limits.limit, has_oracle=config.oracle is not None)
    for name in (*config.alarms.ignore_alarm, *config.alarms.alarm_options):
        with problems.collecting():
            build(plugins.find(plugins.alarms, name), config.alarms.alarm_options.get(name, {}))
    with problems.collecting():
        normalizer = config.normalizer
        entry = plugins.find(plugins.normalizers, normalizer.name)
        if entry.origin.is_built_in:
            _check_options(problems, f"normalizer {entry.name!r}", declared(entry), normalizer.options)
        else:
            build(entry, normalizer.options)
    return columns


def _built_columns(name: str, choice: RewardChoice, config: TrainConfig, plugins: Plugins) -> tuple[str, ...]:
    """Build a reward and return the dataset columns that it needs."""
    from saferec_core.training.setup import build_reward  # imports torch, as the reward itself does

    return build_reward(name, choice, config, plugins).function.columns


def columns_of_oracles(config: RunConfig, plugins: Plugins) -> dict[str, str]:
    """Return the columns that the oracles of a run declare to need, each with what needs it."""
    columns: dict[str, str] = {}
    for choice in () if config.oracle is None else config.oracle.each:
        with suppress(SaferecError):  # a name that nobody offers is reported elsewhere
            stated = declared(plugins.find(plugins.oracles, choice.name))
            columns |= dict.fromkeys(stated.constants.get("columns") or (), f"oracle {choice.name!r}")
    return columns


def _check_options(problems: Problems, what: str, stated: Declared, options: Mapping[str, Any]) -> None:
    for name in options:
        if stated.options is not None and name not in stated.options:
            wanted = (
                f"Options: {', '.join(sorted(stated.options))}." if stated.options else "It has no options."
            )
            problems.add(f"{what} has no option {name!r}.{near_misses(name, stated.options)} {wanted}")
