"""The contract of metrics, and what they share."""

from dataclasses import dataclass, field

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from saferec_core.analysis.results import MetricFacts
from saferec_core.data.catalog import Catalog
from saferec_core.data.records import Record
from saferec_core.data.titles import Title
from saferec_core.errors import ConfigError, PluginError, UnknownNameError
from saferec_core.evaluation.measure import ActiveMetric, build_metrics, facts_of, measure, measure_whole
from saferec_core.evaluation.popularity import popularity_percentiles
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.metric import Metric
from saferec_core.plugins.contracts.oracle import Oracle, Verdict
from saferec_core.testing import TITLES, judged_lists, listing

LISTS = judged_lists([TITLES[:4], (), TITLES[2:3]], num_ranks=5)
"""Three lists of 4, 0 and 1 titles."""


class Written(Metric):
    """How many of the top k were written, whatever a test makes of it."""

    at_depth = True
    better = "higher"

    def __init__(self, answer=lambda value: value):
        self.answer = answer

    def __call__(self, lists, k):
        return self.answer(lists.listed_counts[:, k - 1])


class Longest(Written):
    """The longest list."""

    at_depth = False
    kind = "whole"

    def __call__(self, lists, k):
        return self.answer(lists.listed_counts[:, k - 1].max())


def written(answer=lambda value: value, **attributes):
    function = Written(answer)
    vars(function).update(attributes)
    return ActiveMetric("written", function, "How many.")


# --- columns -----------------------------------------------------------------------------------


def test_a_metric_with_a_depth_has_a_column_for_every_k():
    measured = measure(LISTS, [1, 3], [written()])

    assert {name: values.tolist() for name, values in measured.items()} == {
        "written@1": [1, 0, 1],
        "written@3": [3, 0, 1],
    }


def test_a_metric_without_a_depth_has_one_column_and_is_asked_about_all_ranks():
    assert measure(LISTS, [1, 3], [written(at_depth=False)])["written"].tolist() == [4, 0, 1]


def test_values_are_kept_exactly():
    [values] = measure(LISTS, [1], [written(lambda value: value / 10)]).values()

    assert values.tolist() == [0.1, 0, 0.1]  # in float32 it would exceed a limit of 0.1


def test_whole_numbers_and_truths_become_floating_point():
    assert measure(LISTS, [1], [written(lambda value: value.long())])["written@1"].dtype == torch.float64
    assert measure(LISTS, [1], [written(lambda value: value > 0)])["written@1"].tolist() == [1, 0, 1]


def test_a_metric_of_all_lists_together_is_one_number():
    metrics = [written(), ActiveMetric("longest", Longest())]

    assert measure_whole(LISTS, [1, 3], metrics) == {"longest": 4}
    assert list(measure(LISTS, [3], metrics)) == ["written@3"]


def test_what_a_metric_needs_and_the_judge_lacks_leaves_it_out():
    bare = JudgedLists(LISTS.lists, LISTS.records, Judge(LISTS.judge.catalog), 5)

    for need in ("needs_oracle", "needs_popularity"):
        assert measure(bare, [1], [written(**{need: True})]) == {}
        assert measure(LISTS, [1], [written(**{need: True})]).keys() == {"written@1"}


def test_no_lists_have_no_values():
    none = JudgedLists([], [], LISTS.judge, 5)

    assert {tuple(values.shape) for values in measure(none, [1, 5]).values()} == {(0,)}


def test_a_column_is_told_with_what_it_means():
    declared = written(kind="share", better="lower", unit="titles", role="list", primary=True)
    metrics = [declared, ActiveMetric("longest_list", Longest())]
    facts = MetricFacts("lower", "share", "How many.", "Written", "titles", "list", primary=True)

    assert facts_of(["written@1", "written@3"], metrics) == {"written@1": facts, "written@3": facts}
    assert facts_of(["longest_list"], metrics)["longest_list"].label == "Longest list"


# --- what is refused ---------------------------------------------------------------------------


def test_every_installed_metric_is_built_unless_some_are_named(plugins):
    every = {metric.name for metric in build_metrics(plugins)}

    assert every == {entry.name for entry in plugins.metrics} >= {"recall", "ndcg", "list_length"}
    assert [metric.name for metric in build_metrics(plugins, {"list-length": {}})] == ["list_length"]


