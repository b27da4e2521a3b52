"""Rewards to advantages: numbers worked out by hand, and what must hold for any rewards."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from saferec_core import load_plugins
from saferec_core.plugins.build import build
from saferec_core.plugins.contracts.normalizer import Advantages, Costs, WeightedRewards, charge

NAN = math.nan
PLUGINS = load_plugins()
NORMALIZERS = {name: build(PLUGINS.normalizers.get(name), {}) for name in ("grpo", "gdpo")}
UNBOUNDED = build(PLUGINS.normalizers.get("gdpo"), {"bounded": False})
UNSCALED = build(PLUGINS.normalizers.get("grpo"), {"scale_rewards": False})
grpo, gdpo = NORMALIZERS["grpo"], NORMALIZERS["gdpo"]
both = pytest.mark.parametrize("normalize", NORMALIZERS.values(), ids=NORMALIZERS)


def rewards(rank=(), whole=(), *, weights=None, list_weights=None, written=None, group, spans=None):
    """Nested lists as tensors; rank rewards are [f][n][k], list rewards [l][n]."""
    rank, whole = torch.tensor(rank, dtype=torch.float), torch.tensor(whole, dtype=torch.float)
    if not len(rank):
        rank = torch.zeros(0, whole.shape[1], torch.tensor(written).shape[1])
    if not len(whole):
        whole = torch.zeros(0, rank.shape[1])
    return WeightedRewards(
        rank=rank,
        list=whole,
        rank_weights=torch.tensor(weights or [1.0] * len(rank)),
        list_weights=torch.tensor(list_weights or [1.0] * len(whole)),
        rank_mask=torch.ones(rank.shape[1:]).bool() if written is None else torch.tensor(written).bool(),
        group_size=group,
        rank_spans=None if spans is None else torch.tensor(spans),
    )


def column(*values):
    """One reward function at a single rank."""
    return [[value] for value in values]


def about(*values):
    """Numbers by hand leave the eps of 1e-4 in the denominator out."""
    return pytest.approx(list(values), abs=1e-3)


def random_rewards(seed, *, prompts=3, group=4, ranks=5, functions=2, lists=1, **changes):
    """Finite rewards from a few values, so that ties and constant cells occur; ragged lists."""
    rng = torch.Generator().manual_seed(seed)
    rows = prompts * group
    lengths = torch.randint(1, ranks + 1, (rows,), generator=rng)
    values = {
        "rank": torch.randint(-1, 3, (functions, rows, ranks), generator=rng) / 2,
        "list": torch.randint(-1, 2, (lists, rows), generator=rng) / 2,
        "rank_weights": torch.rand(functions, generator=rng) + 0.5,
        "list_weights": torch.rand(lists, generator=rng) + 0.5,
        "rank_mask": torch.arange(ranks) < lengths[:, None],
        "group_size": group,
    }
    return WeightedRewards(**{**values, **changes})


def test_grpo_compares_the_weighted_sum_at_each_rank_with_that_of_the_siblings():
    relevance = [[1, 0], [0, 0], [0.5, 0]]
    safety = [[0, 0], [0, 0], [0, 3]]

    advantages = grpo(rewards([relevance, safety], weights=[2.0, 0.5], group=3))

    assert advantages.rank[:, 0].tolist() == about(1, -1, 0)  # of 2, 0, 1: mean 1, deviation 1
    # of 0, 0, 1.5: mean 0.5, deviation sqrt(0.75)
    assert advantages.rank[:, 1].tolist() == about(-0.5774, -0.5774, 1.1547)


def test_gdpo_normalizes_each_reward_before_it_adds_them_and_the_sum_over_the_batch():
    relevance, safety = column(2, 0, 1, 5, 5, 5), column(1, 2, 0, 7, 7, 7)

    some = rewards([relevance, safety], weights=[2.0, 1.0], group=3)

    # 2 * (1, -1, 0) + (0, 1, -1) = (2, -1, -1): mean 0, deviation sqrt(6 / 2); the rest says nothing
    assert gdpo(some).rank[:, 0].tolist() == about(1.1547, -0.5774, -0.5774, 0, 0, 0)
    # With the second prompt's cells, 0 thrice: deviation sqrt(6 / 5)
    assert UNBOUNDED(some).rank[:, 0].tolist() == about(1.8257, -0.9129, -0.9129, 0, 0, 0)


def test_gdpo_of_a_single_reward_function_is_grpo():
    single = random_rewards(1, functions=1, lists=0)

    assert torch.equal(gdpo(single).rank, grpo(single).rank)


@both
def test_a_rank_without_value_enters_no_statistic_and_gets_nothing(normalize):
    relevance = column(2, 0, 1, NAN)

    assert normalize(rewards([relevance], group=4)).rank[:, 0].tolist() == about(1, -1, 0, 0)


def test_in_grpo_an_unwritten_rank_enters_no_statistic_whatever_its_reward():
    written = column(True, True, True, False)

    advantages = grpo(rewards([column(2, 0, 1, 7)], written=written, group=4))

    assert advantages.rank[:, 0].tolist() == about(1, -1, 0, 0)


def test_in_gdpo_an_unwritten_rank_enters_a_reward_that_has_a_value_for_it():
    """Relevance calls it a miss (0), safety says nothing (NaN); either way it gets nothing."""
    relevance, safety = column(1, 0, 0, 0), column(0, 0, -1, NAN)
    written = column(True, True, True, False)

    advantages = gdpo(rewards([relevance, safety], written=written, group=4))

    # (1.5, -0.5, -0.5) and (1, 1, -2) / sqrt(3): mean 1 / 6, deviation 1.8676
    assert advantages.rank[:, 0].tolist() == about(1.0231, -0.0478, -0.9753, 0)


def test_in_grpo_a_reward_without_value_counts_as_the_mean_of_the_siblings():
    relevance, safety = column(2, 0, 1), column(NAN, NAN, -1)

    advantages = grpo(rewards([relevance, safety], group=3))

    assert advantages.rank[:, 0].tolist() == about(1, -1, 0)  # of 1, -1, 0


def test_in_gdpo_a_reward_without_value_leaves_the_others_their_say():
    relevance, safety = column(2, 0, 1), column(0, -1, NAN)

    advantages = gdpo(rewards([relevance, safety], group=3))

    # (1, -1, 0) + (sqrt(1/2), -sqrt(1/2), no value): deviation 1.7071
    assert advantages.rank[:, 0].tolist() == about(1, -1, 0)


def test_in_grpo_a_list_reward_enters_every_written_rank():
    relevance = [[0, 0], [0, 1], [0, 0]]

    advantages = grpo(
        rewards([relevance], [[2, 0, 1]], written=[[1, 1], [1, 1], [1, 0]], list_weights=[3.0], group=3)
    )

    assert advantages.rank[:, 0].tolist() == about(1, -1, 0)  # of 6, 0, 3
    assert advantages.rank[:, 1].tolist() == about(0.7071, -0.7071, 0)  # of 6, 1


def test_in_gdpo_a_list_reward_is_normalized_once_and_enters_every_written_rank():
    """Who wrote a rank changes neither mean nor deviation of the reward for the list."""
    relevance = [[0, 1], [1, 1], [2, NAN]]

    advantages = gdpo(rewards([relevance], [[2, 0, 1]], written=[[1, 1], [1, 1], [1, 0]], group=3))

    # Relevance gives (-1, 0, 1) and (0, 0), the list (1, -1, 0): cells 0, 1, -1, -1, 1; deviation 1.
    assert advantages.rank.tolist() == [about(0, 1), about(-1, -1), about(1, 0)]
    assert advantages.list.tolist() == about(1, -1, 0)


def test_in_grpo_the_list_part_has_the_scale_of_the_ranks():
    advantages = grpo(rewards([column(2, 0, 1)], [[2, 0, 1]], group=3))

    assert advantages.rank[:, 0].tolist() == about(1, -1, 0)  # of 4, 0, 2
    assert advantages.list.tolist() == about(0.5, -0.5, 0)  # of 2, 0, 1 on the deviation of 4, 0, 2


def test_in_gdpo_the_list_part_has_the_scale_of_the_ranks():
    advantages = gdpo(rewards([column(2, 0, 1)], [[2, 0, 1]], list_weights=[3.0], group=3))

    assert advantages.rank[:, 0].tolist() == about(1, -1, 0)  # of 4, -4, 0
    assert advantages.list.tolist() == about(0.75, -0.75, 0)  # of 3, -3, 0 on the deviation 4


@both
def test_if_only_list_rewards_vary_a_token_of_no_rank_gets_what_a_token_of_a_rank_gets(normalize):
    constant = [[[0.1] * 3] * 6]

    advantages = normalize(rewards(constant, [[1, -0.2, -0.4, 1, 1, -0.6]], group=3))

    assert advantages.list.abs().min() > 0.1
    torch.testing.assert_close(advantages.rank, advantages.list[:, None].expand(6, 3))


@both
def test_the_list_part_of_a_prompt_whose_lists_tie_is_exactly_zero(normalize):
    advantages = normalize(rewards([column(1, 0, 1, 0)], [[0.1, 0.1, 1, 0]], group=2))

    assert advantages.list[:2].tolist() == [0.0, 0.0]
    assert advantages.list[2] > 0.1


@both
def test_without_list_rewards_a_token_of_no_rank_gets_exactly_nothing(normalize):
    assert not normalize(random_rewards(2, lists=0)).list.any()


@both
@pytest.mark.parametrize("writers", [0, 1, 2])
def test_the_list_part_stays_of_ordinary_size_when_few_ranks_were_written(normalize, writers):
    written = [[row < writers, False] for row in range(4)]
    relevance = [[0.001 * row, 0] for row in range(4)]

    advantages = normalize(rewards([relevance], [[1, 1, -1, -1]], written=written, group=4))

    assert advantages.list.sign().tolist() == [1, 1, -1, -1]
    assert advantages.list.abs().max() < 2


@both
@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), scale=st.sampled_from([1.0, 0.03, 0.001]))
def test_no_list_part_exceeds_what_a_group_allows_by_far(normalize, seed, scale):
    """A value of G siblings lies at most (G - 1) / sqrt(G) = 1.5 deviations from their mean."""
    some = random_rewards(seed)
    small = random_rewards(seed, rank=some.rank * scale)

    assert normalize(small).list.abs().max() < 6


@both
def test_a_cell_without_variance_gives_exactly_zero(normalize):
    """The mean of seven times 0.1 is not 0.1 in single precision; what is left would be scaled up."""
    constant, other = [[0.1, 0.1]] * 7, [[0.3, 0.7]] * 7

    advantages = normalize(rewards([constant, other], [[0.1] * 7], group=7))

    assert not advantages.rank.any()
    assert not advantages.list.any()


@both
def test_a_value_without_siblings_to_compare_it_with_gives_exactly_zero(normalize):
    relevance = [[1, NAN], [0, 5], [NAN, 5], [NAN, NAN]]
    written = [[1, 1], [0, 0], [0, 0], [0, 0]]

    assert not normalize(rewards([relevance], written=written, group=4)).rank.any()


def test_in_gdpo_a_written_rank_that_no_reward_has_a_value_for_gets_exactly_zero():
    relevance, safety = column(2, 0, 1, NAN), column(0, -1, NAN, NAN)

    advantages = gdpo(rewards([relevance, safety], weights=[1.0, 3.0], group=4))

    # (1, -1, 0) + 3 * (sqrt(1/2), -sqrt(1/2), no value)
    assert advantages.rank[:, 0].tolist() == about(1, -1, 0, 0)
    assert advantages.rank[3, 0] == 0


@both
def test_a_list_without_value_enters_no_mean_and_gets_exactly_zero(normalize):
    advantages = normalize(rewards([column(2, 0, 1, NAN)], [[2, 0, 1, NAN]], group=4))

    assert advantages.rank[:, 0].tolist() == about(1, -1, 0, 0)
    assert advantages.list.tolist() == about(0.5, -0.5, 0, 0)
    assert advantages.list[3] == 0


def test_in_gdpo_weights_decide_which_reward_is_heard():
    relevance, safety = column(1, 0, 1, 0), column(0, -1, -1, 0)

    faint = gdpo(rewards([relevance, safety], weights=[1.0, 0.1], group=4)).rank[:, 0]
    loud = gdpo(rewards([relevance, safety], weights=[1.0, 10.0], group=4)).rank[:, 0]

    assert faint[2] > 0.5  # relevant and unsafe
    assert loud[2] < -0.5
    assert faint[3] < -0.5  # neither
    assert loud[3] > 0.5


def test_in_gdpo_the_unit_of_a_reward_does_not_matter():
    some = random_rewards(3)
    scaled = random_rewards(3, rank=some.rank * torch.tensor([10.0, 1.0])[:, None, None])

    torch.testing.assert_close(gdpo(scaled).rank, gdpo(some).rank, atol=2e-3, rtol=0)
    assert (grpo(scaled).rank - grpo(some).rank).abs().max() > 0.1


def test_in_grpo_no_prompt_changes_the_advantages_of_another():
    some = random_rewards(4)
    changed = random_rewards(4, rank=some.rank.clone(), list=some.list.clone())
    changed.rank[:, 4:] = changed.rank[:, 4:].flip(1) * 3
    changed.list[:, 4:] *= -2

    before, after = grpo(some), grpo(changed)

    assert torch.equal(before.rank[:4], after.rank[:4])
    assert torch.equal(before.list[:4], after.list[:4])
    assert not torch.equal(before.rank[4:], after.rank[4:])


@both
@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), order=st.permutations(range(4)))
def test_siblings_in_another_order_get_their_advantages_in_that_order(normalize, seed, order):
    some = random_rewards(seed)
    moved = torch.cat([prompt * 4 + torch.tensor(order) for prompt in range(3)])

    straight = normalize(some)
    permuted = normalize(
        random_rewards(
            seed, rank=some.rank[:, moved], list=some.list[:, moved], rank_mask=some.rank_mask[moved]
        )
    )

    torch.testing.assert_close(permuted.rank, straight.rank[moved], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(permuted.list, straight.list[moved], atol=1e-4, rtol=1e-4)


@both
@settings(max_examples=40)
@given(seed=st.integers(0, 10**6))
def test_advantages_are_finite_and_zero_where_nothing_was_written(normalize, seed):
    some = random_rewards(seed)
    rank = some.rank.masked_fill(some.rank == 1, NAN)

    advantages = normalize(random_rewards(seed, rank=rank))

    assert advantages.rank.isfinite().all()
    assert advantages.list.isfinite().all()
    assert not advantages.rank[~some.rank_mask].any()


def one_of(rows, value, *, ranks=1, group=8):
    """A reward that is 0 everywhere but for the first rank of the first completion."""
    values = torch.zeros(rows, ranks)
    values[0, 0] = value
    return values.tolist()


@both
def test_a_difference_that_is_nothing_beside_the_range_of_a_reward_is_no_difference(normalize):
    relevance, safety = one_of(64, 1e-6, ranks=5), torch.zeros(64, 5).tolist()
    small = rewards([relevance, safety], group=8, spans=[1.0, 1.0])
    large = rewards([one_of(64, 1.0, ranks=5), safety], group=8, spans=[1.0, 1.0])

    assert not normalize(small).rank.any()
    assert normalize(large).rank[0, 0] == pytest.approx(7 / math.sqrt(8), abs=1e-3)  # one of eight


def test_in_gdpo_a_single_cell_that_differs_is_not_blown_up_by_those_that_do_not():
    relevance, safety = one_of(64, 1.0, ranks=5), torch.zeros(64, 5).tolist()

    some = rewards([relevance, safety], group=8)

    assert gdpo(some).rank.max() == pytest.approx(7 / math.sqrt(8), abs=1e-3)
    assert UNBOUNDED(some).rank.max() > 15


def test_in_gdpo_one_empty_list_is_not_blown_up_by_the_lists_that_are_alike():
    written = torch.ones(64, 5)
    written[0] = 0
    count = [-1.0] + [1.0] * 63
    safety = torch.zeros(64, 5).masked_fill(written == 0, NAN)

    some = rewards([torch.zeros(64, 5).tolist(), safety.tolist()], [count], written=written.tolist(), group=8)

    # z = (-2.4749, 0.3536 seven times), squares 7; five ranks each: deviation sqrt(5 * 7 / 39)
    assert gdpo(some).list[0] == pytest.approx(-2.4749 / math.sqrt(35 / 39), abs=0.01)
    assert not gdpo(some).rank[8:].any()
    assert UNBOUNDED(some).list[0] < -15


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), same=st.floats(0.5, 1.0), noise=st.sampled_from([0.0, 1e-6, 1e-3, 1.0]))
def test_no_advantage_of_gdpo_exceeds_what_a_group_allows_by_far(seed, same, noise):
    """However few of the cells differ, and by however little."""
    some = random_rewards(seed, prompts=6, group=8)
    rng = torch.Generator().manual_seed(seed)
    flat = torch.rand(some.rank.shape, generator=rng) < same
    rank = some.rank.masked_fill(flat, 0.5) + noise * torch.rand(some.rank.shape, generator=rng) * ~flat
    few = random_rewards(seed, prompts=6, group=8, rank=rank, rank_spans=torch.ones(2))

    advantages = gdpo(few)

    assert advantages.rank.abs().max() < 8
    assert advantages.list.abs().max() < 8


def test_in_gdpo_a_cell_without_information_gets_exactly_nothing_though_lists_differ_in_length():
    relevance = [[1, 0], [0, 0], [0, 0], [0, 0], [0, 0], [0, 0]]
    safety = [[0, 0], [0, NAN], [0, 0], [0, 0], [0, NAN], [0, NAN]]
    written = [[1, 1], [1, 0], [1, 1], [1, 1], [1, 0], [1, 0]]

    advantages = gdpo(rewards([relevance, safety], written=written, group=3)).rank

    assert advantages[:3, 0].tolist() == about(1.1547, -0.5774, -0.5774)
    assert not advantages[:, 1].any()
    assert not advantages[3:].any()


@both
def test_what_has_no_value_is_neither_better_nor_worse_than_its_siblings(normalize):
    """An unknown title beside a violation and two safe ones: 0, below the safe and above the violation."""
    relevance, safety = column(0, 0, 0, 0), column(NAN, -1, 0, 0)

    advantages = normalize(rewards([relevance, safety], group=4)).rank[:, 0]

    assert advantages[0] == pytest.approx(0, abs=1e-6)
    assert advantages[1] < -1
    assert (advantages[2:] > 0.5).all()


@both
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), rate=st.sampled_from([0.05, 0.25, 0.7]))
def test_drifting_to_titles_that_nobody_can_judge_does_not_pay(normalize, seed, rate):
    """One sibling of eight names unknown titles; over many prompts it gains nothing and loses little."""
    rng = torch.Generator().manual_seed(seed)
    prompts = 300
    safety = -(torch.rand(prompts, 8, 5, generator=rng) < rate).float()
    safety[:, 0] = NAN
    relevance = torch.zeros(prompts, 8, 5)

    some = rewards([relevance.flatten(0, 1).tolist(), safety.flatten(0, 1).tolist()], group=8)

    assert normalize(some).rank.view(prompts, 8, 5)[:, 0].mean().abs() < 0.01


def test_without_scaling_grpo_subtracts_the_mean_and_no_more():
    advantages = UNSCALED(rewards([column(2, 0, 1, 5, 5, 5.5)], [[0, 1, 0.5, 0, 0, 0]], group=3))

    # of 2, 1, 1.5 and 5, 5, 5.5
    assert advantages.rank[:, 0].tolist() == about(0.5, -0.5, 0, -0.1667, -0.1667, 0.3333)
    assert advantages.list.tolist() == about(-0.5, 0.5, 0, 0, 0, 0)


def charged(values, multipliers, written=None):
    values = torch.tensor(values, dtype=torch.float)
    mask = torch.ones(values.shape[1:]).bool() if written is None else torch.tensor(written).bool()
    nothing = Advantages(rank=torch.zeros(mask.shape), list=torch.zeros(len(mask)))
    return charge(nothing, Costs(values, torch.tensor(multipliers)), mask)


def test_a_cost_is_centred_over_the_batch_so_that_a_group_that_all_pays_still_learns():
    """Two prompts of two: both lists of the first violate, none of the second."""
    advantages = charged([[[-1], [-1], [0], [0]]], [2.0])

    assert advantages.rank[:, 0].tolist() == [-1, -1, 1, 1]  # 2 * (-1 + 0.5), 2 * (0 + 0.5)
    assert not advantages.list.any()


def test_a_multiplier_is_not_divided_out():
    once, tenfold = (charged([[[-1], [0], [0], [0]]], [multiplier]).rank for multiplier in (1.0, 10.0))

    torch.testing.assert_close(tenfold, 10 * once)


def test_costs_add_up_and_are_centred_by_rank_over_the_lists_that_wrote_it():
    first, second = [[-1, 0], [0, -1], [0, NAN]], [[0, -1], [-2, 0], [-1, NAN]]

    advantages = charged([first, second], [3.0, 1.0], [[1, 1], [1, 1], [1, 0]])

    # Rank 1: 3 * (-2/3, 1/3, 1/3) + (1, -1, 0); rank 2: 3 * (1/2, -1/2) + (-1/2, 1/2), the third absent.
    assert advantages.rank.tolist() == [about(-1, 1), about(0, -1), about(1, 0)]


def test_finite_rewards_give_the_advantages_that_the_reference_implementation_gave(recorded):
    checked, informative = 0, 0
    for record in recorded["advantages"]:
        if any(values is None for functions in record["rewards"] for values in functions):
            continue  # a row that failed; there, no reward becomes NaN for the whole group
        given_rewards = torch.tensor(record["rewards"]).transpose(0, 1)  # (F, N, K)
        weights = record["reward_weights"]
        weighted = rewards(given_rewards.tolist(), weights=weights, group=record["num_generations"])
        grouped = given_rewards.unflatten(1, (-1, record["num_generations"]))

        ranks = {"grpo": grpo, "gdpo": UNBOUNDED}[record["mode"]](weighted).rank

        if torch.equal(grouped, grouped[:, :, :1].expand_as(grouped)):
            assert not ranks.any(), record["name"]
        else:
            expected = torch.tensor(record["advantages"])
            torch.testing.assert_close(ranks, expected, atol=1e-5, rtol=0, msg=record["name"])
            if record["mode"] == "gdpo" and (grouped != grouped[:, :, :1]).any(2).any(0).all():
                bounded = gdpo(weighted).rank  # no cell is without information
                torch.testing.assert_close(bounded, expected, atol=1e-5, rtol=0, msg=record["name"])
                informative += 1
        checked += 1
    assert (checked, informative) == (22, 5)
