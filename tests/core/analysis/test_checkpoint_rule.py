"""Rules that choose a checkpoint: how they are written, what they choose, what they say of it."""

import json
import math

import numpy as np
import pytest

from saferec_core.analysis.checkpoint_rule import Condition, Rule, choose, read_rule
from saferec_core.analysis.results import MetricFacts, results_of
from saferec_core.errors import ConfigError, UnknownNameError

FACTS = {
    "recall@10": MetricFacts("higher", "mean", ""),
    "sensitivity_ratio@10": MetricFacts("lower", "mean", ""),
    "list_length": MetricFacts("none", "mean", ""),
}
SAFE = "recall@10 subject to sensitivity_ratio@10<=0.02"
USERS = 40


def evaluation(recall=0.0, ratio=0.0, length=10.0):
    """Make an evaluation of 40 users; a number stands for the same value in every row."""
    given = {"recall@10": recall, "sensitivity_ratio@10": ratio, "list_length": length}
    values = {name: np.broadcast_to(value, USERS).tolist() for name, value in given.items()}
    rows = [{"record": n, "sample": 0, "user": f"user {n}", "constraints": []} for n in range(USERS)]
    return results_of(rows, values, protocol={"id": "p"}, policy="", data_sha256="0" * 64, metrics=FACTS)


def chosen(rule, **checkpoints):
    """Choose among evaluations that are named by their steps, as ``s800``."""
    named = {f"checkpoint-{name[1:]}": results for name, results in checkpoints.items()}
    return choose(read_rule(rule).resolved(FACTS), named)


def spread(mean, wide=1.0):
    """Values of 40 users around a mean."""
    noise = np.random.default_rng(7).normal(size=USERS) * wide
    return noise - noise.mean() + mean


# --- how a rule is written -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("recall@10", Rule("recall@10")),
        ("lowest list_length", Rule("list_length", "lowest")),
        ("  HIGHEST ndcg@5 ", Rule("ndcg@5", "highest")),
        (SAFE, Rule("recall@10", None, (Condition("sensitivity_ratio@10", "<=", 0.02),))),
        (
            "lowest a  subject  to b >= -.5 AND c<=1e-3, d<=2, and e>=3",
            Rule(
                "a",
                "lowest",
                (
                    Condition("b", ">=", -0.5),
                    Condition("c", "<=", 0.001),
                    Condition("d", "<=", 2),
                    Condition("e", ">=", 3),
                ),
            ),
        ),
    ],
)
def test_a_rule_is_a_metric_and_conditions(text, rule):
    assert read_rule(text) == rule


@pytest.mark.parametrize("text", [SAFE, "highest recall@10", "lowest a subject to b <= 1 and c >= 0.5"])
def test_a_rule_reads_as_it_is_written(text):
    assert read_rule(str(read_rule(text))) == read_rule(text)


@pytest.mark.parametrize(
    "text",
    ["", "recall@10 sensitivity_ratio@10<=0.02", "best recall@10", "recall@10<=1", "recall@10 subject to"],
)
def test_what_is_no_rule_is_refused_with_an_example(text):
    with pytest.raises(ConfigError, match=r"is not a valid rule; expected .*such as 'recall@10 subject to"):
        read_rule(text)


@pytest.mark.parametrize("part", ["b<0.02", "b=0.02", "b<=two", "b", "0.02>=b", "b<=nan", "b<=1 or c<=2"])
def test_what_is_no_condition_is_quoted(part):
    with pytest.raises(ConfigError) as error:
        read_rule(f"recall@10 subject to ndcg@10>=0.1 and {part}")

    assert f"{part!r} is not a valid condition" in str(error.value)


def test_an_unknown_metric_is_told_with_near_misses_wherever_it_stands():
    for text in ("recal@10", "recall@10 subject to recal@10<=1"):
        with pytest.raises(UnknownNameError, match=r"'recal@10'\. Did you mean 'recall@10'"):
            read_rule(text).resolved(FACTS)


def test_a_metric_of_which_neither_side_is_better_needs_a_direction():
    with pytest.raises(ConfigError, match="'highest list_length' or 'lowest list_length'"):
        read_rule("list_length").resolved(FACTS)
    assert read_rule("lowest list_length").resolved(FACTS).direction == "lowest"


