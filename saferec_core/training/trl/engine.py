"""How a trainer is distributed: what was obtained, checked against what was asked for."""

from __future__ import annotations

import os
from typing import Any

from saferec_core.errors import RunError

__all__ = ["check_engine", "engine_facts"]


def check_engine(trainer: Any) -> None:
    """Refuse a trainer that is distributed in another way than the launcher was told.

    Raises:
        RunError: FSDP was asked for, and accelerate has silently set up plain data parallelism.
    """
    wants_fsdp = os.environ.get("ACCELERATE_USE_FSDP", "false").lower() in {"1", "true"}
    if wants_fsdp and not trainer.is_fsdp_enabled:
        raise RunError(
            "FSDP was asked for, but accelerate has set up plain data parallelism, as it does without a GPU. "
            "Use DeepSpeed (examples/configs/zero3.yaml), which also works on CPUs, or a machine with GPUs"
        )


def engine_facts(trainer: Any) -> dict[str, Any]:
    """Return how the weights and gradients are distributed, for the manifest."""
    state = trainer.accelerator.state
    facts: dict[str, Any] = {"distributed": str(state.distributed_type.value).lower()}
    if trainer.is_deepspeed_enabled:
        facts["deepspeed"] = state.deepspeed_plugin.deepspeed_config
    if trainer.is_fsdp_enabled:
        plugin = state.fsdp_plugin
        facts["fsdp"] = {
            "version": plugin.fsdp_version,
            "reshard_after_forward": str(plugin.reshard_after_forward),
        }
    return facts
