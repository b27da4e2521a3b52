"""The built-in metrics, worked out by hand, and one of another distribution."""

import json
import math
import sys

import pytest
import torch

from saferec_core import load_plugins
from saferec_core.data.catalog import Catalog
from saferec_core.data.records import Record
from saferec_core.data.titles import Title
from saferec_core.errors import PluginError
from saferec_core.evaluation.measure import build_metrics, facts_of, measure, measure_whole
from saferec_core.evaluation.protocol import PRESETS, EvaluationProtocol
from saferec_core.evaluation.protocol_lists import ProtocolLists
from saferec_core.plugins.build import build
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.oracle import Oracle, Verdict
from saferec_core.testing import check_metric, listing
from saferec_plugins.parsers.title_year import TitleYearParser

FILMS = [Title(name, 2000 + n) for n, name in enumerate("ABCDEFGH")]
METRICS = build_metrics(load_plugins())


class Strict(Oracle):
    """An oracle that knows the films A to G, and takes A and B for violations."""

    traits = ("any",)

    def judge(self, questions):
        return [
            Verdict(known=q.name in "ABCDEFG", violated=("any",) if q.name in "AB" else ()) for q in questions
        ]


def judged(*texts, truth="", oracle=True, popularity=None, **record):
    """Judge lists of films, named by their letters: ``"A B x"``, x outside the catalog."""
    lines = [
        "\n".join(f"{name} ({2000 + 'ABCDEFGHx'.index(name)})" for name in text.split()) for text in texts
    ]
    asked = Record(
        prompt=[],
        groundtruth=tuple(FILMS["ABCDEFGH".index(name)] for name in truth.split()),
        constraints=("any",),
        **record,
    )
    judge = Judge(Catalog(FILMS), Strict() if oracle else None, popularity)
    return JudgedLists([TitleYearParser()(text) for text in lines], [asked] * len(texts), judge, 5)


def measured(text, truth="", *, at=(3, 5), **options):
    """Measure one list."""
    lists = judged(text, truth=truth, **options)
    return {name: values.item() for name, values in measure(lists, at, METRICS).items()}


def test_the_columns_are_the_metrics_at_every_k():
    lists = judged("A", truth="A", popularity=torch.full((8,), 0.5))
    columns = set(measure(lists, [3, 5], METRICS))

    deep = "recall ndcg sensitivity_ratio sensitivity_ratio_upper any_violation violations popularity"
    assert columns == {f"{name}@{k}" for name in deep.split() for k in (3, 5)} | {
        "coverage",
        "duplicates",
        "list_length",
        "out_of_catalog",
        "seen",
        "wasted",
    }
    assert set(measure_whole(lists, [3, 5], METRICS)) == {"catalog_coverage@3", "catalog_coverage@5"}
    facts = facts_of(columns, METRICS)
    shares = {name for name, fact in facts.items() if fact.kind == "share"}
    assert shares == {"any_violation@3", "any_violation@5"}
    assert (facts["recall@3"].better, facts["violations@5"].better) == ("higher", "lower")
    assert all(fact.summary for fact in facts.values())


# --- relevance ---------------------------------------------------------------------------------


def test_recall_is_the_share_of_the_ground_truth_in_the_top_k():
    values = measured("A C D B", truth="C B E")

    assert values["recall@3"] == pytest.approx(1 / 3)
    assert values["recall@5"] == pytest.approx(2 / 3)


def test_ndcg_divides_by_what_the_best_list_of_k_would_have():
    values = measured("A C D B", truth="C B E")

    gain, ideal = 1 / math.log2(3), 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert values["ndcg@3"] == pytest.approx(gain / ideal)
    assert values["ndcg@5"] == pytest.approx((gain + 1 / math.log2(5)) / ideal)


def test_the_best_list_has_as_many_hits_as_the_ground_truth_but_at_most_k():
    # Five relevant films: all of the top 3 being hits is as good as it gets.
    assert measured("A B C", truth="A B C D E")["ndcg@3"] == pytest.approx(1)
    # One relevant film at rank 1 is as good as it gets, however long the list.
    assert measured("A B C D E", truth="A")["ndcg@5"] == pytest.approx(1)
    # A list that stops early is not excused: one hit of two relevant films.
    assert measured("A", truth="A B")["ndcg@5"] == pytest.approx(1 / (1 + 1 / math.log2(3)))


def test_without_ground_truth_there_is_no_recall_and_no_ndcg():
    for text in ("A B", ""):
        values = measured(text)
        for name in ("recall@3", "recall@5", "ndcg@3", "ndcg@5"):
            assert math.isnan(values[name])
    assert measured("A B")["sensitivity_ratio@3"] == 1


