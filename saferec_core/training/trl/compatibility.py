"""Which TRL, and which of its settings, rank-level ratios can be built on."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import MappingProxyType

from trl import GRPOConfig, GRPOTrainer

from saferec_core.errors import SaferecError
from saferec_core.rl.loss import RankWeighting

__all__ = ["LOSS_TYPES", "check_settings", "check_trl"]

LOSS_TYPES: Mapping[RankWeighting, str] = MappingProxyType({"ranks": "grpo", "tokens": "dapo"})
"""TRL's loss type for each weighting. ``grpo`` averages over a completion's tokens, then over
completions; ``dapo`` divides the sum over tokens by the number of tokens of the generation batch of
all processes, so that neither micro-batches nor processes change what a token counts (``bnpo`` divides
by those of the micro-batch)."""

_NEEDED: Mapping[str, object] = MappingProxyType(
    {
        "importance_sampling_level": "token",  # made rank-level here
        "top_entropy_quantile": 1.0,  # would drop tokens of a rank, but not from its ratio
        "off_policy_mask_threshold": None,  # would compare the sampler with what stands in for old
        "use_bias_correction_kl": False,  # would weigh a token's KL by its rank's ratio
        "use_liger_kernel": False,  # computes the loss without _compute_loss
        "disable_dropout": True,  # or ratio and KL are noise before anything is learned
    }
)
"""TRL settings that a rank-level ratio needs."""


def check_settings(args: GRPOConfig, rank_weighting: RankWeighting) -> None:
    """Refuse settings of TRL under which the loss would not be that of ``rank_grpo_loss``."""
    needed = {**_NEEDED, "loss_type": LOSS_TYPES[rank_weighting]}
    problems = [
        f"{name} must be {value!r}, but is {getattr(args, name)!r}"
        for name, value in needed.items()
        if getattr(args, name, value) != value
    ]
    if problems:
        raise SaferecError(f"these TRL settings break rank-level ratios: {'; '.join(problems)}")


def check_trl() -> None:
    """Refuse a TRL whose internals are not those that this module relies on.

    Raises:
        SaferecError: What differs, and which versions are known to work.
    """
    wanted = {
        "_generate_and_score_completions": ["inputs"],
        "_generate": ["prompts"],
        "_compute_loss": ["model", "inputs"],
    }
    problems = []
    for name, parameters in wanted.items():
        method = getattr(GRPOTrainer, name, None)
        present = list(inspect.signature(inspect.unwrap(method)).parameters)[1:] if method else None
        if present != parameters:
            problems.append(f"GRPOTrainer.{name} takes {present}, expected {parameters}")
    if not problems:
        source = inspect.getsource(inspect.unwrap(GRPOTrainer._compute_loss))
        scored = source.find("_get_per_token_logps_and_entropies(")
        read = source.find('inputs.get("old_per_token_logps")')
        if not 0 < scored < read:
            problems.append("GRPOTrainer._compute_loss reads old_per_token_logps before scoring")
        if "advantages.dim() == 1" not in source:
            problems.append("GRPOTrainer._compute_loss does not take advantages by token")
    if problems:
        from importlib.metadata import version  # only for the message

        raise SaferecError(
            f"the installed TRL {version('trl')} is not one that saferec knows: "
            f"{'; '.join(problems)}. Install trl>=1.14.2,!=1.15.*,<2."
        )
