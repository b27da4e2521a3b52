"""The loss: a pure function, held to the definition written as loops."""

from __future__ import annotations

import pytest
import torch

from saferec_core.models.decoding import NO_RANK
from saferec_core.rl.loss import rank_grpo_loss

NO = NO_RANK
K = 3
RANK_IDS = torch.tensor([[NO, 0, 0, 1, NO], [2, 2, 2, NO, NO], [0, NO, NO, NO, NO]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 1, 0], [1, 1, 0, 0, 0]]).bool()


def by_loops(logps, old, ref, advantages, *, weighting, epsilon, beta):
    """Compute the objective as the definition reads, token by token."""

    def surrogate(log_ratio, advantage):
        ratio = log_ratio.exp()
        return torch.minimum(ratio * advantage, ratio.clamp(1 - epsilon, 1 + epsilon) * advantage)

    def kl(n, t):
        return (ref[n, t] - logps[n, t]).exp() - (ref[n, t] - logps[n, t]) - 1

    losses, sizes = [], []
    for n in range(len(logps)):
        size = int(MASK[n].sum())
        segments: dict[int, list[int]] = {}
        for t in range(size):
            segments.setdefault(int(RANK_IDS[n, t]), []).append(t)
        of_segments = []
        for k, tokens in segments.items():
            ratios = [logps[n, t] - old[n, t] for t in tokens]
            if k != NO:
                ratios = [sum(ratios) / len(tokens)] * len(tokens)
            of_segments.append([surrogate(r, advantages[n, t]) for r, t in zip(ratios, tokens, strict=True)])
        penalty = beta * sum(kl(n, t) for t in range(size))
        if weighting == "ranks":
            means = [sum(values) / len(values) for values in of_segments]
            losses.append(-sum(means) / (K + 1) + penalty / size)
        else:
            losses.append(-sum(map(sum, of_segments)) + penalty)
        sizes.append(size)
    return sum(losses) / (len(losses) if weighting == "ranks" else sum(sizes))


@pytest.mark.parametrize("weighting", ["ranks", "tokens"])
@pytest.mark.parametrize("beta", [0.0, 0.3])
def test_loss_and_gradient_are_those_of_the_definition_written_as_loops(weighting, beta):
    rng = torch.Generator().manual_seed(3)
    logps, old, ref = (torch.randn(3, 5, generator=rng) * 0.5 - 1 for _ in range(3))
    by_rank = torch.randn(3, K + 1, generator=rng)  # the last column: the list
    advantages = by_rank.gather(1, torch.where(RANK_IDS == NO, K, RANK_IDS))
    settings = {"epsilon": 0.2, "beta": beta, "weighting": weighting}

    gradients = []
    for compute in (
        lambda x: rank_grpo_loss(x, old, ref, advantages, RANK_IDS, MASK, num_ranks=K, **settings),
        lambda x: by_loops(x, old, ref, advantages, **settings),
    ):
        leaf = logps.clone().requires_grad_()
        loss = compute(leaf)
        loss.backward()
        gradients.append((loss.detach(), leaf.grad))

    torch.testing.assert_close(gradients[0][0], gradients[1][0])
    torch.testing.assert_close(gradients[0][1], gradients[1][1])
    assert not gradients[0][1][~MASK].any()


def test_on_policy_the_gradient_on_a_rank_is_its_advantage_over_k_and_one():
    logps = torch.full((3, 5), -1.0, requires_grad=True)
    advantages = torch.where(RANK_IDS == 0, 2.0, 0.0)

    rank_grpo_loss(
        logps, logps.detach(), None, advantages, RANK_IDS, MASK, num_ranks=K, epsilon=0.2, beta=0.0
    ).backward()

    # Three completions, K + 1 = 4: 2 / 12 for rank 1, on two tokens of the first list, one of the third.
    assert logps.grad[0].tolist() == pytest.approx([0, -1 / 12, -1 / 12, 0, 0])
    assert logps.grad[2].tolist() == pytest.approx([-2 / 12, 0, 0, 0, 0])
    assert not logps.grad[1].any()


def test_a_rank_whose_mean_ratio_is_beyond_the_clip_range_gets_no_gradient_though_one_token_is_within():
    old = torch.zeros(3, 5)
    logps = torch.zeros(3, 5)
    logps[0, 1], logps[0, 2] = 1.0, 0.0  # rank 1 of the first list: ratio exp(0.5) = 1.65 > 1.2
    logps.requires_grad_()
    advantages = torch.where(RANK_IDS == 0, 1.0, 0.0)

    rank_grpo_loss(
        logps, old, None, advantages, RANK_IDS, MASK, num_ranks=K, epsilon=0.2, beta=0.0
    ).backward()

    assert not logps.grad[0].any()
    assert logps.grad[2, 0] < 0