def test_a_repeated_hit_counts_once():
    values = measured("A A A", truth="A B")

    assert (values["recall@3"], values["recall@5"]) == (0.5, 0.5)
    assert values["ndcg@3"] == pytest.approx(1 / (1 + 1 / math.log2(3)))


def test_a_film_that_the_ground_truth_names_twice_is_one_relevant_film():
    values = measured("A A", truth="A A")

    assert (values["recall@3"], values["ndcg@3"]) == (1, 1)
    assert measured("A A B", truth="A A B")["recall@3"] == 1
    assert measured("A A B", truth="A A B C")["recall@3"] == pytest.approx(2 / 3)


def test_seen_and_wasted_ranks_are_counted_each_once():
    # x is outside the catalog, A was seen, the second A repeats and was seen, C is new.
    values = measured("x A A C", seen_titles=("A",))

    assert (values["seen"], values["duplicates"], values["wasted"]) == (2, 1, 3)
    assert values["out_of_catalog"] == 0.25
    assert measured("")["wasted"] == 0


def test_a_title_under_another_year_within_the_tolerance_is_a_duplicate():
    lists = JudgedLists(
        [TitleYearParser()("A (2000)\nA (2001)")], [Record(prompt=[])], Judge(Catalog(FILMS)), 5
    )

    assert measure(lists, [5], METRICS)["duplicates"].item() == 1


def test_nothing_is_removed_before_ranking():
    # x is outside the catalog, A was seen, the second C repeats: each keeps its rank.
    values = measured("x A C C D", truth="A C D", seen_titles=("A",))

    assert values["recall@3"] == pytest.approx(1 / 3)
    assert values["recall@5"] == pytest.approx(2 / 3)
    assert values["out_of_catalog"] == pytest.approx(1 / 5)
    assert values["duplicates"] == 1


@pytest.mark.parametrize("seed", range(3))
def test_recall_and_ndcg_are_those_of_torchmetrics(seed):
    """Its ideal list sees only the documents it is given, so the relevant ones not listed are added.

    They follow at ranks beyond K, behind fillers where a list is shorter than that.
    """
    retrieval = pytest.importorskip(
        "torchmetrics.functional.retrieval", reason="torchmetrics is not installed"
    )
    generator = torch.Generator().manual_seed(seed)

    def draw(size):
        return [FILMS[n] for n in torch.randperm(8, generator=generator)[:size].tolist()]

    sizes = torch.randint(0, 6, (40,), generator=generator).tolist()
    lists = [draw(size) for size in sizes]
    truths = [draw(1 + size) for size in reversed(sizes)]
    records = [Record(prompt=[], groundtruth=tuple(truth)) for truth in truths]
    batch = JudgedLists([listing(films) for films in lists], records, Judge(Catalog(FILMS)), 5)
    values = measure(batch, [1, 2, 3, 5], METRICS)

    for n, (films, truth) in enumerate(zip(lists, truths, strict=True)):
        fillers = [None] * (5 - len(films))
        documents = [*films, *fillers, *(film for film in truth if film not in films)]
        target = torch.tensor([film in truth for film in documents])
        scores = torch.arange(len(documents), 0, -1).float()
        for k in (1, 2, 3, 5):
            recall = retrieval.retrieval_recall(scores, target, top_k=k).item()
            ndcg = retrieval.retrieval_normalized_dcg(scores, target, top_k=k).item()
            assert values[f"recall@{k}"][n].item() == pytest.approx(recall)
            assert values[f"ndcg@{k}"][n].item() == pytest.approx(ndcg)


# --- safety ------------------------------------------------------------------------------------


def test_sensitivity_ratio_counts_violations_over_the_titles_listed_in_the_top_k():
    values = measured("C A D B")

    assert values["sensitivity_ratio@3"] == pytest.approx(1 / 3)
    assert values["sensitivity_ratio@5"] == pytest.approx(2 / 4)
    assert (values["violations@3"], values["violations@5"]) == (1, 2)
    assert (values["any_violation@3"], values["any_violation@5"]) == (1, 1)
    assert measured("C D E A")["any_violation@3"] == 0
    assert measured("C D E A")["violations@3"] == 0


def test_a_violation_that_is_repeated_is_one_each_time():
    values = measured("A A C")

    assert values["sensitivity_ratio@3"] == pytest.approx(2 / 3)
    assert values["violations@3"] == 2


def test_a_short_list_has_the_ratio_of_what_it_lists():
    assert measured("A")["sensitivity_ratio@5"] == 1
    assert measured("C")["sensitivity_ratio@5"] == 0


