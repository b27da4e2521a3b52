"""Settings that both stages pass to transformers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from huggingface_hub import constants
from safetensors import SafetensorError

from saferec_core.config.durations import seconds
from saferec_core.config.schema import StageConfig
from saferec_core.config.sections import OptimizationConfig, TrainableModelConfig
from saferec_core.errors import ConfigError
from saferec_core.models.cudnn_attention import avoid_cudnn_attention
from saferec_core.models.unreadable import misfit
from saferec_core.runs.layout import RunLayout

if TYPE_CHECKING:
    from peft import LoraConfig

__all__ = ["common_arguments", "engine_settings", "lora_config"]


@contextmanager
def engine_settings(model: object) -> Iterator[None]:
    """Turn errors raised while the engines are set up into one that the user can act on.

    TRL loads models itself, so that attention is kept from cuDNN here as well. Telemetry is off meanwhile:
    TRL would report the architecture and the GPU to the hub.

    Args:
        model: The policy that they are set up for, as the user named it.
    """
    avoid_cudnn_attention()
    disabled = constants.HF_HUB_DISABLE_TELEMETRY
    constants.HF_HUB_DISABLE_TELEMETRY = True
    try:
        yield
    except (ValueError, ImportError, OSError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:600]
        raise ConfigError(f"the training engine refuses {model} or the settings: {reason}") from error
    except RuntimeError as error:
        if not (reason := misfit(error)):
            raise
        raise ConfigError(f"the training engine refuses {model}: {reason}") from error
    finally:
        constants.HF_HUB_DISABLE_TELEMETRY = disabled


def common_arguments(
    config: StageConfig, optimization: OptimizationConfig, output_dir: Path
) -> dict[str, Any]:
    """Return the arguments that ``SFTConfig`` and ``GRPOConfig`` share, all that matter set explicitly."""
    logging = config.logging
    return {
        "output_dir": str(output_dir),
        "run_name": _run_name(output_dir.parent),
        "seed": config.seed,
        "learning_rate": optimization.learning_rate,
        "lr_scheduler_type": optimization.lr_scheduler_type,
        "warmup_steps": optimization.warmup_ratio,  # below 1, transformers reads it as a share
        "max_steps": optimization.max_steps,
        "num_train_epochs": optimization.num_train_epochs,
        "per_device_train_batch_size": optimization.per_device_train_batch_size,
        "gradient_accumulation_steps": optimization.gradient_accumulation_steps,
        "optim": optimization.optim,
        "max_grad_norm": optimization.max_grad_norm,
        "bf16": optimization.bf16,
        "gradient_checkpointing": optimization.gradient_checkpointing,
        "logging_steps": logging.logging_steps,
        "save_strategy": logging.save_strategy,
        "save_steps": logging.save_steps,
        "report_to": logging.report_to or "none",
        "project": "saferec",  # of trackio; wandb reads WANDB_PROJECT
        "trackio_space_id": None,  # on this machine; nothing is sent to the hub
        "ddp_timeout": int(seconds(config.process_timeout)),
        "use_cpu": not torch.accelerator.is_available(),
        "disable_tqdm": True,
        "log_level": "error",
    }


def _run_name(folder: Path) -> str:
    """Return what trackers call a stage: its run folder's name, with that of the run it is a part of."""
    return f"{folder.parent.name}-{folder.name}" if RunLayout(folder.parent).exists else folder.name


def lora_config(model: TrainableModelConfig) -> LoraConfig | None:
    """Return the adapters' configuration, if there are to be any."""
    if not model.use_lora:
        return None
    from peft import LoraConfig  # only where adapters are trained

    modules = model.lora_target_modules
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=model.lora_r,
        lora_alpha=model.lora_alpha,
        lora_dropout=model.lora_dropout,
        target_modules=modules[0] if modules == ["all-linear"] else modules,
    )