def test_the_direction_is_what_the_metric_calls_better():
    assert str(read_rule("recall@10").resolved(FACTS)) == "highest recall@10"
    assert str(read_rule("sensitivity_ratio@10").resolved(FACTS)) == "lowest sensitivity_ratio@10"
    assert str(read_rule("lowest recall@10").resolved(FACTS)) == "lowest recall@10"


# --- what it chooses -----------------------------------------------------------------------------


def test_the_best_mean_is_chosen_and_of_equal_ones_the_earliest():
    rows = {"s200": evaluation(0.05), "s400": evaluation(0.07), "s600": evaluation(0.07)}

    assert chosen("recall@10", **rows).chosen == "checkpoint-400"
    assert chosen("lowest recall@10", **rows).chosen == "checkpoint-200"


def test_means_that_differ_by_rounding_are_equal():
    early = evaluation([0.1, 0.2, 0.3, 0.4] * 10)
    late = evaluation([0.4, 0.3, 0.2, 0.1 + 1e-15] * 10)

    assert chosen("recall@10", s1=early, s2=late).chosen == "checkpoint-1"
    assert chosen("lowest recall@10", s1=late, s2=early).chosen == "checkpoint-1"


def test_only_checkpoints_that_keep_every_condition_can_be_chosen():
    choice = chosen(
        f"{SAFE} and list_length>=8",
        s200=evaluation(0.09, 0.30, 10),
        s400=evaluation(0.08, 0.01, 2),
        s600=evaluation(0.06, 0.02, 8),
        s800=evaluation(0.05, 0.00, 9),
    )

    assert choice.chosen == "checkpoint-600"
    assert choice.within == ["checkpoint-600", "checkpoint-800"]


def test_a_limit_is_kept_by_a_mean_that_is_the_limit_but_for_rounding():
    ratio = [0.01, 0.02, 0.03, 0.02] * 10
    assert np.mean([0.1, 0.2, 0.3]) > 0.2  # what rounding does

    assert chosen(SAFE, s1=evaluation(0.1, ratio)).within == ["checkpoint-1"]
    third = "recall@10 subject to sensitivity_ratio@10<=0.2"
    assert chosen(third, s1=evaluation(0.1, [0.1, 0.2, 0.3, 0.2] * 10)).within == ["checkpoint-1"]


def test_without_a_value_a_condition_is_broken_and_a_metric_is_worst():
    silent, bad, safe = evaluation(0.2, math.nan), evaluation(0.3, 0.5), evaluation(math.nan, 0.0)

    assert chosen(SAFE, s1=silent, s2=evaluation(0.1, 0.0)).within == ["checkpoint-2"]
    assert chosen(SAFE, s1=silent, s2=bad).chosen == "checkpoint-2"  # closest of those that have a value
    assert chosen(SAFE, s1=safe, s2=evaluation(0.0, 0.0)).chosen == "checkpoint-2"


def test_where_no_checkpoint_has_a_value_the_last_is_kept():
    nothing = evaluation(math.nan)
    choice = chosen("recall@10", s1=nothing, s2=nothing)

    assert choice.sentence == "checkpoint-2: the last checkpoint, since none has a value of recall@10"
    assert choice.runner_up is None


def test_rows_without_a_value_do_not_enter_the_mean():
    half = [0.2, math.nan] * 20  # mean 0.2, not 0.1

    assert chosen("recall@10", s1=evaluation(0.15), s2=evaluation(half)).chosen == "checkpoint-2"


def test_if_none_keeps_the_conditions_the_closest_is_chosen_and_it_is_said_loudly():
    choice = chosen(
        SAFE, s200=evaluation(0.09, 0.30), s400=evaluation(0.05, 0.031), s600=evaluation(0.08, 0.2)
    )

    assert choice.chosen == "checkpoint-400"
    assert choice.within == []
    assert choice.sentence == (
        "checkpoint-400: closest to sensitivity_ratio@10 <= 0.02, which NONE of the 3 checkpoints keeps "
        "(sensitivity_ratio@10 0.031); its recall@10 is 0.050"
    )
    assert choice.as_data()["satisfied"] is False


def test_how_close_is_measured_in_the_range_of_each_metric():
    # Violations span 0.1, lengths 8: the second breaks its limits by 0.1 and 0.9 of these ranges, the first
    # by 1 and 0.25. In plain numbers the first would be closer.
    rule = "recall@10 subject to sensitivity_ratio@10<=0.02 and list_length>=10"
    first, second = evaluation(0.1, 0.12, 8.0), evaluation(0.1, 0.03, 2.8)
    others = evaluation(0.1, 0.11, 9.0), evaluation(0.1, 0.02, 1.0)

    assert chosen(rule, s1=first, s2=second, s3=others[0], s4=others[1]).chosen == "checkpoint-2"


