"""Set up the Safe-Rank-GRPO trainer from a configuration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from trl import GRPOConfig

from saferec_core.config.schema import TrainConfig
from saferec_core.models.compiled_decoding import decode_compiled
from saferec_core.models.four_bit import four_bit_settings
from saferec_core.plugins.contracts.normalizer import Normalizer
from saferec_core.rl.limits import Limits
from saferec_core.rl.rollouts import RolloutScorer, ScoredBatch
from saferec_core.training.precision import for_training
from saferec_core.training.trl.arguments import common_arguments, engine_settings, lora_config
from saferec_core.training.trl.compatibility import LOSS_TYPES
from saferec_core.training.trl.grpo_trainer import RankGRPOTrainer
from saferec_core.training.trl.prompt_dataset import prompt_dataset
from saferec_core.training.trl.vllm_engine import serving

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["rank_grpo_trainer"]

COMPILED_WIDTH = 128
"""Prompts are padded to a multiple of so many tokens where decoding is compiled, once for every width."""


def rank_grpo_trainer(
    start: str,
    tokenizer: PreTrainedTokenizerBase,
    config: TrainConfig,
    *,
    scorer: RolloutScorer,
    normalizer: Normalizer,
    output_dir: Path,
    on_rollouts: Callable[[ScoredBatch], None],
    limits: Limits | None = None,
    reference: str | None = None,
) -> RankGRPOTrainer:
    """Build the trainer of a run; the policy is loaded from *start*, which must be on disk or hub.

    The KL divergence is measured from *reference*, by default from the policy at *start*. Every default that
    TRL has changed or may change is set explicitly.
    """
    rollout = config.rollout
    with engine_settings(start), serving(config, start):
        arguments = GRPOConfig(
            **common_arguments(config, config.optimization, output_dir),
            model_init_kwargs={
                "dtype": for_training(config.model).dtype,
                "attn_implementation": config.model.attn_implementation,
                "trust_remote_code": config.model.trust_remote_code,
            },
            num_generations=rollout.num_generations,
            max_completion_length=config.max_completion_length,
            temperature=rollout.temperature,
            top_p=rollout.top_p,
            top_k=rollout.top_k,
            steps_per_generation=config.steps_per_generation,
            num_iterations=config.num_iterations,
            beta=config.kl_beta,
            epsilon=config.epsilon,
            loss_type=LOSS_TYPES[config.rank_weighting],
            importance_sampling_level="token",  # made rank-level by the trainer
            scale_rewards="group",  # TRL's own advantages are replaced
            disable_dropout=True,
            top_entropy_quantile=1.0,
            off_policy_mask_threshold=None,
            delta=None,
            epsilon_high=None,
            repetition_penalty=1.0,
            min_p=None,
            sync_ref_model=False,
            use_bias_correction_kl=False,
            mask_truncated_completions=False,
            remove_unused_columns=False,
            use_vllm=rollout.use_vllm,
            vllm_importance_sampling_mode="token_truncate",  # averaged by rank by the trainer
            pad_to_multiple_of=COMPILED_WIDTH if rollout.compile_decoding else None,
            vllm_mode=rollout.vllm_mode,
            vllm_gpu_memory_utilization=rollout.vllm_gpu_memory_utilization,
            vllm_tensor_parallel_size=rollout.vllm_tensor_parallel_size,
            vllm_max_model_length=rollout.vllm_max_model_length,
            vllm_server_host=rollout.vllm_server_host,
            vllm_server_port=rollout.vllm_server_port,
            vllm_server_timeout=rollout.vllm_server_timeout,
            vllm_group_port=rollout.vllm_group_port,
        )
        trainer = RankGRPOTrainer(
            start,
            scorer=scorer,
            normalizer=normalizer,
            args=arguments,
            limits=limits,
            reference=reference,
            rank_weighting=config.rank_weighting,
            share_prefix=config.optimization.share_prefix,
            max_resample=rollout.max_resample,
            on_rollouts=on_rollouts,
            train_dataset=prompt_dataset(scorer.records),
            processing_class=tokenizer,
            peft_config=lora_config(config.model),
            **({"quantization_config": four_bit_settings()} if config.model.load_in_4bit else {}),
        )
    if rollout.compile_decoding and trainer.accelerator.device.type == "cuda" and not rollout.use_vllm:
        decode_compiled(trainer.bare_policy, trainer.generation_config)
    return trainer
