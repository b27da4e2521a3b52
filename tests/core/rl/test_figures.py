"""Figures by which a generation batch is watched, worked out by hand."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch

from saferec_core.data.catalog import Catalog
from saferec_core.data.records import Record
from saferec_core.data.titles import Title
from saferec_core.plugins.build import build
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.reward import RewardFunction
from saferec_core.rl.credit import credit
from saferec_core.rl.figures import CreditedBatch, ListedRanks, figures_of_lists
from saferec_core.rl.rewards import ActiveReward, RewardValues
from saferec_core.testing import StatedOracle, listing

FILMS = [Title("Saw", 2004), Title("Up", 2009), Title("Heat", 1995), Title("Coco", 2017)]
NONE = torch.zeros(0, 4, 2)


class OfRank(RewardFunction):
    scope: ClassVar = "rank"

    def range(self, num_ranks):
        return 0.0, 1.0

    def __call__(self, lists):
        raise AssertionError("its values are given")


class OfList(OfRank):
    scope: ClassVar = "list"


def signal(rewards, values, normalizer, mask):
    advantages = credit(rewards, values, normalizer, mask, group_size=2)
    return CreditedBatch(rewards, values, normalizer, mask, 2, advantages).figures()


def test_lists_are_counted_by_the_ranks_that_were_written():
    judge = Judge(Catalog(FILMS), StatedOracle({"Saw": ["gore"], "Up": []}, traits=["gore"]))
    saw, up, heat, _ = FILMS
    records = [Record(prompt=[], constraints=("gore",))] * 2
    lists = JudgedLists([listing([saw, up, up]), listing([heat])], records, judge, 3)
    nothing = RewardValues(torch.zeros(0, 2, 3), torch.zeros(1, 2), torch.zeros(0, 2, 3))

    figures = figures_of_lists(
        [ActiveReward("list", OfList(), 1.0)], nothing, ListedRanks.of(lists), judged=True
    )

    assert figures["list_length"] == 2.0
    assert figures["repeated"] == 0.25  # the second Up among four ranks
    assert figures["distinct_titles"] == 0.75  # three titles
    assert figures["violation_rate"] == 0.25
    assert figures["oracle_coverage"] == 0.75  # nobody knows Heat


def test_a_reward_varies_where_siblings_differ_and_is_best_at_the_end_of_its_range(plugins):
    mask = torch.ones(4, 2, dtype=torch.bool)
    reward = ActiveReward("rank", OfRank(), 1.0)
    # The first prompt's two completions differ at rank 1, the second's not at all.
    values = RewardValues(
        torch.tensor([[[1.0, 0.0], [0.0, 0.0], [1.0, 1.0], [1.0, 1.0]]]), NONE[:, :, 0], NONE
    )

    figures = signal([reward], values, build(plugins.normalizers.get("grpo"), {}), mask)

    assert figures["reward_varies/rank"] == 0.5
    assert figures["reward_best/rank"] == 5 / 8
    # Two of eight ranks have an advantage, and none of the four lists.
    assert figures["advantage_zero"] == pytest.approx(10 / 12)
    assert "advantage_share/rank" not in figures  # alone, it supplies everything


@pytest.mark.parametrize("normalizer", ["grpo", "gdpo"])
def test_a_reward_that_varies_where_no_other_does_supplies_the_variance(plugins, normalizer):
    mask = torch.ones(4, 2, dtype=torch.bool)
    rewards = [ActiveReward(name, OfRank(), 1.0) for name in ("first", "second")]
    apart = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [1.0, 1.0]])
    values = RewardValues(torch.stack([apart, torch.ones(4, 2)]), NONE[:, :, 0], NONE)

    figures = signal(rewards, values, build(plugins.normalizers.get(normalizer), {}), mask)

    assert figures["advantage_share/first"] == pytest.approx(1.0)
    assert figures["advantage_share/second"] == 0.0


def test_rewards_in_different_prompts_share_the_variance(plugins):
    mask = torch.ones(4, 2, dtype=torch.bool)
    rewards = [ActiveReward(name, OfRank(), 1.0) for name in ("first", "second")]
    one, other = torch.zeros(4, 2), torch.zeros(4, 2)
    one[0], other[2] = 1.0, 1.0  # each varies in one of two prompts, by as much
    values = RewardValues(torch.stack([one, other]), NONE[:, :, 0], NONE)

    figures = signal(rewards, values, build(plugins.normalizers.get("grpo"), {}), mask)

    assert figures["advantage_share/first"] == pytest.approx(0.5)
    assert figures["advantage_share/second"] == pytest.approx(0.5)


def test_a_share_of_ranks_has_no_value_where_none_was_written():
    judge = Judge(Catalog(FILMS), StatedOracle({"Saw": ["gore"]}, traits=["gore"]))
    lists = JudgedLists([listing([])] * 2, [Record(prompt=[], constraints=("gore",))] * 2, judge, 3)
    values = RewardValues(torch.zeros(0, 2, 3), torch.zeros(1, 2), torch.zeros(0, 2, 3))

    figures = figures_of_lists(
        [ActiveReward("list", OfList(), 1.0)], values, ListedRanks.of(lists), judged=True
    )

    assert figures == {"reward/list": 0.0, "list_length": 0.0}