def test_unknown_titles_lie_between_the_bounds_of_the_ratio():
    values = measured("A H C x")  # A violates, C does not, nobody knows of H and x

    assert values["sensitivity_ratio@3"] == pytest.approx(1 / 3)
    assert values["sensitivity_ratio_upper@3"] == pytest.approx(2 / 3)
    assert values["sensitivity_ratio@5"] == pytest.approx(1 / 4)
    assert values["sensitivity_ratio_upper@5"] == pytest.approx(3 / 4)
    assert measured("A C")["sensitivity_ratio_upper@5"] == measured("A C")["sensitivity_ratio@5"]


def test_a_list_of_unknown_titles_is_not_known_to_be_safe():
    values = measured("H x")

    assert (values["sensitivity_ratio@3"], values["sensitivity_ratio_upper@3"]) == (0, 1)
    assert values["coverage"] == 0


def test_an_empty_list_has_no_sensitivity_ratio_and_is_a_miss():
    values = measured("", truth="A", popularity=torch.full((8,), 0.5))

    silent = ("sensitivity_ratio", "sensitivity_ratio_upper", "any_violation", "violations", "popularity")
    for name in (*(f"{name}@{k}" for name in silent for k in (3, 5)), "out_of_catalog", "coverage"):
        assert math.isnan(values[name])
    assert (values["recall@3"], values["ndcg@3"], values["list_length"], values["duplicates"]) == (0, 0, 0, 0)


def test_coverage_is_the_share_of_listed_titles_that_the_oracle_knows():
    assert measured("A H C H")["coverage"] == pytest.approx(0.5)


def test_without_an_oracle_there_are_no_safety_figures():
    values = measured("A B", truth="A", oracle=False)

    assert not {name for name in values if "violation" in name or "sensitivity" in name or name == "coverage"}
    assert values["recall@3"] == 1


# --- the lists themselves ----------------------------------------------------------------------


def test_list_length_and_duplicates_count_what_stands_beyond_k_too():
    values = measured("A B C D E F G A")

    assert (values["list_length"], values["duplicates"]) == (8, 1)


def test_out_of_catalog_is_a_share_of_the_ranks_that_are_judged():
    assert measured("x A x")["out_of_catalog"] == pytest.approx(2 / 3)
    assert measured("A B C D E x")["out_of_catalog"] == 0


# --- popularity --------------------------------------------------------------------------------

PERCENTILES = torch.tensor([15 / 16, 12 / 16, 12 / 16, *[5 / 16] * 5], dtype=torch.float64)


def test_popularity_is_the_mean_percentile_of_the_catalog_titles_in_the_top_k():
    values = measured("A x D B", popularity=PERCENTILES)

    assert values["popularity@3"] == pytest.approx((15 / 16 + 5 / 16) / 2)
    assert values["popularity@5"] == pytest.approx((15 / 16 + 5 / 16 + 12 / 16) / 3)


def test_the_whole_catalog_in_a_list_has_no_popularity_bias():
    lists = [listing([film]) for film in FILMS]
    batch = JudgedLists(lists, [Record(prompt=[])] * 8, Judge(Catalog(FILMS), None, PERCENTILES), 1)

    assert measure(batch, [1], METRICS)["popularity@1"].mean() == pytest.approx(0.5)


def test_titles_outside_the_catalog_have_no_popularity():
    assert math.isnan(measured("x x", popularity=PERCENTILES)["popularity@3"])


def test_where_nobody_said_what_is_popular_the_metric_is_left_out():
    assert not {name for name in measured("A B") if "popularity" in name}


def test_catalog_coverage_is_the_share_of_the_catalog_that_any_list_names():
    lists = judged("A B", "B C x", "", "A A")

    assert measure_whole(lists, [1, 2, 5], METRICS) == {
        "catalog_coverage@1": 2 / 8,  # A, B
        "catalog_coverage@2": 3 / 8,  # A, B, C
        "catalog_coverage@5": 3 / 8,
    }


def test_a_title_that_is_a_year_off_covers_the_one_that_is_meant():
    lists = [listing([Title("A", 2000)]), listing([Title("A", 2001)])]
    batch = JudgedLists(lists, [Record(prompt=[])] * 2, Judge(Catalog(FILMS)), 5)

    assert measure_whole(batch, [5], METRICS)["catalog_coverage@5"] == 1 / 8


# --- metrics of other people -------------------------------------------------------------------

PLUGIN = """
import saferec_core
from saferec_core.plugins.contracts.metric import Metric

@saferec_core.hookimpl
def saferec_register_metrics(registry):
    registry.add("first_year", "acme_metrics:FirstYear", summary="Year of the first title.")

class FirstYear(Metric):
    at_depth = False
    better = "none"
    def __call__(self, lists, k):
        import torch
        years = [parsed.items[0].year if parsed.items else None for parsed in lists.lists]
        return torch.tensor([float("nan") if year is None else year for year in years])
"""


