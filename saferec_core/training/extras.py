"""Packages that only some settings need."""

from __future__ import annotations

from importlib.util import find_spec

from saferec_core.config.schema import SftConfig, TrainConfig
from saferec_core.errors import ConfigError

__all__ = ["check_extras"]

_TRACKERS = {"tensorboard": ("tensorboard", "tensorboardX"), "trackio": ("trackio",), "wandb": ("wandb",)}
"""Packages that do for a tracker, each by itself."""


def check_extras(config: SftConfig | TrainConfig) -> None:
    """Refuse settings that need a package which is not installed, before anything is done.

    Raises:
        ConfigError: The message names the extra to install, and what else could be chosen.
    """
    for tracker in config.logging.report_to:
        if not any(find_spec(package) for package in _TRACKERS[tracker]):
            raise ConfigError(
                f"--report-to {tracker} needs a package that is not installed: pip install {tracker}, or "
                "leave the flag out; the metrics are in metrics.jsonl of the run folder in any case"
            )
    optimizer = config.optimization.optim
    if ("8bit" in optimizer or "paged" in optimizer) and find_spec("bitsandbytes") is None:
        raise ConfigError(
            f"optimizer {optimizer!r} needs bitsandbytes: install saferec[quant], or choose another with "
            "--optim, such as adamw_torch"
        )
    if isinstance(config, TrainConfig) and config.rollout.use_vllm and find_spec("vllm") is None:
        raise ConfigError("--use-vllm needs vLLM: install saferec[vllm], or leave the flag out")
