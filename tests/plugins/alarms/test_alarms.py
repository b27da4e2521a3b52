"""The built-in alarms: what raises each, at which threshold, and what does not."""

from __future__ import annotations

import pytest

from saferec_core.plugins.build import build
from saferec_core.plugins.contracts.alarm import WINDOW

STEADY = {
    "advantage_zero": 0.2,
    "reward_varies/safety": 0.3,
    "reward_best/safety": 0.8,
    "reward_varies/count": 0.4,
    "advantage_share/safety": 0.5,
    "advantage_share/count": 0.4,
    "completions/clipped_ratio": 0.1,
    "repeated": 0.05,
    "seen": 0.02,
    "wasted": 0.08,
    "list_length": 5.0,
    "distinct_titles": 0.3,
    "oracle_coverage": 0.9,
    "entropy": 1.5,
    "kl": 0.1,
    "grad_norm": 2.0,
    "weights_moved": 1.0,
    "sampling/sampling_logp_difference/mean": 0.02,
}
"""A run in which nothing is wrong."""

WRONG = {
    "no-advantage": ({"advantage_zero": 0.99}, "99% of the advantages are 0"),
    "constant-reward": ({"reward_varies/safety": 0.01}, "the reward safety is the same"),
    "saturated-reward": ({"reward_best/safety": 1.0}, "the reward safety is at the best value"),
    "lone-reward": ({"advantage_share/count": 0.97}, "the reward count supplies 97% of the variance"),
    "drowned-reward": ({"advantage_share/count": 0.1}, "the reward count supplies 10% of the variance"),
    "cut-off": ({"completions/clipped_ratio": 0.96}, "96% of the completions are cut off"),
    "waste": ({"seen": 0.12}, "titles that the user has seen rose from 2% to 12%"),
    "list-length": ({"list_length": 3.0}, "lists have 3.0 titles and had 5.0 at the start"),
    "variety": ({"distinct_titles": 0.1}, "a batch names 10.0 different titles per 100 ranks"),
    "coverage": ({"oracle_coverage": 0.7}, "the oracle knows 70% of the recommended titles, down from 90%"),
    "entropy": ({"entropy": 0.2}, "fell from 1.500 to 0.200 nats"),
    "kl": ({"kl": 3.0}, "the KL from the reference policy is 3.00 nats per token"),
    "frozen-weights": ({"weights_moved": 0.05}, "a step changes 5.0% of the weights"),
    "sampler": ({"sampling/sampling_logp_difference/mean": 0.5}, "differ by 0.50 nats per token"),
}
"""By alarm, what its figures become and what it then says."""


def log(*parts):
    """Give the rows of a log: each part is how many rows, and what is unlike the steady run in them."""
    rows = [{**STEADY, **unlike} for number, unlike in parts for _ in range(number)]
    return [{**row, "step": 10.0 * (n + 1)} for n, row in enumerate(rows)]


def ask(plugins, name, rows, **options):
    return build(plugins.alarms.get(name), options)(rows)


def test_every_built_in_alarm_is_tried(plugins):
    assert {entry.name for entry in plugins.alarms} == set(WRONG)


@pytest.mark.parametrize("name", WRONG)
def test_a_steady_run_raises_nothing(plugins, name):
    assert ask(plugins, name, log((9, {}))) is None


@pytest.mark.parametrize("name", WRONG)
def test_an_alarm_is_raised_once_the_last_rows_are_wrong_and_names_a_setting(plugins, name):
    wrong, sentence = WRONG[name]

    message = ask(plugins, name, log((6, {}), (WINDOW, wrong)))

    assert sentence in message
    assert any(sign in message for sign in ("--", "weight", "rewards.")), message


@pytest.mark.parametrize("name", WRONG)
def test_before_there_are_enough_rows_nothing_is_said(plugins, name):
    wrong, _ = WRONG[name]

    assert ask(plugins, name, log((WINDOW - 1, wrong))) is None


@pytest.mark.parametrize("name", WRONG)
def test_rows_without_the_figures_are_passed_over(plugins, name):
    assert ask(plugins, name, [{"step": float(step), "loss": 0.1} for step in range(1, 10)]) is None


@pytest.mark.parametrize(
    ("name", "options", "wrong"),
    [
        ("no-advantage", {"most": 0.995}, {"advantage_zero": 0.99}),
        ("constant-reward", {"least": 0.005}, {"reward_varies/safety": 0.01}),
        ("saturated-reward", {"most": 1.0}, {"reward_best/safety": 1.0}),
        ("lone-reward", {"most": 0.98}, {"advantage_share/count": 0.97}),
        ("drowned-reward", {"least": 0.1}, {"advantage_share/count": 0.1}),
        ("cut-off", {"most": 0.97}, {"completions/clipped_ratio": 0.96}),
        ("waste", {"rise": 0.2}, {"seen": 0.12}),
        ("list-length", {"most": 0.5}, {"list_length": 3.0}),
        ("variety", {"least": 0.3}, {"distinct_titles": 0.1}),
        ("coverage", {"fall": 0.3}, {"oracle_coverage": 0.7}),
        ("entropy", {"least": 0.1}, {"entropy": 0.2}),
        ("kl", {"most": 5.0}, {"kl": 3.0}),
        ("frozen-weights", {"least": 0.01}, {"weights_moved": 0.05}),
        ("sampler", {"most": 1.0}, {"sampling/sampling_logp_difference/mean": 0.5}),
    ],
    ids=list(WRONG),
)
def test_the_threshold_is_an_option(plugins, name, options, wrong):
    assert ask(plugins, name, log((6, {}), (WINDOW, wrong)), **options) is None


