"""Settings that belong together, as data: defaults by what is trained, and presets with a name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from saferec_core.errors import UnknownNameError

__all__ = ["LORA_DEFAULTS", "PRESETS", "Stage", "default_origin", "preset_settings", "smoke_settings"]

Stage = Literal["sft", "train"]

LORA_DEFAULTS: Mapping[Stage, Mapping[str, float]] = {
    # 2e-4 is the rate of the QLoRA paper (arXiv 2305.14314, table 9, models up to 13 B).
    "sft": {"learning_rate": 2e-4},
    # Adapters want about ten times the rate of full weights, in imitation and in RL
    # (Schulman et al., "LoRA Without Regret", 2025): ten times 1e-6.
    "train": {"learning_rate": 1e-5},
}
"""Defaults of ``optimization`` that differ where adapters are trained instead of all weights."""

PRESETS: Mapping[str, Mapping[Stage, Mapping[str, Any]]] = {
    # The recommended run of the Safe-Rank-GRPO paper's reference implementation (Quick Start and the
    # tables of parameters), without its paths and its generation engine.
    "safe-rank-grpo": {
        "sft": {
            "optimization": {
                "learning_rate": 5e-5,
                "warmup_ratio": 0.05,
                "num_train_epochs": 10,
                "per_device_train_batch_size": 12,
                "gradient_accumulation_steps": 8,
                "optim": "paged_adamw_8bit",
                "bf16": True,
            },
            "max_length": 1024,
        },
        "train": {
            "model": {"use_lora": True, "lora_r": 256, "lora_alpha": 512, "lora_dropout": 0.05},
            "reward_func": "exp_inf",
            "normalizer": {"name": "gdpo"},
            "rewards": {
                "relevance": {"weight": 1.0},
                "safety": {"weight": 1.0, "penalty": 1.0},
                "count": {"weight": 1.0, "target": 10},
            },
            "rollout": {"num_generations": 4},
            "kl_beta": 1e-3,
            "optimization": {
                "learning_rate": 1e-6,
                "max_steps": 1200,
                "per_device_train_batch_size": 1,
                "gradient_accumulation_steps": 24,
                "optim": "paged_adamw_8bit",
                "bf16": True,
                "gradient_checkpointing": True,
            },
            "logging": {"save_steps": 100},
            "seed": 3407,
        },
    },
}
"""By name, and within it by stage: settings that stand below a file's and above the defaults."""


def preset_settings(name: str, stage: Stage, *, with_sft: bool = False) -> dict[str, Any]:
    """Return the settings of a preset for a stage.

    Args:
        name: Name of the preset.
        stage: Whose configuration is made.
        with_sft: Whether the configuration has a section ``sft``, which then starts from the preset as well.

    Raises:
        UnknownNameError: There is no such preset.
    """
    if name not in PRESETS:
        raise UnknownNameError("preset", name, PRESETS)
    stages = PRESETS[name]
    return {**stages[stage], "sft": stages["sft"]} if with_sft else dict(stages[stage])


def default_origin(stage: Stage, path: str, *, use_lora: bool) -> str:
    """Say where the value of a setting comes from that neither preset, file nor flag names.

    Args:
        stage: Stage of the configuration.
        path: Dotted path of the setting, such as ``"optimization.learning_rate"``.
        use_lora: Whether adapters are trained.
    """
    section, _, name = path.partition(".")
    by_regime = section == "optimization" and name in LORA_DEFAULTS[stage]
    if not by_regime:
        return "default"
    return "default for LoRA" if use_lora else "default for full weights"


SMOKE_RECORDS = 200
"""Records of each split in a run of ``--smoke``: as many as two steps of the default batches use."""


def smoke_settings(*, with_sft: bool) -> dict[str, Any]:
    """Return the settings of a run that only shows whether everything works: two steps a stage.

    Args:
        with_sft: Whether the run has a Safe SFT stage.
    """
    short = {
        "optimization": {"max_steps": 2},
        "logging": {"logging_steps": 1},
        "evaluation": {"eval_prompts": 4},
    }
    data = {"max_records": SMOKE_RECORDS}
    return {**short, "data": data, "rollout_steps": 1, **({"sft": short} if with_sft else {})}
