"""The normalizer loo: what it is for, and the contract of normalizers."""

import pytest
import torch
from saferec_core.plugins.contracts.normalizer import WeightedRewards
from saferec_core.testing import NormalizerContract

from saferec_loo.normalizer import LeaveOneOut


class TestContract(NormalizerContract):
    """Every property of the contract, each as a test of its own."""

    def make(self):
        return LeaveOneOut()


def advantages(values, mask=None):
    rank = torch.tensor(values)[None, :, None]  # one function, one prompt, one rank
    return (
        LeaveOneOut()(
            WeightedRewards(
                rank=rank,
                list=torch.zeros(0, rank.shape[1]),
                rank_weights=torch.ones(1),
                list_weights=torch.zeros(0),
                rank_mask=torch.tensor(mask or [True] * rank.shape[1])[:, None],
                group_size=rank.shape[1],
            )
        )
        .rank[:, 0]
        .tolist()
    )


def test_each_completion_is_compared_with_the_mean_of_the_others():
    # 1 - (2 + 6)/2 = -3;  2 - (1 + 6)/2 = -1.5;  6 - (1 + 2)/2 = 4.5
    assert advantages([1.0, 2.0, 6.0]) == pytest.approx([-3.0, -1.5, 4.5])


def test_a_sibling_that_did_not_write_the_rank_is_not_among_the_others():
    assert advantages([1.0, 2.0, 6.0], [True, False, True]) == pytest.approx([-5.0, 0.0, 5.0])


def test_a_rank_that_one_sibling_alone_wrote_gives_nothing():
    assert advantages([1.0, 2.0], [True, False]) == [0.0, 0.0]