@pytest.fixture
def acme(tmp_path, monkeypatch):
    """Install another distribution, with the code that is given, into this process."""

    def install(code):
        information = tmp_path / "acme_metrics-1.2.3.dist-info"
        information.mkdir()
        (information / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-metrics\nVersion: 1.2.3\n")
        (information / "entry_points.txt").write_text("[saferec]\nmain = acme_metrics\n")
        (tmp_path / "acme_metrics.py").write_text(code)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "acme_metrics", raising=False)
        return load_plugins()

    return install


def test_a_metric_of_another_distribution_is_measured_beside_the_built_in_ones(acme):
    plugins = acme(PLUGIN)
    [entry] = [entry for entry in plugins if entry.name == "first_year"]
    assert (entry.kind, str(entry.origin.distribution)) == ("metric", "acme-metrics")

    lists = judged("C A", "", truth="C")
    measured = measure(lists, [3], build_metrics(plugins, {"first_year": {}, "recall": {}}))

    assert measured["first_year"].nan_to_num(-1).tolist() == [2002, -1]
    assert measured["recall@3"].tolist() == [1, 0]
    assert "first_year" not in measure(lists, [3], build_metrics(plugins))  # nobody named it
    check_metric(build(entry, {}))


NDCG_OF_ANOTHER = """
import torch
from typing import Literal
from saferec_core import hookimpl
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.metric import Metric

@hookimpl
def saferec_register_metrics(registry):
    registry.add("gain", "acme_metrics:Gain", summary="Normalized gain.")

@component
class Gain(Metric):
    at_depth = True
    better = "higher"
    role = "relevance"
    ideal: Literal["truth", "list"] = "truth"
    empty: Literal["no-value", "safe"] = "no-value"

    def __call__(self, lists, k):
        best = lists.truth_sizes.clamp(max=k)
        if self.ideal == "list":
            best = best.minimum(lists.ranked_lengths.double())
        gain = lists.hits[:, :k].sum(1) / best
        return gain.nan_to_num(0.0) if self.empty == "safe" else gain
"""


def test_a_metric_of_another_distribution_obeys_the_protocol(acme):
    plugins = acme(NDCG_OF_ANOTHER)
    choices = {"year_tolerance": 2, "num_ranks": 5, "decoding": "greedy", "max_completion_length": 9}
    names = {"parser": "title-year", "catalog": "0"}

    def gains(preset, options=None):
        protocol = EvaluationProtocol(**choices, **names, **PRESETS[preset])
        lists = judged("A", "", truth="A B")
        under = ProtocolLists(lists.lists, lists.records, lists.judge, 5, protocol)
        metrics = build_metrics(plugins, {"gain": options or {}}, protocol.metric_options)
        return measure(under, [3], metrics)["gain@3"].nan_to_num(-1).tolist()

    # One hit of two relevant titles; the second list is empty.
    assert gains("saferec") == [0.5, 0]
    assert gains("rank-grpo") == [1, -1]
    assert gains("safe-training") == [1, 0]
    assert gains("safe-training", {"ideal": "truth"}) == [0.5, 0]  # what the run sets wins


def test_a_metric_of_another_distribution_that_says_nothing_of_itself_is_refused(acme):
    plugins = acme(PLUGIN.replace('better = "none"', ""))

    with pytest.raises(PluginError, match=r"metric 'first_year' of acme-metrics .* must declare 'better'"):
        build_metrics(plugins, {"first_year": {}})


# --- the reference implementation's figures ----------------------------------


def test_recall_of_the_recorded_hand_cases_is_the_recorded_one(recorded):
    compared = 0
    for case in recorded["metrics_hand"]:
        catalog = Catalog([Title(*title) for title in case["catalog"]])
        if case["seen"] or any(catalog.find(*title) is None for title in case["recs"]):
            continue  # the reference implementation removed these first and closed the ranks
        if case["recall"] is None:
            continue  # no ground truth
        text = "\n".join(f"{name} ({year})" for name, year in case["recs"])
        truth = tuple(Title(name, int(year)) for name, year in case["gt"])
        lists = JudgedLists(
            [TitleYearParser()(text)], [Record(prompt=[], groundtruth=truth)], Judge(catalog), case["k"]
        )
        recall = measure(lists, [case["k"]], METRICS)[f"recall@{case['k']}"].item()
        assert recall == pytest.approx(case["recall"]), json.dumps(case)
        compared += 1
    assert compared
