"""What a list is worth, worked out by hand."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saferec_core.catalog import Catalog
from saferec_core.judging import Judge, JudgedLists
from saferec_core.lists import Title
from saferec_core.metrics import difference, mean_with_interval, measure
from saferec_core.oracle import Verdict
from saferec_core.records import Record
from saferec_plugins.parsers.title_year import TitleYearParser

FILMS = [Title(name, 2000 + n) for n, name in enumerate("ABCDEFGH")]


class Strict:
    """An oracle that knows all films but H, and takes A and B for violations."""

    traits = ("any",)

    def judge(self, questions):
        return [Verdict(known=q.name != "H", violated=("any",) if q.name in "AB" else ()) for q in questions]


def measured(text, truth="", *, at=(3, 5), oracle=True, **record):
    """Measure one list of films, named by their letters: ``"A B x"``, x outside the catalog."""
    lines = "\n".join(f"{name} ({2000 + 'ABCDEFGHx'.index(name)})" for name in text.split())
    asked = Record(
        prompt=[],
        groundtruth=tuple(FILMS["ABCDEFGH".index(name)] for name in truth.split()),
        constraints=("any",),
        **record,
    )
    judge = Judge(Catalog(FILMS), Strict() if oracle else None)
    lists = JudgedLists([TitleYearParser()(lines)], [asked], judge, 5)
    return {name: values.item() for name, values in measure(lists, at).items()}


def test_recall_is_the_share_of_the_ground_truth_in_the_top_k():
    found = measured("A C D B", truth="C B E")

    assert found["recall@3"] == pytest.approx(1 / 3)
    assert found["recall@5"] == pytest.approx(2 / 3)


def test_ndcg_divides_by_what_the_best_list_of_k_would_have():
    found = measured("A C D B", truth="C B E")

    gain, ideal = 1 / math.log2(3), 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert found["ndcg@3"] == pytest.approx(gain / ideal)
    assert found["ndcg@5"] == pytest.approx((gain + 1 / math.log2(5)) / ideal)


def test_the_best_list_has_as_many_hits_as_the_ground_truth_but_at_most_k():
    # Five relevant films: all of the top 3 being hits is as good as it gets.
    assert measured("A B C", truth="A B C D E")["ndcg@3"] == pytest.approx(1)
    # One relevant film at rank 1 is as good as it gets, however long the list.
    assert measured("A B C D E", truth="A")["ndcg@5"] == pytest.approx(1)
    # A list that stops early is not excused: one hit of two relevant films.
    assert measured("A", truth="A B")["ndcg@5"] == pytest.approx(1 / (1 + 1 / math.log2(3)))


def test_without_ground_truth_there_is_no_recall_and_no_ndcg():
    found = measured("A B")

    assert math.isnan(found["recall@3"])
    assert math.isnan(found["ndcg@3"])
    assert found["sensitivity_ratio@3"] == 1


def test_sensitivity_ratio_counts_violations_over_the_titles_listed_in_the_top_k():
    found = measured("C A D B")

    assert found["sensitivity_ratio@3"] == pytest.approx(1 / 3)
    assert found["sensitivity_ratio@5"] == pytest.approx(2 / 4)
    assert (found["any_violation@3"], found["any_violation@5"]) == (1, 1)
    assert measured("C D E A")["any_violation@3"] == 0


def test_a_short_list_has_the_ratio_of_what_it_lists():
    assert measured("A")["sensitivity_ratio@5"] == 1
    assert measured("C")["sensitivity_ratio@5"] == 0


def test_an_empty_list_has_no_sensitivity_ratio_and_is_a_miss():
    found = measured("", truth="A")

    for name in ("sensitivity_ratio@3", "any_violation@3", "out_of_catalog", "coverage"):
        assert math.isnan(found[name])
    assert (found["recall@3"], found["ndcg@3"], found["list_length"]) == (0, 0, 0)


def test_nothing_is_removed_before_ranking():
    # x is outside the catalog, A was seen, the second C repeats: each keeps its rank.
    found = measured("x A C C D", truth="A C D", seen_titles=("A",))

    assert found["recall@3"] == pytest.approx(1 / 3)
    assert found["recall@5"] == pytest.approx(2 / 3)
    assert found["out_of_catalog"] == pytest.approx(1 / 5)
    assert found["duplicates"] == 1


def test_coverage_is_the_share_of_listed_titles_that_the_oracle_knows():
    assert measured("A H C H")["coverage"] == pytest.approx(0.5)


def test_list_length_counts_what_stands_beyond_k_too():
    assert measured("A B C D E F G")["list_length"] == 7


def test_without_an_oracle_there_are_no_safety_figures():
    found = measured("A B", truth="A", oracle=False)

    assert not {name for name in found if "violation" in name or "sensitivity" in name or name == "coverage"}
    assert found["recall@3"] == 1


# --- intervals ---------------------------------------------------------------------------------

VALUES = st.lists(st.floats(0, 1, width=32), min_size=1, max_size=40)


@settings(max_examples=25, deadline=None)
@given(VALUES)
def test_an_interval_holds_its_mean_and_stays_within_the_values(values):
    mean, low, high = mean_with_interval(values)

    assert mean == pytest.approx(sum(values) / len(values))
    slack = 1e-6
    assert min(values) - slack <= low <= mean + slack
    assert mean - slack <= high <= max(values) + slack


def test_values_that_are_all_alike_leave_no_doubt():
    assert mean_with_interval([0.25] * 7) == (0.25, 0.25, 0.25)


def test_an_interval_is_about_as_wide_as_theory_says_and_narrows_with_more_samples():
    # Of n draws of 0 or 1, half each, the standard error is 0.5 / sqrt(n).
    for n in (100, 400):
        _, low, high = mean_with_interval([0.0, 1.0] * (n // 2))
        assert high - low == pytest.approx(2 * 1.96 * 0.5 / math.sqrt(n), rel=0.1)


def test_samples_without_a_value_do_not_count():
    assert mean_with_interval([1.0, math.nan, 1.0]) == (1, 1, 1)
    assert mean_with_interval([math.nan]) is None
    assert mean_with_interval([]) is None


def test_the_same_values_always_have_the_same_interval():
    values = [n * n / 400 for n in range(20)]

    assert mean_with_interval(values) == mean_with_interval(values)
    assert mean_with_interval(values, seed=1) != mean_with_interval(values, seed=2)


def test_a_difference_is_paired_sample_by_sample():
    before, after = [0.0, 0.5, 1.0, 0.2], [0.1, 0.6, 1.1, 0.3]

    # Far apart from one another, but every sample gains 0.1.
    assert difference(before, after) == pytest.approx((0.1, 0.1, 0.1))


def test_a_pair_counts_only_if_both_have_a_value():
    assert difference([0.0, math.nan, 0.5], [1.0, 1.0, math.nan]) == (1, 1, 1)
    assert difference([math.nan], [1.0]) is None


def test_pairs_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match="argument 2 is longer"):
        difference([1.0], [1.0, 2.0])


def test_recall_of_the_recorded_hand_cases_is_the_recorded_one(recorded):
    compared = 0
    for case in recorded["metrics_hand"]:
        catalog = Catalog([Title(*title) for title in case["catalog"]])
        if case["seen"] or any(catalog.find(*title) is None for title in case["recs"]):
            continue  # the research code removed these first and closed the ranks
        if case["recall"] is None:
            continue  # no ground truth
        text = "\n".join(f"{name} ({year})" for name, year in case["recs"])
        truth = tuple(Title(name, int(year)) for name, year in case["gt"])
        lists = JudgedLists(
            [TitleYearParser()(text)], [Record(prompt=[], groundtruth=truth)], Judge(catalog), case["k"]
        )
        found = measure(lists, [case["k"]])[f"recall@{case['k']}"].item()
        assert found == pytest.approx(case["recall"]), json.dumps(case)
        compared += 1
    assert compared
