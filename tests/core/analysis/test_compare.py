"""What may be said of two policies."""

import json
import math

import numpy as np
import pytest

from saferec_core.analysis.compare import compare
from saferec_core.analysis.results import MetricFacts, results_of
from saferec_core.errors import ConfigError, UnknownNameError

FACTS = {
    "recall@10": MetricFacts("higher", "mean", "", role="relevance"),
    "any_violation@10": MetricFacts("lower", "share", "", unit="share of lists", role="safety"),
    "list_length": MetricFacts("none", "mean", "", role="list"),
}


def evaluation(traits=None, users=None, **values):
    """Make an evaluation; metrics are named without their depth."""
    columns = {name: values[name.partition("@")[0]] for name in FACTS if name.partition("@")[0] in values}
    number = len(next(iter(columns.values())))
    rows = [
        {
            "record": record,
            "sample": 0,
            "user": f"user {record if users is None else users[record]}",
            "constraints": [] if traits is None else traits[record],
        }
        for record in range(number)
    ]
    facts = {name: FACTS[name] for name in columns}
    return results_of(rows, columns, protocol={"id": "p"}, policy="", data_sha256="0" * 64, metrics=facts)


def only(table):
    (metric,) = table.overall.metrics
    return metric


NOISE = np.random.default_rng(0).normal(size=200) * 0.1


def test_a_claimed_difference_is_told_with_direction_size_and_interval():
    metric = only(compare(evaluation(recall=NOISE), evaluation(recall=NOISE[::-1] - 0.05)))
    low, high = -metric.difference.high, -metric.difference.low

    assert metric.verdict == "worse"
    assert metric.sentence == f"Recall@10 falls by 0.050 [{low:.3f}, {high:.3f}]: worse"
    assert 0.02 < low < 0.05 < high < 0.08


def test_what_is_better_depends_on_the_metric():
    zero, one = [0.0] * 50, [1.0] * 50

    assert only(compare(evaluation(recall=zero), evaluation(recall=one))).verdict == "better"
    assert only(compare(evaluation(any_violation=zero), evaluation(any_violation=one))).verdict == "worse"
    neither = only(compare(evaluation(list_length=zero), evaluation(list_length=one)))
    assert neither.claimed
    assert neither.verdict == ""
    assert neither.sentence == "List length rises by 1.0 [1.0, 1.0]"


def test_without_a_claim_the_sentence_says_what_would_have_been_seen():
    metric = only(compare(evaluation(recall=NOISE), evaluation(recall=NOISE[::-1] + 0.001)))

    assert not metric.claimed
    assert metric.verdict == ""
    # 2.8 standard errors of a difference with standard deviation 0.14: about 0.028.
    assert metric.sentence == (
        "no difference in Recall@10 can be claimed; one larger than "
        f"{metric.difference.detectable:.3f} would probably have been detected"
    )
    assert metric.difference.detectable == pytest.approx(0.028, abs=0.004)


def test_a_difference_that_holm_does_not_let_through_is_told_as_such():
    # Of 7 users all gain: 2 of 2 ** 7 patterns, p about 0.016; times two metrics it is above 0.02.
    gain, noise = np.arange(1, 8) / 100, np.array([1, -1, 1, -1, 1, -1, 0.0])
    zero = np.zeros(7)
    first = evaluation(recall=zero, any_violation=zero, list_length=zero)
    table = compare(first, evaluation(recall=gain, any_violation=noise, list_length=-noise), confidence=0.98)
    recall = table.overall.metrics[0]

    assert recall.difference.low > 0
    assert recall.difference.p < 0.02 < recall.p_adjusted
    assert not recall.claimed
    assert recall.sentence.startswith(
        "no difference in Recall@10 can be claimed once all metrics are accounted for (p = 0.01"
    )


def test_the_primary_metric_is_tested_on_its_own_and_the_others_for_one_another():
    gain, noise = np.arange(1, 8) / 100, np.array([1, -1, 1, -1, 1, -1, 0.0])
    zero = np.zeros(7)
    first = evaluation(recall=zero, any_violation=zero, list_length=zero)
    second = evaluation(recall=noise, any_violation=gain, list_length=noise)
    table = compare(first, second, confidence=0.96)
    recall, violation, length = table.overall.metrics

    assert table.primary == "any_violation@10"  # what stands for safety is the question asked beforehand
    assert violation.p_adjusted == violation.difference.p < 0.04
    assert recall.p_adjusted == min(1.0, 2 * recall.difference.p)
    assert violation.verdict == "worse"
    chosen = compare(first, second, primary="list_length", confidence=0.96)
    assert chosen.overall.metrics[2].p_adjusted == length.difference.p
    assert chosen.overall.metrics[1].p_adjusted == pytest.approx(2 * violation.difference.p)
    with pytest.raises(UnknownNameError, match="Did you mean 'recall@10'"):
        compare(first, second, primary="recal@10")


