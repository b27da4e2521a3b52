"""Packages that only some settings need."""

from __future__ import annotations

from importlib.util import find_spec

from saferec_core.config.schema import SftConfig, TrainConfig
from saferec_core.runs.versions import vllm_problem
from saferec_core.training.optimizers import optimizer_problem

__all__ = ["missing_extras"]

_TRACKERS = {"tensorboard": ("tensorboard", "tensorboardX"), "trackio": ("trackio",), "wandb": ("wandb",)}
"""Packages that provide a tracker; any one of them suffices."""


def missing_extras(config: SftConfig | TrainConfig) -> list[str]:
    """Return, for each setting that needs a missing package, what to install or choose instead."""
    problems = [
        f"--report-to {tracker} needs a package that is not installed: pip install {tracker}, or "
        "leave the flag out; the metrics are in metrics.jsonl of the run folder in any case"
        for tracker in config.logging.report_to
        if not any(find_spec(package) for package in _TRACKERS[tracker])
    ]
    if problem := optimizer_problem(config.optimization.optim):
        problems.append(problem)
    if isinstance(config, TrainConfig) and config.rollout.use_vllm and (problem := vllm_problem()):
        problems.append(f"--use-vllm {problem}")
    return problems
