"""The loss of Safe-Rank-GRPO, written down as one pure function of tensors.

The trainer does not call it: TRL computes the loss from what `saferec_core.training.trl.grpo_trainer`
gives it. This function says what must come out, and the tests hold the trainer's loss and gradient
to it.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from saferec_core.rl.ranks import rank_mean, rank_weights

__all__ = ["RankWeighting", "rank_grpo_loss"]

RankWeighting = Literal["ranks", "tokens"]
"""What counts alike in the loss: every rank of a completion (the Rank-GRPO paper), or every token of
the batch (the Safe-Rank-GRPO paper's reference implementation)."""


def rank_grpo_loss(
    logps: Float[Tensor, "N T"],
    old: Float[Tensor, "N T"],
    ref: Float[Tensor, "N T"] | None,
    advantages: Float[Tensor, "N T"],
    rank_ids: Int[Tensor, "N T"],
    mask: Bool[Tensor, "N T"],
    *,
    num_ranks: int,
    epsilon: float,
    beta: float,
    weighting: RankWeighting = "ranks",
) -> Float[Tensor, ""]:
    """Compute the objective of Rank-GRPO (arXiv 2510.20150), negated, with a list part.

    With ``w_k = exp(mean over the tokens of rank k of (logp - old))``, the ratio of the geometric
    means of the token probabilities, and ``s(w, A) = min(w A, clip(w, 1 - epsilon, 1 + epsilon) A)``::

        ranks:  -1/N sum_n [ 1/(K + 1) ( sum_k s(w_k, A_k) + mean_t s(w_t, a) ) ] + beta KL
        tokens: -1/(tokens of the batch) sum_n sum_t s(w of the token's rank, or of itself) + beta KL

    ``t`` runs over the tokens of no rank, each with its own ratio ``w_t``; the paper has none, and
    its 1/N over the N ranks asked for is the 1/(K + 1) here. KL is the k3 estimate
    ``exp(ref - logp) - (ref - logp) - 1``: its mean over a completion's tokens, then over
    completions, for ``ranks``; its mean over all tokens of the batch for ``tokens``.

    Args:
        logps: Log probabilities of the completion tokens under the policy.
        old: Those under the policy that sampled; no gradient flows through them.
        ref: Those under the reference policy; needed only where *beta* is not 0.
        advantages: The advantage of each token's rank, or of its list for a token of no rank.
        rank_ids: The rank index of each token, or ``NO_RANK``.
        mask: True for the completion's tokens, False for padding.
        num_ranks: K.
        epsilon: Half the width of the clip range.
        beta: Weight of the KL.
        weighting: What counts alike.
    """
    log_ratio = rank_mean(logps - old, rank_ids, mask, num_ranks)
    ratio = log_ratio.exp()
    surrogate = torch.minimum(ratio * advantages, ratio.clamp(1 - epsilon, 1 + epsilon) * advantages)
    penalty = torch.zeros_like(logps)
    if beta:
        assert ref is not None
        penalty = beta * ((ref - logps).exp() - (ref - logps) - 1)
    if weighting == "tokens":
        return ((penalty - surrogate) * mask).sum() / mask.sum().clamp(min=1)
    by_token = penalty - surrogate * rank_weights(rank_ids, mask, num_ranks)
    return ((by_token * mask).sum(1) / mask.sum(1).clamp(min=1)).mean()