def test_an_unknown_metric_is_named_with_its_near_misses(plugins):
    with pytest.raises(UnknownNameError, match=r"unknown metric 'recal'\. Did you mean 'recall'"):
        build_metrics(plugins, {"recal": {}})


def test_an_option_that_a_metric_does_not_have_is_refused(plugins):
    with pytest.raises(ConfigError, match="metric 'recall' has no option 'k'"):
        build_metrics(plugins, {"recall": {"k": 10}})


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (lambda value: 1 / 0, r"metric 'written' at 3 failed: ZeroDivisionError"),
        (lambda value: value[:2], r"must return \(N,\) = \(3,\), but returned \(2,\)"),
        (lambda value: value.sum(), r"must return \(N,\) = \(3,\), but returned \(\)"),
        (lambda value: value.tolist(), r"must return a tensor \(N,\) = \(3,\), but returned list"),
        (lambda value: 1 / value, r"returned inf for completion 2"),
    ],
)
def test_a_metric_that_breaks_its_contract_is_named(answer, problem):
    with pytest.raises(PluginError, match=problem) as error:
        measure(LISTS, [3], [written(answer)])

    assert "'written' at 3" in str(error.value)


def test_a_share_is_0_or_1():
    assert measure(LISTS, [1], [written(kind="share")])["written@1"].tolist() == [1, 0, 1]
    with pytest.raises(PluginError, match="'written' at 3 is a share"):
        measure(LISTS, [3], [written(kind="share")])


def test_a_metric_of_all_lists_that_answers_for_each_is_named():
    each = ActiveMetric("longest", Longest(lambda value: value.expand(3)))

    with pytest.raises(PluginError, match=r"'longest' must return a single value.* returned \(3,\)"):
        measure_whole(LISTS, [1], [each])


@pytest.mark.parametrize(
    ("attribute", "value"),
    [("kind", "median"), ("better", "more"), ("at_depth", "yes"), ("role", "fun"), ("unit", "kg")],
)
def test_a_class_that_does_not_say_what_it_is_is_refused(attribute, value):
    with pytest.raises(PluginError, match=f"metric 'written' must have the class attribute {attribute} ="):
        written(**{attribute: value})


@pytest.mark.parametrize("name", ["recall@10", "user", "titles"])
def test_a_name_that_cannot_be_a_column_is_refused(name):
    with pytest.raises(PluginError, match=f"cannot be called '{name}'"):
        ActiveMetric(name, Written())


@pytest.mark.parametrize("k", [0, 6])
def test_a_depth_that_was_not_judged_is_refused(k):
    for measuring in (measure, measure_whole):
        with pytest.raises(ConfigError, match=rf"depth {k} .* ranks 1\.\.5"):
            measuring(LISTS, [3, k], [written()])


# --- what metrics share ------------------------------------------------------------------------

FILMS = [Title(name, 2000 + n) for n, name in enumerate("ABCDEFGH")]


@dataclass
class Remembering(Oracle):
    """Takes A and B for violations under "strict", does not know H, and keeps what it was asked."""

    traits = ("strict", "lenient")
    deterministic = False  # or it is asked again to check the order
    asked: list = field(default_factory=list)

    def judge(self, questions):
        self.asked += questions
        violated = [("strict",) if q.name in "AB" and "strict" in q.constraints else () for q in questions]
        return [
            Verdict(known=question.name != "H", violated=traits)
            for question, traits in zip(questions, violated, strict=True)
        ]


ITEMS = st.lists(
    st.sampled_from([*FILMS, Title("A", 2001), Title("A", 2009), Title("The B", 2001), Title("x", 1990)]),
    max_size=7,
)
RECORDS = st.builds(
    Record,
    prompt=st.just([]),
    groundtruth=st.lists(st.sampled_from([*FILMS[:4], Title("A", 2002)]), max_size=4).map(tuple),
    seen_titles=st.lists(st.sampled_from(["A", FILMS[2]]), max_size=1).map(tuple),
    constraints=st.sampled_from([("strict",), ("lenient",), ()]),
)


