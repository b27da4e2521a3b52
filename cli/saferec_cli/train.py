"""``saferec train``."""

from __future__ import annotations

from saferec_cli.flags import with_flags
from saferec_cli.options import ConfigArgument, RewardOption, SettingOption, TransformOption
from saferec_cli.resolve import resolve
from saferec_core.config.schema import TrainConfig
from saferec_core.plugins.manager import load_plugins

__all__ = ["train"]


@with_flags(TrainConfig)
def train(
    config: ConfigArgument = None,
    reward: RewardOption = None,
    transform: TransformOption = None,
    setting: SettingOption = None,
    *,
    flags: dict[str, object],
) -> None:
    """Train a recommender by Safe-Rank-GRPO.

    With neither model nor data named, the embedded demo is run: real films, made-up users, a tiny
    network, about three minutes on two cores.
    """
    plugins = load_plugins()
    for name in reward or ():
        plugins.find(plugins.rewards, name)  # a typo is told before anything is made
    for name in transform or ():
        plugins.find(plugins.transforms, name)
    resolved = resolve(
        TrainConfig, config, flags, setting or (), rewards=reward or (), transforms=transform or ()
    )
    for name in resolved.rewards:
        plugins.find(plugins.rewards, name)

    from saferec_cli.render import RichObserver  # --help needs none of this
    from saferec_cli.running import running
    from saferec_core.training.rank_grpo import run_train  # imports torch

    with running():
        run_train(resolved, plugins, RichObserver())
