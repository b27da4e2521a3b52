"""``saferec sft``."""

from __future__ import annotations

from saferec_cli.flags import with_flags
from saferec_cli.options import ConfigArgument, SettingOption, TransformOption
from saferec_cli.resolve import resolve
from saferec_core.config.schema import SftConfig
from saferec_core.plugins.manager import load_plugins

__all__ = ["sft"]


@with_flags(SftConfig)
def sft(
    config: ConfigArgument = None,
    transform: TransformOption = None,
    setting: SettingOption = None,
    *,
    flags: dict[str, object],
) -> None:
    """Fine-tune a recommender by Safe SFT: imitate lists that hold nothing unsafe.

    With neither model nor data named, the embedded demo's are used.
    """
    plugins = load_plugins()
    resolved = resolve(SftConfig, config, flags, setting or (), transforms=transform or ())

    from saferec_cli.render import RichObserver  # --help needs none of this
    from saferec_cli.running import running
    from saferec_core.training.sft import run_sft  # imports torch

    with running():
        run_sft(resolved, plugins, RichObserver())
