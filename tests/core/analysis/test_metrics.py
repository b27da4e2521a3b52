"""Metrics are called, ordered and written in one way everywhere."""

import math
from dataclasses import replace

import pytest

from saferec_core.analysis.metrics import (
    WholeFigure,
    headline_metrics,
    label,
    ordered,
    primary_metric,
    written,
    written_interval,
)
from saferec_core.analysis.results import MetricFacts

SHARE = MetricFacts("lower", "mean", "", label="Sensitivity Ratio", unit="share of titles", role="safety")
PLAIN = MetricFacts("higher", "mean", "", label="Recall", role="relevance", primary=True)
METRICS = {
    "popularity@5": MetricFacts("none", "mean", "", role="context"),
    "coverage": MetricFacts("higher", "mean", "", role="context"),
    "list_length": MetricFacts("none", "mean", "", role="list"),
    "sensitivity_ratio@5": SHARE,
    "ndcg@5": MetricFacts("higher", "mean", "", role="relevance"),
    "recall@20": PLAIN,
    "recall@5": PLAIN,
    "recall@10": PLAIN,
}


def test_a_metric_is_called_by_its_label_and_its_depth_and_else_by_its_name():
    assert label("sensitivity_ratio@5", SHARE) == "Sensitivity Ratio@5"
    assert label("list_length", METRICS["list_length"]) == "List length"


def test_relevance_comes_first_then_safety_lists_and_context_each_by_depth():
    assert ordered(METRICS) == [
        "recall@5",
        "recall@10",
        "recall@20",
        "ndcg@5",
        "sensitivity_ratio@5",
        "list_length",
        "popularity@5",
        "coverage",
    ]


def test_ten_ranks_are_the_usual_depth_and_else_the_most():
    assert primary_metric(METRICS, "relevance") == "recall@10"
    assert (
        primary_metric({name: METRICS[name] for name in ("recall@5", "recall@20")}, "relevance")
        == "recall@20"
    )
    assert primary_metric(METRICS, "safety", "relevance") == "sensitivity_ratio@5"
    assert primary_metric({"recall@5": PLAIN}, "safety", "relevance") == "recall@5"
    assert primary_metric({}, "safety") is None


def test_the_headline_names_one_metric_a_goal_and_all_that_could_have_been_paid_for_it():
    assert headline_metrics(METRICS) == ["recall@10", "sensitivity_ratio@5", "list_length", "coverage"]


@pytest.mark.parametrize(
    ("facts", "change", "expected"),
    [
        (SHARE, False, ("10.9%", "[9.4, 12.5]")),
        (SHARE, True, ("+10.9 pts", "[+9.4, +12.5]")),
        (PLAIN, False, ("0.109", "[0.094, 0.125]")),
        (PLAIN, True, ("+0.109", "[+0.094, +0.125]")),
    ],
    ids=["share", "change of a share", "plain", "plain change"],
)
def test_shares_are_percentages_and_their_changes_points(facts, change, expected):
    assert written_interval(facts, 0.109, 0.094, 0.125, change=change) == expected


def test_a_figure_of_all_lists_together_keeps_its_unit_in_a_summary_and_one_without_is_read_as_a_number():
    coverage = WholeFigure(0.3071, replace(SHARE, label="Catalog coverage", kind="whole"))

    assert coverage.text == "31%"
    assert WholeFigure.read(coverage.stored()).text == "31%"
    assert WholeFigure.read(coverage.stored()).facts.label == "Catalog coverage"
    assert WholeFigure.read(0.25).text == "0.25"
    assert WholeFigure(math.nan, SHARE).text == WholeFigure.read(None).text == "no value"


def test_what_has_no_value_has_no_unit_and_what_has_no_interval_no_brackets():
    assert written(SHARE, math.nan) == ["no value"]
    assert written_interval(SHARE, 0.5, math.nan, math.nan) == ("50%", "")