@settings(max_examples=50)
@given(st.lists(st.tuples(ITEMS, RECORDS), min_size=1, max_size=6))
def test_lists_are_judged_together_as_each_is_by_itself(answers):
    judge = Judge(Catalog(FILMS), Remembering())
    lists = [listing(items) for items, _ in answers]
    together = JudgedLists(lists, [record for _, record in answers], judge, 5)

    for n, (parsed, (items, record)) in enumerate(zip(lists, answers, strict=True)):
        alone = JudgedLists([parsed], [record], Judge(Catalog(FILMS), Remembering()), 5)
        for name in ("hits", "in_catalog", "catalog_indices", "known", "violations", "rank_mask"):
            assert torch.equal(getattr(together, name)[n], getattr(alone, name)[0]), name
        assert together.verdicts[n] == alone.verdicts[0]
        titles = [title for _, title in zip(range(5), items, strict=False)]
        indices = [judge.catalog.find(*title) for title in titles]
        assert [-1 if index is None else index for index in indices] == together.catalog_indices[n].tolist()[
            : len(titles)
        ]


def test_the_oracle_is_asked_once_about_a_title_under_the_same_constraints():
    oracle = Remembering()
    strict, lenient = (Record(prompt=[], constraints=(trait,)) for trait in oracle.traits)
    lists = [listing(FILMS[:2]), listing(FILMS[1:3]), listing(FILMS[:1])]
    judged = JudgedLists(lists, [strict, strict, lenient], Judge(Catalog(FILMS), oracle), 2)

    assert judged.violations.tolist() == [[True, True], [True, False], [False, False]]
    assert sorted(question[:3] for question in oracle.asked) == [
        ("A", 2000, ("lenient",)),
        ("A", 2000, ("strict",)),
        ("B", 2001, ("strict",)),
        ("C", 2002, ("strict",)),
    ]


@pytest.mark.parametrize("deterministic", [True, False])
def test_an_oracle_is_asked_again_only_if_it_may_answer_otherwise(deterministic):
    oracle = Remembering()
    oracle.deterministic = deterministic
    judge = Judge(Catalog(FILMS), oracle)
    strict = Record(prompt=[], constraints=("strict",))

    for films in (FILMS[:2], FILMS[1:3]):
        assert JudgedLists([listing(films)], [strict], judge, 2).known.all()

    asked_of_b = [question for question in oracle.asked if question.name == "B"]
    assert len(asked_of_b) == (1 if deterministic else 2)


def test_more_titles_than_are_remembered_are_judged_all_the_same(monkeypatch):
    monkeypatch.setattr("saferec_core.plugins.contracts.met_titles._REMEMBERED", 2)
    judge = Judge(Catalog(FILMS[:4]), Remembering())

    for films in (FILMS[:4], FILMS[2:6], FILMS[:4]):
        judged = JudgedLists([listing(films)], [Record(prompt=[], constraints=("strict",))], judge, 4)
        assert judged.in_catalog.tolist() == [[film in FILMS[:4] for film in films]]
        assert judged.violations.tolist() == [[film.name in "AB" for film in films]]


def test_counts_are_of_the_first_ranks():
    assert LISTS.listed_counts.tolist() == [[1, 2, 3, 4, 4], [0] * 5, [1] * 5]
    assert LISTS.hit_counts.tolist() == [[1, 2, 3, 3, 3], [0] * 5, [1] * 5]
    assert LISTS.truth_sizes.tolist() == [3, 3, 3]


def test_popularity_places_a_title_among_the_others_by_how_many_records_hold_it():
    truths = ["A B", "A C", "A A"]  # A in three records, B and C in one each, five others in none
    records = [Record(prompt=[], groundtruth=tuple(FILMS["ABC".index(n)] for n in t.split())) for t in truths]

    percentiles = popularity_percentiles(Catalog(FILMS), records)

    assert percentiles is not None
    assert percentiles.tolist() == [15 / 16, 12 / 16, 12 / 16, *[5 / 16] * 5]
    assert percentiles.mean() == 0.5


def test_ground_truth_outside_the_catalog_tells_no_popularity():
    elsewhere = [Record(prompt=[], groundtruth=(Title("x", 1990),)), Record(prompt=[])]

    assert popularity_percentiles(Catalog(FILMS), elsewhere) is None
    assert popularity_percentiles(Catalog(FILMS), []) is None
