"""Packages that only some settings need."""

from __future__ import annotations

from importlib.util import find_spec

from saferec_core.config.schema import SftConfig, TrainConfig
from saferec_core.errors import ConfigError
from saferec_core.training.optimizers import optimizer_problem

__all__ = ["check_extras", "missing_extras"]

_TRACKERS = {"tensorboard": ("tensorboard", "tensorboardX"), "trackio": ("trackio",), "wandb": ("wandb",)}
"""Packages that do for a tracker, each by itself."""


def missing_extras(config: SftConfig | TrainConfig) -> list[str]:
    """Say of each setting that needs a package which is not installed what to install or choose instead."""
    problems = [
        f"--report-to {tracker} needs a package that is not installed: pip install {tracker}, or "
        "leave the flag out; the metrics are in metrics.jsonl of the run folder in any case"
        for tracker in config.logging.report_to
        if not any(find_spec(package) for package in _TRACKERS[tracker])
    ]
    if problem := optimizer_problem(config.optimization.optim):
        problems.append(problem)
    if isinstance(config, TrainConfig) and config.rollout.use_vllm and find_spec("vllm") is None:
        problems.append("--use-vllm needs vLLM: install saferec[vllm], or leave the flag out")
    return problems


def check_extras(config: SftConfig | TrainConfig) -> None:
    """Refuse settings that need a package which is not installed, before anything is done.

    Raises:
        ConfigError: The message names every extra to install, and what else could be chosen.
    """
    if problems := missing_extras(config):
        raise ConfigError("\n".join(problems))