def test_policies_that_do_the_same_differ_in_nothing():
    same = evaluation(recall=[0.5, 0.25] * 20)

    assert only(compare(same, same)).sentence == "Recall@10 is the same for every one of 40 users"


def test_a_metric_without_a_pair_of_values_says_so():
    metric = only(compare(evaluation(recall=[1, math.nan] * 10), evaluation(recall=[math.nan, 1] * 10)))

    assert metric.sentence == "Recall@10 has no value in both evaluations, in any row"
    assert metric.one_sided == 20
    assert not metric.claimed


def test_rows_of_one_user_say_nothing():
    metric = only(
        compare(evaluation(users=[0] * 9, recall=NOISE[:9]), evaluation(users=[0] * 9, recall=NOISE[9:18]))
    )

    assert (
        metric.sentence == "nothing can be claimed about Recall@10: all rows with a value belong to one user"
    )


def test_means_are_those_of_the_pairs_that_are_compared():
    metric = only(compare(evaluation(recall=[0, 1, math.nan]), evaluation(recall=[1, math.nan, 1])))

    assert (metric.first, metric.second, metric.one_sided) == (0, 1, 2)


def test_a_trait_has_the_rows_in_which_it_is_active():
    traits = [["gore"], ["gore", "war"], [], ["war"]] * 10
    first = evaluation(traits, recall=[0.0] * 40)
    table = compare(first, evaluation(traits, recall=[1.0, 0.0, 0.0, 0.0] * 10))

    assert [(group.trait, group.rows, group.users) for group in table.groups] == [
        (None, 40, 40),
        ("gore", 20, 20),
        ("war", 20, 20),
    ]
    assert [group.metrics[0].second for group in table.groups] == [0.25, 0.5, 0]


def test_a_trait_of_few_users_is_not_shown_however_many_rows_they_have():
    traits, users = [["gore"]] * 27 + [["war"]] * 10, [*range(9)] * 3 + [*range(10, 20)]
    same = evaluation(traits, users, recall=[0.5] * 37)
    gore, war = compare(same, same).traits

    assert gore.suppressed
    assert (gore.rows, gore.users, list(gore.metrics)) == (None, None, [])
    assert not war.suppressed
    assert "0.5" not in json.dumps(compare(same, same).as_data()["groups"][1])


def test_a_cell_of_few_users_is_not_shown():
    traits = [["gore"]] * 12
    same = evaluation(traits, recall=[0.5] * 12, list_length=[7.0] * 9 + [math.nan] * 3)
    (gore,) = compare(same, same).traits

    assert gore.metrics[0].difference is not None
    assert gore.metrics[1].difference is None
    assert math.isnan(gore.metrics[1].first)
    assert compare(same, same).as_data()["groups"][1]["metrics"]["list_length"] == {
        "suppressed": "fewer than 10 users"
    }


def test_cells_of_all_traits_are_corrected_together():
    traits = [["gore"]] * 20 + [["war"]] * 20
    gain = [*NOISE[:20] + 0.08, *NOISE[20:40]]
    table = compare(evaluation(traits, recall=[0.0] * 40), evaluation(traits, recall=gain))
    gore, war = (group.metrics[0] for group in table.traits)

    assert gore.p_adjusted == pytest.approx(2 * gore.difference.p)
    assert war.p_adjusted == war.difference.p
    assert only(table).p_adjusted == only(table).difference.p


def test_traits_need_not_be_compared():
    same = evaluation([["gore"]] * 20, recall=[0.5] * 20)

    assert list(compare(same, same, by_trait=False).traits) == []


def test_few_users_are_remarked_on():
    same = evaluation(recall=[0.5] * 6)

    assert compare(same, same).remarks == ["6 users are few: intervals and p-values are rough for so few"]


def test_the_same_figures_come_whatever_metrics_are_chosen():
    first = evaluation(recall=NOISE, list_length=NOISE)
    second = evaluation(recall=NOISE[::-1], list_length=NOISE + 1)

    both = compare(first, second).overall.metrics
    (alone,) = compare(first, second, metrics=["recall@10"]).overall.metrics
    assert alone.difference.low == pytest.approx(both[0].difference.low)
    assert alone.difference.p == pytest.approx(both[0].difference.p)


def test_the_result_is_plain_data():
    missing = evaluation(recall=[*NOISE[:20]], list_length=[math.nan] * 20)
    data = json.loads(json.dumps(compare(missing, missing, names=("x", "y")).as_data(), allow_nan=False))

    assert (data["first"], data["second"], data["confidence"]) == ("x", "y", 0.95)
    recall = data["groups"][0]["metrics"]["recall@10"]
    assert (recall["difference"], recall["p"], recall["detectable"]) == (0, 1, None)
    assert data["groups"][0]["metrics"]["list_length"]["difference"] is None


@pytest.mark.parametrize("confidence", [0, 1, 95])
def test_a_confidence_lies_between_0_and_1(confidence):
    with pytest.raises(ConfigError, match="confidence must lie between 0 and 1"):
        compare(evaluation(recall=[1]), evaluation(recall=[1]), confidence=confidence)
