"""A trainer of TRL's and one of ours on the same network, data and arguments, to be compared."""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from reward_path import World
from transformers import Qwen2Config, Qwen2ForCausalLM
from trl import GRPOTrainer

from saferec_core.config.schema import TrainConfig
from saferec_core.plugins.build import build
from saferec_core.training.trl.arguments import lora_config
from saferec_core.training.trl.grpo_setup import rank_grpo_trainer

__all__ = ["pair_of_trainers", "write_qwen2"]


def write_qwen2(folder: Path, tokenizer: Any, dtype: torch.dtype = torch.float32, **sizes: int) -> float:
    """Write a network of the given *sizes* with random weights; return its millions of weights."""
    config = Qwen2Config(
        **sizes,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(0)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        network = Qwen2ForCausalLM(config).to(dtype)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return sum(weights.numel() for weights in network.parameters()) / 1e6


def pair_of_trainers(folder: Path, world: World, config: TrainConfig) -> tuple[Any, Any]:
    """Build both on the network in ``folder / "model"``: TRL's, ours.

    TRL's has one scalar reward per completion that costs nothing to compute.
    """
    ours = rank_grpo_trainer(
        str(folder / "model"),
        world.tokenizer,
        config,
        scorer=world.scorer(),
        normalizer=build(world.plugins.normalizers.get("gdpo"), {}),
        output_dir=folder,
        on_rollouts=lambda _: None,
    )
    values = random.Random(1)

    def scalar(completion_ids: Sequence[Sequence[int]], **_: Any) -> list[float]:
        return [values.random() for _ in completion_ids]

    stock = GRPOTrainer(
        str(folder / "model"),
        scalar,
        copy.deepcopy(ours.args),
        train_dataset=ours.train_dataset,
        processing_class=world.tokenizer,
        peft_config=lora_config(config.model),
    )
    return stock, ours
