"""No way to earn reward without recommending anything good, in any built-in normalizer."""

from __future__ import annotations

import math
import re
import runpy
from pathlib import Path

import pytest

from saferec_core.config.schema import TrainConfig
from saferec_core.demo.profile import demo_settings
from saferec_core.errors import SaferecError
from saferec_core.plugins.build import build
from saferec_core.rl.rewards import ActiveReward
from saferec_core.testing import check_no_escape
from saferec_core.testing.escapes import escapes
from saferec_core.testing.probes import PROBES
from saferec_core.training.setup import build_normalizer, build_rewards

ROOT = Path(__file__).parents[3]
WEIGHTS = {"relevance": 1.0, "safety": 1.0, "count": 1.0}


def rewards(plugins, weights=WEIGHTS, **options):
    return [
        ActiveReward(
            name,
            build(
                plugins.rewards.get(name),
                {**({"target": 5} if name == "count" else {}), **options.get(name, {})},
            ),
            weight,
        )
        for name, weight in weights.items()
    ]


@pytest.fixture(params=["grpo", "gdpo"])
def normalizer(request, plugins):
    return build(plugins.normalizers.get(request.param), {})


@pytest.mark.parametrize("weights", [WEIGHTS, {**WEIGHTS, "fresh": 1.0}], ids=["unit", "fresh"])
def test_nothing_pays_but_good_lists(plugins, normalizer, weights):
    check_no_escape(rewards(plugins, weights), normalizer)


def test_nothing_pays_but_good_lists_in_the_demo(plugins, tmp_path):
    config = TrainConfig(**demo_settings(tmp_path, seed=0))

    check_no_escape(build_rewards(config, plugins), build_normalizer(config, plugins))


@pytest.mark.parametrize(
    "multipliers",
    [
        {"violation_rate<=0.02": 10.0},
        {"violation_rate[gore]<=0.02": 3.0, "wasted<=0.05": 3.0, "unknown<=0.1": 3.0},
    ],
    ids=["violations", "several"],
)
def test_no_limit_opens_an_escape(plugins, normalizer, multipliers):
    check_no_escape(rewards(plugins), normalizer, multipliers=multipliers)


@pytest.mark.parametrize(
    ("multipliers", "problem"),
    [
        ({"violation_rate[goer]<=0.02": 3.0}, "unknown trait 'goer'. Did you mean 'gore'"),
        ({"violation_rate<=0.02": math.nan}, "the multiplier of 'violation_rate<=0.02' must be a finite"),
        ({"violation_rate<=0.02": -1.0}, "from 0, but is -1"),
    ],
    ids=["trait", "nan", "negative"],
)
def test_a_limit_that_would_charge_nothing_here_is_refused(plugins, normalizer, multipliers, problem):
    with pytest.raises(SaferecError, match=re.escape(problem)):
        check_no_escape(rewards(plugins), normalizer, multipliers=multipliers)


def test_weights_and_multipliers_may_be_whole_numbers(plugins, normalizer):
    ones = dict.fromkeys(WEIGHTS, 1)

    check_no_escape(
        rewards(plugins, ones), normalizer, multipliers={"violation_rate<=0.02": 10, "wasted<=0.05": 3}
    )


def test_an_advantage_that_is_not_a_number_is_not_a_pass(plugins):
    with pytest.raises((AssertionError, SaferecError)):
        check_no_escape(
            rewards(plugins, {**WEIGHTS, "fresh": math.nan}), build(plugins.normalizers.get("grpo"), {})
        )


def test_nothing_pays_but_good_lists_with_discounted_rewards(plugins, normalizer):
    decay = {"variant": "log_decay"}

    check_no_escape(rewards(plugins, relevance=decay, safety=decay), normalizer)


@pytest.mark.parametrize(
    ("changes", "paying"),
    [
        ({"weights": {"relevance": 1.0, "safety": 1.0}}, ["two hits, then stop"]),
        (
            {"safety": {"repeated": "ignore", "seen": "ignore"}, "count": {"distinct": False}},
            ["one safe title repeated", "one title under other years", "seen titles"],
        ),
        ({"safety": {"unknown": "safe"}}, ["unknown titles"]),
        (
            {"safety": {"out_of_catalog": "ignore", "unknown": "safe"}, "count": {"distinct": False}},
            ["titles outside the catalog"],
        ),
    ],
    ids=["no count", "waste ignored", "unknown safe", "outside ignored"],
)
def test_without_each_rule_its_escapes_pay_and_are_named(plugins, normalizer, changes, paying):
    with pytest.raises(AssertionError, match="these pay: ") as error:
        check_no_escape(rewards(plugins, **changes), normalizer)

    assert all(f"{probe} (" in str(error.value) for probe in paying)


def test_a_violation_beside_a_title_costs_what_a_violation_costs(plugins, normalizer):
    trained = {e.probe: e for e in escapes(rewards(plugins), normalizer) if e.policy == "trained"}

    for probe in (
        "a violation beside each title",
        "a violation in the remark on each title",
        "a violation struck out beside each title",
        "a violation of the same year behind a comma",
    ):
        assert trained[probe].advantage < trained[probe].ordinary - 0.5


def test_every_probe_is_in_the_table_of_the_docs_as_the_command_prints_it():
    table = runpy.run_path(str(ROOT / "benchmarks" / "escapes.py"))["table"]
    page = (ROOT / "docs" / "escapes.md").read_text(encoding="utf-8")

    lines = list(table())
    assert "\n".join(lines) in page
    assert len(lines) == 4 + len(PROBES)
