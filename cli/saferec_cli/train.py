"""``saferec train`` and ``saferec plan``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from saferec_cli.flags import with_flags
from saferec_cli.options import (
    ConfigArgument,
    DryRunOption,
    JsonOption,
    PlanJsonOption,
    ProbeOption,
    QuietOption,
    RewardOption,
    SettingOption,
    SmokeOption,
    TransformOption,
)
from saferec_cli.stages import run_stage
from saferec_core.config.load import Layer
from saferec_core.config.schema import TrainConfig
from saferec_core.plugins.offered import Plugins
from saferec_core.runs.observer import Observer

if TYPE_CHECKING:
    from saferec_core.training.probe import StageTime

__all__ = ["plan", "train"]


@with_flags(TrainConfig)
def train(
    config: ConfigArgument = None,
    reward: RewardOption = None,
    transform: TransformOption = None,
    setting: SettingOption = None,
    smoke: SmokeOption = False,
    dry_run: DryRunOption = False,
    quiet: QuietOption = False,
    as_json: PlanJsonOption = False,
    *,
    flags: list[Layer],
) -> None:
    """Train a recommender with Safe-Rank-GRPO.

    Without a model or data, trains on the embedded demo: real films, made-up users, a tiny network,
    a few minutes on two cores.
    """
    run_stage(
        TrainConfig,
        None if dry_run else _train,
        config,
        flags,
        setting or (),
        rewards=reward or (),
        transforms=transform or (),
        smoke=smoke,
        quiet=quiet,
        as_json=as_json,
    )


@with_flags(TrainConfig)
def plan(
    config: ConfigArgument = None,
    reward: RewardOption = None,
    transform: TransformOption = None,
    setting: SettingOption = None,
    smoke: SmokeOption = False,
    probe: ProbeOption = False,
    as_json: JsonOption = False,
    *,
    flags: list[Layer],
) -> None:
    """Show what 'saferec train' would do: settings and their origin, batches, tokens, problems.

    Takes the arguments of 'saferec train' and, without --probe, does not load the model. 'saferec sft
    --dry-run' plans Safe SFT.
    """
    run_stage(
        TrainConfig,
        None,
        config,
        flags,
        setting or (),
        rewards=reward or (),
        transforms=transform or (),
        smoke=smoke,
        probe=_probe if probe else None,
        as_json=as_json,
    )


def _train(config: TrainConfig, plugins: Plugins, observer: Observer) -> Path:
    from saferec_core.training.rank_grpo import run_train  # imports torch

    return run_train(config, plugins, observer)


def _probe(config: TrainConfig, plugins: Plugins) -> Sequence[StageTime]:
    from saferec_core.training.probe import probe  # imports torch

    return probe(config, plugins)