def test_one_bad_row_is_averaged_away(plugins):
    # (0.1 + 0.1 + 5) / 3 = 1.73, below the 2 nats that are allowed
    assert ask(plugins, "kl", log((8, {}), (1, {"kl": 5.0}))) is None


def test_a_constant_reward_at_its_best_is_saturated_and_not_constant(plugins):
    rows = log((6, {"reward_varies/safety": 0.0, "reward_best/safety": 1.0}))

    assert ask(plugins, "constant-reward", rows) is None
    assert "the reward safety is at the best value" in ask(plugins, "saturated-reward", rows)


def test_a_saturated_or_drowned_reward_does_not_stop_a_run_and_all_others_do(plugins):
    stopping = {entry.name for entry in plugins.alarms if entry.load().stops}

    assert stopping == set(WRONG) - {"saturated-reward", "drowned-reward"}


def shares_of(**shares):
    return {f"advantage_share/{name}": share for name, share in shares.items()}


def test_the_weight_is_named_at_which_a_drowned_reward_would_supply_its_part(plugins):
    # A third of the weights, a ninth of the variance: v / (v + 8 v) now; w * w * v / (w * w * v + 8 v) = 1/3
    # at w = 2. Of hits on real dialogues 0.11 was seen, beside 0.71 of a reward for lists.
    rows = log((3, shares_of(relevance=1 / 9, safety=0.4, count=0.5)))

    said = ask(plugins, "drowned-reward", rows)

    assert (
        "the reward relevance supplies 11% of the variance of the advantages, but has 33% of the weight"
        in said
    )
    assert "Raise its weight (to about 2.0)" in said


def test_a_reward_is_held_against_its_own_weight_and_left_alone_once_it_is_at_its_best(plugins):
    rows = log((3, shares_of(safety=0.8, count=0.1)))
    weights = {"safety": 9.0, "count": 1.0}

    assert "reward count supplies 10%" in ask(plugins, "drowned-reward", rows)
    assert ask(plugins, "drowned-reward", rows, weights=weights) is None
    kept = [{**row, "reward_best/count": 0.75} for row in rows]
    assert ask(plugins, "drowned-reward", kept) is None


def test_where_no_advantage_varies_no_reward_is_drowned(plugins):
    assert ask(plugins, "drowned-reward", log((3, shares_of(safety=0.0, count=0.0)))) is None


def test_a_reward_that_supplies_nothing_gets_no_weight_named(plugins):
    said = ask(plugins, "drowned-reward", log((3, shares_of(count=0.0))))

    assert "supplies 0% of the variance" in said
    assert (
        "Raise its weight, hold the policy nearer its start (--kl-beta), or sample more completions" in said
    )


def test_several_constant_rewards_are_named_in_one_sentence(plugins):
    rows = log((3, {"reward_varies/safety": 0.0, "reward_varies/count": 0.0}))

    assert ask(plugins, "constant-reward", rows).startswith("the rewards safety and count are each the same")


def test_lists_that_come_nearer_to_the_target_raise_nothing_and_others_do(plugins):
    from_nine = log((3, {"list_length": 9.0}), (3, {"list_length": 7.0}))

    assert ask(plugins, "list-length", from_nine, target=5) is None
    # 7 is 22 % below 9, less than the quarter that is allowed; of the target 10 it is 30 %
    assert ask(plugins, "list-length", from_nine) is None
    assert "but 10 are wanted" in ask(plugins, "list-length", from_nine, target=10)


def test_lists_that_were_as_far_from_their_length_at_the_start_are_no_alarm_whatever_chance_adds(plugins):
    cut_off = log((3, {"list_length": 2.0}), (3, {"list_length": 1.9}))

    assert ask(plugins, "list-length", cut_off, target=5) is None
    assert "had 2.0 at the start" in ask(
        plugins, "list-length", log((3, {"list_length": 2.0}), (3, {"list_length": 1.5})), target=5
    )


def test_the_narrowest_kind_of_waste_is_named(plugins):
    rows = log((6, {}), (3, {"repeated": 0.2, "wasted": 0.24}))

    assert "repeat an earlier one of their list rose from 5% to 20%" in ask(plugins, "waste", rows)


def test_a_gradient_of_exactly_zero_is_frozen_whatever_has_moved(plugins):
    rows = log((3, {"grad_norm": 0.0}))

    assert ask(plugins, "frozen-weights", rows).startswith("the gradient is exactly 0")


def test_a_figure_that_is_not_a_number_raises_nothing(plugins):
    assert ask(plugins, "kl", log((6, {"kl": float("nan")}))) is None
