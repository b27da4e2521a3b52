"""Every built-in component passes the checks that plugin authors are given."""

import json

import pytest

from saferec_core import load_plugins
from saferec_core.plugins.build import build
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.normalizer import Advantages, Normalizer
from saferec_core.plugins.contracts.reward import RewardFunction
from saferec_core.testing import (
    TITLES,
    StatedOracle,
    check_normalizer,
    check_oracle,
    check_parser,
    check_reward,
)

PLUGINS = load_plugins()


@pytest.mark.parametrize("entry", list(PLUGINS.rewards), ids=lambda entry: entry.name)
def test_every_registered_reward_passes_the_check(entry):
    check_reward(build(entry, {}))


@pytest.mark.parametrize("variant", ["exp_inf", "log_decay"])
@pytest.mark.parametrize("name", ["relevance", "safety"])
def test_both_variants_of_the_discounted_rewards_pass_the_check(name, variant):
    check_reward(build(PLUGINS.rewards.get(name), {"variant": variant}))


@pytest.mark.parametrize("entry", list(PLUGINS.normalizers), ids=lambda entry: entry.name)
def test_every_registered_normalizer_passes_the_check(entry):
    check_normalizer(build(entry, {}))


@pytest.mark.parametrize("entry", list(PLUGINS.parsers), ids=lambda entry: entry.name)
def test_every_registered_parser_passes_the_check(entry):
    check_parser(build(entry, {}))


def test_the_table_oracle_passes_the_check(tmp_path):
    table = tmp_path / "table.jsonl"
    rows = [{"title": t.name, "year": t.year, "risk": {"gore": 0.7 * (t.year % 2)}} for t in TITLES[:5]]
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))

    check_oracle(build(PLUGINS.oracles.get("table"), {"path": table}), TITLES)
    check_oracle(StatedOracle({"Film A": ["gore"]}, traits=["gore"]), TITLES)


def test_a_reward_that_looks_at_other_completions_is_caught():
    @component
    class Popular(RewardFunction):
        scope = "list"

        def __call__(self, lists):
            return lists.lengths - lists.lengths.mean()

    with pytest.raises(AssertionError, match="must not depend on the other completions"):
        check_reward(Popular())


def test_a_normalizer_that_rewards_unwritten_ranks_is_caught():
    class Careless(Normalizer):
        def __call__(self, rewards):
            return Advantages(rank=rewards.rank_mask * 1.0 + 1.0, list=rewards.list[0] * 0.0)

    with pytest.raises(AssertionError, match="not written"):
        check_normalizer(Careless())


def test_a_normalizer_that_declares_an_invariance_it_does_not_have_is_caught():
    class BelowTheBest(Normalizer):
        """Follows every factor, since it does not divide."""

        def __call__(self, rewards):
            total = rewards.rank.nansum(0)
            rank = (total - total[rewards.rank_mask].max()).where(rewards.rank_mask, 0.0)
            return Advantages(rank, rewards.list[0] - rewards.list[0].max())

    class Declaring(BelowTheBest):
        invariances = frozenset({"shift", "scale"})

    check_normalizer(BelowTheBest())
    with pytest.raises(AssertionError, match="must change nothing: 'scale'"):
        check_normalizer(Declaring())


def test_a_reward_outside_its_range_and_a_cost_above_zero_are_caught():
    class Length(RewardFunction):
        scope = "list"

        def __call__(self, lists):
            return lists.lengths

    class Narrow(Length):
        def range(self, num_ranks):
            return 0.0, num_ranks - 2.0

    class Cost(Length):
        direction = "cost"

    check_reward(Length())
    with pytest.raises(AssertionError, match="within its range, 0 to 3 for 5 ranks"):
        check_reward(Narrow())
    with pytest.raises(AssertionError, match="a cost must never be above 0"):
        check_reward(Cost())
