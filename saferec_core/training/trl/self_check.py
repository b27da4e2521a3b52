"""Compare a trainer's gradient with that of the loss as it is written down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from saferec_core.config.schema import TrainConfig
from saferec_core.rl.loss import rank_grpo_loss
from saferec_core.rl.ranks import spread
from saferec_core.rl.rollouts import ScoredBatch

__all__ = ["gradient_difference"]

_DRIFT = 0.4
"""Standard deviation of the log-probabilities' distance from those that sampled: enough to be clipped."""


def gradient_difference(
    trainer: Any, completions: Sequence[list[int]], scored: Sequence[ScoredBatch], config: TrainConfig
) -> float:
    """Return the largest difference between two gradients, relative to the largest entry of either.

    One is the trainer's, through TRL's loss; the other that of :func:`saferec_core.rl.loss.rank_grpo_loss` on
    a plain forward pass.

    Args:
        trainer: A ``RankGRPOTrainer``.
        completions: Token ids of whole groups, for the first records of the trainer.
        scored: Where the trainer's ``on_rollouts`` puts batches.
        config: What the trainer was built from.
    """
    trainer._generate_single_turn = lambda prompts, *_: (list(completions)[: len(prompts)], None)
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1
    group = config.rollout.num_generations
    records = trainer._scorer.records
    inputs = [
        {"prompt": list(records[row // group].prompt), "record": row // group}
        for row in range(len(completions))
    ]
    batch = trainer._generate_and_score_completions(inputs)
    log_probs = _plain_log_probs(trainer.model, batch)
    for name in ("old_per_token_logps", "ref_per_token_logps"):
        batch[name] = log_probs.detach() + _DRIFT * torch.randn_like(log_probs)
    own = _gradient(trainer.model, trainer._compute_loss(trainer.model, batch))
    advantages = scored[-1].advantages
    ranks, lists = (part.to(log_probs.device) for part in (advantages.rank, advantages.list))
    wanted = _gradient(
        trainer.model,
        rank_grpo_loss(
            _plain_log_probs(trainer.model, batch),
            batch["old_per_token_logps"],
            batch["ref_per_token_logps"],
            spread(ranks, lists, batch["rank_ids"]),
            batch["rank_ids"],
            batch["completion_mask"].bool(),
            num_ranks=config.num_ranks,
            epsilon=config.epsilon,
            beta=config.kl_beta,
            weighting=config.rank_weighting,
        ),
    )
    largest = max(own.abs().max().item(), wanted.abs().max().item())
    return (own - wanted).abs().max().item() / largest if largest > 0 else float("nan")


def _plain_log_probs(model: Any, batch: dict[str, Tensor]) -> Tensor:
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
    mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
    width = batch["completion_ids"].shape[1]
    logits = model(input_ids=ids, attention_mask=mask).logits[:, -width - 1 : -1].float()
    chosen: Tensor = logits.log_softmax(-1).gather(-1, batch["completion_ids"].unsqueeze(-1))
    return chosen.squeeze(-1)


def _gradient(model: Any, loss: Any) -> Tensor:
    """Return the gradient of a loss with respect to all weights, as one vector."""
    model.zero_grad()
    loss.backward()
    gradients = [weight.grad.flatten().float() for weight in model.parameters() if weight.grad is not None]
    model.zero_grad()
    return torch.cat(gradients)
