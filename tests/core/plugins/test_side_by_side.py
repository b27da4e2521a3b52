"""Several oracles in one run, each for its traits, with the record in the question."""

import math

import pytest

from saferec_core.data.catalog import Catalog
from saferec_core.data.records import Record
from saferec_core.data.titles import Title
from saferec_core.errors import ConfigError, DataError, UnknownNameError
from saferec_core.models.guided.allowed import AllowedTitles
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.oracle import Evidence, Oracle, Question, Verdict
from saferec_core.plugins.contracts.parameters import Parameter, ParameterTraits
from saferec_core.plugins.side_by_side import oracles_in, side_by_side
from saferec_core.testing import StatedOracle
from saferec_core.testing.world import listing

TITLES = [Title("Saw", 2004), Title("Up", 2009), Title("Heat", 1995)]
MINUTES = {"Saw": 103, "Up": 96, "Heat": 170}
MAX_RUNTIME = Parameter("max_runtime", int, example=100)


class Gore(StatedOracle):
    """Knows Saw and Up."""

    def __init__(self):
        super().__init__({"Saw": ["gore"], "Up": []}, traits=["gore"])

    def explain(self, question):
        return [Evidence("gore", 1.0, "warnings", "a saw")] if "gore" in question.constraints else []


class Runtimes(Oracle):
    """Judges every number of minutes."""

    traits = ParameterTraits(MAX_RUNTIME)

    def judge(self, questions):
        return [self.verdict(question) for question in questions]

    def verdict(self, question):
        limits = {each: MAX_RUNTIME.value(each) for each in question.constraints}
        over = {each: float(MINUTES[question.name] > minutes) for each, minutes in limits.items()}
        violated = tuple(each for each, risk in over.items() if risk)
        return Verdict(known=True, risks=over, violated=violated)


class Evening(Oracle):
    """Judges whether there is time for a film, by the record."""

    columns = ("minutes",)
    traits = ("evening",)

    def judge(self, questions):
        return [
            Verdict(
                known=True,
                violated=question.constraints if MINUTES[question.name] > question.record["minutes"] else (),
            )
            for question in questions
        ]


def test_every_constraint_goes_to_the_oracle_that_judges_it():
    both = side_by_side([Gore(), Runtimes()])
    gory, long_and_unknown, fine = both.judge(
        [
            Question("Saw", 2004, ("gore", "max_runtime=120")),
            Question("Heat", 1995, ("gore", "max_runtime=120")),
            Question("Up", 2009, ("gore", "max_runtime=120")),
        ]
    )

    assert (gory.violated, gory.risks) == (("gore",), {"gore": 1.0, "max_runtime=120": 0.0})
    assert long_and_unknown.known  # gore is open, but it is too long for certain
    assert long_and_unknown.violated == ("max_runtime=120",)
    assert fine.known
    assert not fine.violated


def test_a_title_that_one_of_them_does_not_know_and_none_objects_to_is_not_known():
    (verdict,) = side_by_side([Gore(), Runtimes()]).judge(
        [Question("Heat", 1995, ("gore", "max_runtime=999"))]
    )

    assert (verdict.known, verdict.violated) == (False, ())


def test_without_constraints_the_first_oracle_answers():
    both = side_by_side([Gore(), Runtimes()])

    assert [verdict.known for verdict in both.judge([Question(*title, ()) for title in TITLES])] == [
        True,
        True,
        False,
    ]


def test_their_traits_answer_in_for_every_value_and_a_wrong_one_has_its_near_miss():
    traits = side_by_side([Gore(), Runtimes()]).traits

    assert [*traits] == ["gore", "max_runtime=100"]
    assert "max_runtime=97" in traits
    assert "max_runtime=long" not in traits
    with pytest.raises(UnknownNameError, match=r"'max_runtime=10O'.*Did you mean 'max_runtime=100'"):
        side_by_side([Gore(), Runtimes()]).judge([Question("Saw", 2004, ("max_runtime=10O",))])


def test_a_trait_that_two_of_them_judge_is_refused_with_both_names():
    with pytest.raises(ConfigError, match="'Gore' and oracle 'Gore' both judge the trait 'gore'"):
        side_by_side([Gore(), Runtimes(), Gore()])


def test_one_oracle_stays_what_it_is():
    gore = Gore()

    assert side_by_side([gore]) is gore
    assert [*oracles_in(gore)] == [gore]
    assert len(oracles_in(side_by_side([gore, Runtimes()]))) == 2


def test_evidence_comes_from_all_and_is_the_bare_risk_where_nothing_is_explained():
    evidence = side_by_side([Gore(), Runtimes()]).explain(Question("Saw", 2004, ("gore", "max_runtime=90")))

    assert evidence == [
        Evidence("gore", 1.0, "warnings", "a saw"),
        Evidence("max_runtime=90", 1.0, "", ""),
    ]


def lists_of(judge, *records):
    return JudgedLists([listing(TITLES)] * len(records), records, judge, len(TITLES))


def record(*constraints, **columns):
    return Record(prompt=[], constraints=constraints, columns=columns)


def test_lists_are_judged_by_what_each_record_says():
    judge = Judge(Catalog(TITLES), side_by_side([Gore(), Runtimes(), Evening()]))
    lists = lists_of(
        judge,
        record("evening", minutes=100),
        record("evening", minutes=180),
        record("evening", "gore", minutes=180),
        record("max_runtime=100", minutes=0),
    )

    assert lists.violations.tolist() == [
        [True, False, True],
        [False, False, False],
        [True, False, False],
        [True, False, True],
    ]


def test_base_rates_count_the_values_and_columns_of_each_record():
    judge = Judge(Catalog(TITLES), side_by_side([Gore(), Runtimes(), Evening()]))
    rates = lists_of(
        judge,
        record("max_runtime=100", minutes=0),
        record("max_runtime=169", minutes=0),
        record("evening", minutes=100),
        record("evening", minutes=180),
        record("gore", minutes=0),  # Heat is not known
    ).base_rates

    assert [round(3 * rate) if not math.isclose(rate, 0.5) else "half" for rate in rates.tolist()] == [
        2,
        1,
        2,
        0,
        "half",
    ]


def test_guided_lists_hold_what_the_record_allows():
    allowed = AllowedTitles(Judge(Catalog(TITLES), Evening()))

    assert allowed.of(record("evening", minutes=100)).safe.tolist() == [False, True, False]
    assert allowed.of(record("evening", minutes=150)).safe.tolist() == [True, True, False]


def test_a_record_without_the_column_is_refused_by_name():
    judge = Judge(Catalog(TITLES), Evening())

    with pytest.raises(
        DataError, match=r"column 'minutes' is missing; oracle 'Evening' needs it\. Columns: age"
    ):
        _ = lists_of(judge, record("evening", age=3)).violations
