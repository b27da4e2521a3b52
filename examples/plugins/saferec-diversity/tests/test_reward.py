"""The reward diversity: what it is for, and the contract of rewards."""

import pytest
import torch
from saferec_core.testing import TITLES, RewardContract, judged_lists

from saferec_diversity.reward import DiversityReward


class TestContract(RewardContract):
    """Every property of the contract, each as a test of its own."""

    def make(self):
        return DiversityReward()


def value(reward, *titles):
    return reward(judged_lists([titles], num_ranks=len(titles)))[0].tolist()


def test_a_title_is_worth_less_the_more_often_it_was_named_in_earlier_batches():
    reward = DiversityReward(halflife=1e9)  # forgets next to nothing

    assert value(reward, TITLES[0]) == [1.0]
    assert value(reward, TITLES[0], TITLES[1]) == pytest.approx([2**-0.5, 1.0])
    assert value(reward, TITLES[0]) == pytest.approx([3**-0.5])


def test_half_of_a_count_is_forgotten_after_the_halflife():
    reward = DiversityReward(halflife=1)
    value(reward, TITLES[0])
    value(reward, TITLES[1])  # one batch later the count of the first is 1/2

    assert value(reward, TITLES[0]) == pytest.approx([1.5**-0.5])


def test_a_resumed_run_goes_on_from_the_counts_of_its_checkpoint():
    first, resumed = DiversityReward(), DiversityReward()
    value(first, TITLES[0], TITLES[1])
    resumed.load_state_dict(first.state_dict())

    assert value(resumed, TITLES[0]) == value(first, TITLES[0]) != [1.0]


def test_a_repeated_title_is_worth_nothing():
    assert value(DiversityReward(), TITLES[0], TITLES[0]) == [1.0, 0.0]


def test_what_a_rank_that_was_not_written_is_worth_is_not_said():
    values = DiversityReward()(judged_lists([TITLES[:1]], num_ranks=2))

    torch.testing.assert_close(values, torch.tensor([[1.0, torch.nan]]), equal_nan=True)