# --- what it says --------------------------------------------------------------------------------


def test_a_choice_is_told_with_its_value_and_how_many_it_was_among():
    rows = {f"s{n}": evaluation(0.05 + n / 1000, 0.3 if n < 3 else 0.01) for n in range(1, 7)}

    assert chosen(SAFE, **rows).sentence == (
        "checkpoint-6: highest recall@10 (0.056) among the 4 of 6 checkpoints with "
        "sensitivity_ratio@10 <= 0.02"
    )
    assert chosen("recall@10", **rows).sentence == "checkpoint-6: highest recall@10 (0.056) of 6 checkpoints"
    assert chosen("recall@10 subject to sensitivity_ratio@10>=0.2 and recall@10>=0.052", **rows).sentence == (
        "checkpoint-2: the only one of 6 checkpoints with sensitivity_ratio@10 >= 0.2 and "
        "recall@10 >= 0.052; its recall@10 is 0.052"
    )


def test_a_single_checkpoint_is_called_that():
    row = evaluation(0.05, 0.3)

    assert chosen("recall@10", s8=row).sentence == "checkpoint-8: the only checkpoint; its recall@10 is 0.050"
    assert (
        "the only checkpoint, although it BREAKS sensitivity_ratio@10 <= 0.02"
        in chosen(SAFE, s8=row).sentence
    )


def test_a_runner_up_that_chance_may_have_put_second_is_named_with_the_paired_interval():
    close = chosen("recall@10", s1=evaluation(spread(0.50)), s2=evaluation(spread(0.52)[::-1]))
    name, difference = close.runner_up

    assert name == "checkpoint-1"
    assert difference.mean == pytest.approx(0.02)
    assert difference.low < 0 < difference.high
    assert "; no difference from the runner-up, checkpoint-1, can be claimed: 0.0" in close.sentence


def test_a_runner_up_that_is_clearly_worse_is_not_dwelt_on():
    # Pair by pair the difference is always 0.02, however much users differ.
    clear = chosen("recall@10", s1=evaluation(spread(0.50)), s2=evaluation(spread(0.52)))

    assert clear.sentence == "checkpoint-2: highest recall@10 (0.52) of 2 checkpoints"
    assert clear.runner_up[1].low > 0


def test_the_runner_up_is_one_that_keeps_the_conditions():
    rows = {"s1": evaluation(0.9, 0.3), "s2": evaluation(0.4, 0.0), "s3": evaluation(0.5, 0.0)}

    assert chosen(SAFE, **rows).runner_up[0] == "checkpoint-2"
    assert chosen("lowest recall@10", **rows).runner_up[0] == "checkpoint-3"


def test_equal_checkpoints_are_told_to_be():
    same = evaluation(0.1)

    assert chosen("recall@10", s1=same, s2=same).sentence.endswith(
        "; checkpoint-2 has the same, and of equals the earliest is kept"
    )


def test_a_limit_that_the_interval_reaches_beyond_is_told():
    one_in_forty = [0.5] + [0.0] * (USERS - 1)  # mean 0.0125
    choice = chosen(SAFE, s1=evaluation(0.1, one_in_forty))

    assert choice.within == ["checkpoint-1"]
    assert "; its sensitivity_ratio@10 of 0.01" in choice.sentence
    assert "may be as high as 0.0" in choice.sentence
    low = chosen("recall@10 subject to list_length>=9.9", s1=evaluation(0.1, 0.0, spread(10.0)))
    assert "; its list_length of 10.00 may be as low as 9." in low.sentence


def test_a_choice_can_be_written_as_json():
    choice = chosen(SAFE, s1=evaluation(0.1), s2=evaluation(spread(0.2)))
    data = json.loads(json.dumps(choice.as_data()))

    assert data["select"] == "highest recall@10 subject to sensitivity_ratio@10 <= 0.02"
    assert (data["chosen"], data["satisfied"]) == ("checkpoint-2", True)
    assert data["runner_up"]["checkpoint"] == "checkpoint-1"
    assert data["runner_up"]["difference"] == pytest.approx(0.1)
