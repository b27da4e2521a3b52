"""The words in which a stage announces what it is about to do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from saferec_core.config.choices import ComponentChoice
from saferec_core.config.schema import SftConfig, TrainConfig
from saferec_core.data.truncate import Fitted
from saferec_core.evaluation.protocol import described
from saferec_core.evaluation.setup import Parts, instruction_added, record_limit, require_path
from saferec_core.models.loading import Policy, checkpoint_dtype
from saferec_core.plugins.contracts.normalizer import Normalizer
from saferec_core.rl.limits import Limits
from saferec_core.rl.rewards import ActiveReward
from saferec_core.runs.distributed import process_count
from saferec_core.runs.observer import Plan
from saferec_core.runs.references import Reference, described_reference
from saferec_core.training.batches import generation_batch_size, planned_resampling, planned_sharing
from saferec_core.training.idle_settings import idle_settings
from saferec_core.training.precision import planned_precision

__all__ = ["rank_grpo_plan", "sft_plan"]


def sft_plan(
    config: SftConfig,
    parts: Parts,
    fitted: Fitted,
    *,
    longest: int,
    policy: Policy,
    optimizer: str,
    folder: Path,
) -> Plan:
    """Describe a stage of Safe SFT.

    Args:
        config: The stage.
        parts: What the stage works with.
        fitted: The records that fit into *longest* tokens.
        longest: How many tokens prompt and completion may have together.
        policy: The policy that it starts from.
        optimizer: The optimizer, with the reason for it.
        folder: The stage's folder.
    """
    optimization = config.optimization
    batch = optimization.per_device_train_batch_size * optimization.gradient_accumulation_steps
    length = (
        f"{optimization.max_steps} steps"
        if optimization.max_steps > 0
        else f"{optimization.num_train_epochs:g} epochs"
    )
    parameters = sum(p.numel() for p in policy.model.parameters())
    idle = list(idle_settings(config))
    return Plan(
        "Safe SFT",
        {
            "model": f"{config.model.model} ({parameters / 1e6:.1f} M parameters)",
            "data": f"{require_path(config.data.train_path, 'training data', '--train-path')}: "
            f"{len(fitted.records)} samples ({fitted.shortened} lost old turns, {fitted.left_out} left "
            f"out as longer than {longest} tokens)",
            **record_limit(config.data),
            **instruction_added(parts, config.evaluation),
            "parser": described(config.data.parser.name, parts.parser),
            "adapters": f"LoRA r={config.model.lora_r}" if config.model.use_lora else "none",
            "completions end with": " or ".join(
                sorted(str(policy.tokenizer.decode([end])) for end in policy.end_ids)
            ),
            "steps": f"{length} of {batch} samples a process",
            "optimizer": f"{optimizer}, learning rate {optimization.learning_rate:g}",
            "precision": planned_precision(config.model, optimization, policy.model.dtype),
            **({"without effect": "; ".join(idle)} if idle else {}),
            "run folder": str(folder),
        },
    )


def rank_grpo_plan(
    config: TrainConfig,
    parts: Parts,
    fitted: Fitted,
    *,
    start: str,
    reference: Reference | None,
    rewards: Sequence[ActiveReward],
    normalizer: Normalizer,
    limits: Limits,
    idle: Sequence[str],
    optimizer: str,
    folder: Path,
) -> Plan:
    """Describe a stage of Safe-Rank-GRPO.

    Args:
        config: The stage.
        parts: What the stage works with.
        fitted: The prompts that fit into the model's context.
        start: The policy that it starts from.
        reference: What the KL divergence is measured from, if it is another.
        rewards: What completions are rewarded for.
        normalizer: What makes advantages of rewards.
        limits: What the policy has to keep to.
        idle: Settings without effect, a sentence each.
        optimizer: The optimizer, with the reason for it.
        folder: The run's folder.
    """
    completions = generation_batch_size(config, process_count())
    group = config.rollout.num_generations
    steps = config.optimization.max_steps
    oracle = config.oracle
    return Plan(
        "Safe-Rank-GRPO",
        {
            "model": str(config.model.model),
            "start": start,
            "reference": described_reference(reference) if config.kl_beta else "none (KL weight 0)",
            "adapters": f"LoRA r={config.model.lora_r}, alpha={config.model.lora_alpha:g}"
            if config.model.use_lora
            else "none, all weights are trained",
            "data": f"{config.data.train_path}: {len(fitted.records)} prompts "
            f"({fitted.shortened} lost old turns, {fitted.left_out} left out); "
            f"{len(parts.held_out)} held out",
            **record_limit(config.data),
            **instruction_added(parts, config.evaluation),
            **({"transforms": parts.transformed} if parts.transformed else {}),
            "catalog": f"{config.data.catalog_path}: {len(parts.judge.catalog)} titles",
            "parser": described(config.data.parser.name, parts.parser),
            "oracle": "none" if oracle is None else " + ".join(map(_described, oracle.each)),
            "rewards": ", ".join(f"{reward.name} x {reward.weight:g} ({reward.scope})" for reward in rewards),
            "limits": ", ".join(map(str, limits.limits)) or "none",
            **({"without effect": "; ".join(idle)} if idle else {}),
            "normalizer": _described(config.normalizer),
            "each generation": f"{completions // group} prompts x {group} completions = {completions}, "
            f"K = {config.num_ranks} ranks{planned_resampling(config, normalizer)}",
            "steps": str(steps) if steps > 0 else f"{config.optimization.num_train_epochs:g} epochs",
            "optimizer": f"{optimizer}, learning rate "
            f"{config.optimization.learning_rate:g}, KL {config.kl_beta:g}",
            "precision": planned_precision(
                config.model, config.optimization, checkpoint_dtype(start, config.model)
            ),
            "shared prompts": planned_sharing(config),
            "run folder": str(folder),
        },
    )


def _described(choice: ComponentChoice) -> str:
    options = ", ".join(f"{name}={value}" for name, value in choice.options.items())
    return f"{choice.name} ({options})" if options else choice.name
