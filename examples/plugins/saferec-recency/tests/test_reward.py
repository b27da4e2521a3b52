"""The reward recency: what it is for, and the contract of rewards."""

import torch
from saferec_core.testing import TITLES, RewardContract, judged_lists

from saferec_recency.reward import RecencyReward


class TestContract(RewardContract):
    """Every property of the contract, each as a test of its own."""

    def make(self):
        return RecencyReward(since=1993)


def test_films_from_the_given_year_on_earn_one():
    lists = judged_lists([TITLES[2:5]], num_ranks=4)  # of 1992, 1993 and 1994

    values = RecencyReward(since=1993)(lists)

    torch.testing.assert_close(values, torch.tensor([[0.0, 1.0, 1.0, torch.nan]]), equal_nan=True)
