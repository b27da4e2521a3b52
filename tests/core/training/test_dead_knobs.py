"""Settings that a run names and that cannot move anything."""

from __future__ import annotations

import pytest

from saferec_core.config.load import Layer, resolved
from saferec_core.config.schema import TrainConfig
from saferec_core.training.dead_knobs import dead_knobs
from saferec_core.training.setup import build_normalizer, build_rewards


def dead_in(plugins, **settings):
    files = [Layer("", {"oracle": {"name": "table"}, **settings})]
    config = resolved(TrainConfig, files=files).checked()
    rewards = build_rewards(config, plugins)
    return list(dead_knobs(config, rewards, build_normalizer(config, plugins)))


def test_a_run_that_sets_nothing_without_effect_is_told_nothing(plugins):
    assert dead_in(plugins) == []
    assert (
        dead_in(plugins, normalizer={"name": "gdpo"}, rewards={"relevance": {"weight": 4}, "safety": {}})
        == []
    )


def test_a_penalty_is_dead_where_the_normalizer_divides_it_out_and_acts_where_it_does_not(plugins):
    rewards = {"relevance": {}, "safety": {"penalty": 5.0}}

    (dead,) = dead_in(plugins, rewards=rewards, normalizer={"name": "gdpo"})
    assert dead.startswith("rewards.safety.penalty has no effect: the normalizer gdpo divides it out")
    assert dead_in(plugins, rewards=rewards, normalizer={"name": "grpo"}) == []


@pytest.mark.parametrize(
    ("rewards", "number"),
    [({"count": {}}, 1), ({"safety": {"variant": "exp_inf"}}, 1), ({"relevance": {}}, 0)],
    ids=["no variant", "own variant", "takes it"],
)
def test_a_variant_that_no_reward_takes_is_dead(plugins, rewards, number):
    dead = dead_in(plugins, rewards=rewards, reward_func="log_decay")

    assert dead == ["reward_func has no effect: no reward takes its variant from it"] * number


@pytest.mark.parametrize(("name", "number"), [("grpo", 1), ("gdpo", 0)])
def test_a_value_of_unwritten_ranks_is_dead_where_only_written_ones_are_compared(plugins, name, number):
    dead = dead_in(
        plugins, rewards={"relevance": {}, "safety": {"absent": "zero"}}, normalizer={"name": name}
    )

    assert len(dead) == number
    assert all(text.startswith("rewards.safety.absent has no effect") for text in dead)


@pytest.mark.parametrize(("scale", "number"), [(True, 1), (False, 0)], ids=["scaled", "not scaled"])
def test_the_weight_of_a_single_reward_is_dead_unless_nothing_is_divided(plugins, scale, number):
    dead = dead_in(
        plugins,
        rewards={"relevance": {"weight": 3.0}},
        normalizer={"name": "grpo", "scale_rewards": scale},
    )

    assert len(dead) == number
    assert all("rewards.relevance.weight has no effect: it is the only reward" in text for text in dead)


def test_rounds_of_further_prompts_are_dead_where_nobody_asks_for_any_and_asking_is_where_there_are_none(
    plugins,
):
    never = dead_in(plugins, rollout={"max_resample": 5}, normalizer={"name": "gdpo"})
    asks = {"normalizer": {"name": "gdpo", "dynamic_sampling": True}}

    assert never == ["rollout.max_resample has no effect: the normalizer gdpo asks for no further prompts"]
    assert dead_in(plugins, **asks, rollout={"max_resample": 5}) == []
    assert dead_in(plugins, **asks, rollout={"max_resample": 0}) == [
        "normalizer.dynamic_sampling has no effect, since rollout.max_resample is 0"
    ]


def test_options_of_a_reward_of_weight_zero_are_dead(plugins):
    rewards = {"relevance": {}, "count": {"weight": 0, "distinct": False, "target": 5}}

    assert dead_in(plugins, rewards=rewards) == [
        "rewards.count: distinct and target have no effect, since the reward has weight 0"
    ]


def test_a_reward_that_is_constant_by_its_options_is_named(plugins):
    nothing = {"repeated": False, "seen": False, "out_of_catalog": False}

    assert dead_in(plugins, rewards={"relevance": {}, "fresh": nothing}) == [
        "rewards.fresh is always 0, so it never prefers one list to another"
    ]


def test_the_weight_of_a_cost_is_never_dead(plugins):
    assert dead_in(plugins, rewards={"relevance": {}, "fresh": {"weight": 3.0}}) == []


def test_settings_of_limits_without_a_limit_and_a_clip_range_that_nothing_reaches_are_dead(plugins):
    dead = dead_in(plugins, limits={"limit_rate": 2.0}, epsilon=0.1)

    assert "give --limit" in dead[0]
    assert dead[1].startswith("epsilon has no effect")
    assert dead_in(plugins, epsilon=0.1, num_iterations=2) == []
