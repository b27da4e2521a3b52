"""``saferec sft``."""

from __future__ import annotations

from pathlib import Path

from saferec_cli.flags import with_flags
from saferec_cli.options import (
    ConfigArgument,
    DryRunOption,
    PlanJsonOption,
    QuietOption,
    SettingOption,
    TransformOption,
)
from saferec_cli.stages import run_stage
from saferec_core.config.load import Layer
from saferec_core.config.schema import SftConfig
from saferec_core.plugins.offered import Plugins
from saferec_core.runs.observer import Observer

__all__ = ["sft"]


@with_flags(SftConfig)
def sft(
    config: ConfigArgument = None,
    transform: TransformOption = None,
    setting: SettingOption = None,
    dry_run: DryRunOption = False,
    quiet: QuietOption = False,
    as_json: PlanJsonOption = False,
    *,
    flags: list[Layer],
) -> None:
    """Fine-tune a recommender with Safe SFT: imitate lists that violate no constraint.

    Without a model or data, uses those of the embedded demo.
    """
    run_stage(
        SftConfig,
        None if dry_run else _sft,
        config,
        flags,
        setting or (),
        transforms=transform or (),
        quiet=quiet,
        as_json=as_json,
    )


def _sft(config: SftConfig, plugins: Plugins, observer: Observer) -> Path:
    from saferec_core.training.sft import run_sft  # imports torch

    return run_sft(config, plugins, observer)
