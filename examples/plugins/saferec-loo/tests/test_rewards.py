"""The two halves of F-GRPO's split: what they are for, and the contract of rewards."""

import pytest
from saferec_core.testing import TITLES, RewardContract, judged_lists

from saferec_loo.rewards import CoverageReward, UtilityReward

HITS, MISS = TITLES[:3], TITLES[7]  # the user of the checks likes the first three titles


class TestCoverage(RewardContract):
    """Every property of the contract, each as a test of its own."""

    def make(self):
        return CoverageReward()


class TestUtility(RewardContract):
    """Every property of the contract, each as a test of its own."""

    def make(self):
        return UtilityReward()


def test_the_order_of_a_list_changes_its_utility_but_not_its_coverage():
    lists = judged_lists([(HITS[0], MISS), (MISS, HITS[0])], num_ranks=2)

    assert CoverageReward()(lists).tolist() == [0.5, 0.5]  # one of the two titles that two ranks can hold
    assert UtilityReward()(lists)[0].tolist() == [1.0, 0.0]
    assert UtilityReward()(lists)[1].tolist() == pytest.approx([0.0, 0.63093])  # 1 / log2(3)


def test_all_of_the_ground_truth_is_full_coverage():
    assert CoverageReward()(judged_lists([(*HITS, MISS)], num_ranks=5)).tolist() == [1.0]
