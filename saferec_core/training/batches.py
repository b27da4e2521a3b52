"""Whether a run's batches hold whole groups of siblings, and what the plan says about its groups."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from saferec_core.config.schema import TrainConfig
from saferec_core.errors import ConfigError

if TYPE_CHECKING:  # a plan is made without torch
    from saferec_core.plugins.contracts.normalizer import Normalizer

__all__ = ["check_batches", "generation_batch_size", "planned_resampling", "planned_sharing"]


def generation_batch_size(config: TrainConfig, processes: int) -> int:
    """Return how many completions are generated together, over all processes."""
    slices = config.steps_per_generation or config.optimization.gradient_accumulation_steps
    return config.optimization.per_device_train_batch_size * slices * processes


def check_batches(config: TrainConfig, processes: int) -> None:
    """Refuse settings that would split a group of siblings between two generation batches.

    Raises:
        ConfigError: The generation batch is not a multiple of the group size; the message names the
            nearest settings that fit.
    """
    batch, group = generation_batch_size(config, processes), config.rollout.num_generations
    if batch % group == 0:
        return
    name = "steps_per_generation" if config.steps_per_generation else "gradient_accumulation_steps"
    per_device = config.optimization.per_device_train_batch_size
    per_slice = per_device * processes
    slices = batch // per_slice
    fitting = (count for count in range(1, slices + group + 1) if per_slice * count % group == 0)
    groups = (size for size in range(2, batch + 1) if batch % size == 0)
    nearest = [
        f"{setting} {' or '.join(map(str, sizes))}"
        for setting, sizes in (
            (name, _nearest(fitting, slices)),
            ("num_generations", _nearest(groups, group)),
        )
        if sizes
    ]
    raise ConfigError(
        f"num_generations = {group} does not divide the generation batch of {batch} completions "
        f"(per_device_train_batch_size {per_device} x {name} {slices} x {processes} process(es)). "
        f"Nearest valid settings: {'; or '.join(nearest)}."
    )


def planned_resampling(config: TrainConfig, normalizer: Normalizer) -> str:
    """Say how often prompts that teach nothing may be replaced; empty where they never are."""
    rounds = config.rollout.max_resample
    if not (rounds and normalizer.dynamic_sampling):
        return ""
    return f"; uninformative prompts are replaced, in up to {rounds} round{'s' * (rounds > 1)}"


def planned_sharing(config: TrainConfig) -> str:
    """Describe what a run computes once per prompt, and the setting that would share more."""
    optimization, group = config.optimization, config.rollout.num_generations
    if optimization.share_prefix == "off":
        return "off"
    per_device = optimization.per_device_train_batch_size
    if per_device > 1:
        return f"{optimization.share_prefix}, up to {min(per_device, group)} completions of a prompt together"
    slices = optimization.gradient_accumulation_steps
    fitting = max(size for size in range(1, group + 1) if slices % size == 0 and group % size == 0)
    advice = (
        f"; --per-device-train-batch-size {fitting} --gradient-accumulation-steps {slices // fitting} would "
        "share them, in the same optimizer step"
        if fitting > 1
        else ""
    )
    return f"{optimization.share_prefix}, but a training pass holds one completion alone{advice}"


def _nearest(candidates: Iterable[int], wanted: int) -> list[int]:
    return sorted(sorted(candidates, key=lambda candidate: (abs(candidate - wanted), candidate))[:2])
