"""The contract of oracles: the built-in one holds it, and each property alone finds who breaks it."""

import json
from dataclasses import replace

import pytest

from saferec_core import load_plugins
from saferec_core.plugins.build import build
from saferec_core.plugins.contracts.oracle import Evidence, Verdict
from saferec_core.testing import TITLES, OracleContract, StatedOracle, check_oracle
from saferec_core.testing.contract import failures_of
from tests.core.testing.kinds import only, own_properties

TRAITS = ("gore", "language")


def test_the_table_oracle_holds_its_contract(tmp_path):
    table = tmp_path / "table.jsonl"
    rows = [
        {"title": t.name, "year": t.year, "risk": {"gore": 0.7 * (t.year % 2), "language": 0.5}}
        for t in TITLES[::3]  # three years apart, so that no other film is nearer than two
    ]
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))

    check_oracle(
        build(load_plugins().oracles.get("table"), {"path": table, "year_tolerance": 1}), TITLES[::3]
    )


class Sound(StatedOracle):
    """Knows the first five films and "The Film A"; those of odd years are gory."""

    def __init__(self):
        stated = {title.name: ["gore"] if title.year % 2 else [] for title in TITLES[:5]}
        super().__init__(stated, traits=TRAITS)


class Changing(Sound):
    """Changes each verdict of a sound oracle."""

    def judge(self, questions):
        verdicts = super().judge(questions)
        return [self.changed(*pair) for pair in zip(questions, verdicts, strict=True)]


class Raises(Sound):
    def judge(self, questions):
        raise LookupError("no such film")


class NamesNothing(Sound):
    traits = ()


class ReadsAnUndeclaredColumn(Sound):
    def judge(self, questions):
        assert {question.record.get("age") for question in questions} <= {None}
        return super().judge(questions)


class AnswersHalf(Sound):
    def judge(self, questions):
        return super().judge(questions)[: len(questions) // 2]


class AnswersInWords(Sound):
    def judge(self, questions):
        return ["safe" for _ in questions]


class AlmostKnows(Changing):
    def changed(self, question, verdict):
        return replace(verdict, known="probably") if verdict.known else verdict


class RisksOfTen(Changing):
    def changed(self, question, verdict):
        return replace(verdict, risks=dict.fromkeys(verdict.risks, 7.5))


class RisksWithoutNumber(Changing):
    def changed(self, question, verdict):
        return replace(verdict, risks=dict.fromkeys(verdict.risks, "high"))


class SaysMore(Changing):
    def changed(self, question, verdict):
        return replace(verdict, open=TRAITS)


class BlamesTheUnknown(Changing):
    def changed(self, question, verdict):
        return verdict if verdict.known else replace(verdict, violated=question.constraints)


class ByPlace(Sound):
    """Marks a verdict by its place among several questions, the first one aside."""

    def judge(self, questions):
        verdicts = super().judge(questions)
        if len(set(questions)) < 3:
            return verdicts
        return [replace(verdicts[0], ambiguous=not verdicts[0].ambiguous), *verdicts[1:]]


class ByNumber(Sound):
    """Doubts everything that it is asked alone."""

    def judge(self, questions):
        verdicts = super().judge(questions)
        return [replace(verdict, ambiguous=len(questions) == 1) for verdict in verdicts]


class Forgiving(Changing):
    """Forgives gore where language counts too."""

    def changed(self, question, verdict):
        return replace(verdict, violated=()) if len(question.constraints) > 1 else verdict


class ByCase(Changing):
    def changed(self, question, verdict):
        return Verdict(known=False) if question.name.isupper() else verdict


class ByPunctuation(Changing):
    def changed(self, question, verdict):
        return Verdict(known=False) if "-" in question.name else verdict


class ByArticle(Changing):
    def changed(self, question, verdict):
        return Verdict(known=False) if question.name.endswith(", The") else verdict


class ByYear(Changing):
    year_tolerance = 1

    def changed(self, question, verdict):
        there = any(title.year == question.year and title.name == question.name for title in TITLES)
        return verdict if there or question.name not in {t.name for t in TITLES} else Verdict(known=False)


class TripsOverNoYear(Changing):
    def changed(self, question, verdict):
        int(question.year)
        return verdict


class Explains(Sound):
    def __init__(self, *risks, trait="gore"):
        super().__init__()
        self._evidence = [Evidence(trait, risk, "a list", "seen") for risk in risks]

    def explain(self, question):
        return self._evidence


BROKEN = {
    "test_it_answers": (Raises(),),
    "test_it_declares_the_columns_that_it_reads": (ReadsAnUndeclaredColumn(),),
    "test_each_question_gets_a_verdict": (AnswersHalf(), AnswersInWords(), AlmostKnows()),
    "test_risks_are_in_0_to_1": (RisksOfTen(), RisksWithoutNumber()),
    "test_it_speaks_of_asked_traits_only": (SaysMore(),),
    "test_what_it_does_not_know_is_not_violated": (BlamesTheUnknown(),),
    "test_the_order_of_the_questions_does_not_matter": (),
    "test_the_number_of_questions_does_not_matter": (ByNumber(),),
    "test_a_further_trait_never_makes_a_title_safer": (Forgiving(),),
    "test_case_does_not_matter": (ByCase(),),
    "test_punctuation_does_not_matter": (ByPunctuation(),),
    "test_an_article_does_not_matter": (ByArticle(),),
    "test_a_year_within_the_tolerance_does_not_matter": (ByYear(),),
    "test_it_takes_hostile_titles": (TripsOverNoYear(),),
    "test_its_evidence_is_about_asked_traits_the_highest_risk_first": (
        Explains(0.1, 0.9),
        Explains(7.5),
        Explains(0.5, trait="spiders"),
    ),
}
CASES = [
    pytest.param(name, broken, id=f"{type(broken).__name__}-{number}")
    for name, all_ in BROKEN.items()
    for number, broken in enumerate(all_)
]


def test_a_sound_oracle_holds_every_property():
    assert failures_of(OracleContract, Sound()) == {}
    assert failures_of(OracleContract, Explains(0.9, 0.1)) == {}


@pytest.mark.parametrize(("name", "broken"), CASES)
def test_each_property_alone_finds_who_breaks_it(name, broken):
    assert only(OracleContract, broken) == name


def test_an_oracle_whose_verdicts_depend_on_the_order_is_found():
    assert "test_the_order_of_the_questions_does_not_matter" in failures_of(OracleContract, ByPlace())


def test_an_oracle_that_names_no_trait_is_found():
    failures = failures_of(OracleContract, NamesNothing())

    assert failures["test_it_names_its_traits"] == "traits names nothing that it can judge"


def test_every_property_has_an_oracle_that_breaks_it():
    assert set(own_properties(OracleContract)) - BROKEN.keys() == {"test_it_names_its_traits"}


class KnowsWhoIsOfAge(Sound):
    columns = ("age",)

    def judge(self, questions):
        verdicts = super().judge(questions)
        pairs = zip(questions, verdicts, strict=True)
        return [Verdict(known=True) if asked.record["age"] > 17 else verdict for asked, verdict in pairs]


def test_the_record_of_an_oracle_with_columns_is_the_authors_to_give():
    check_oracle(KnowsWhoIsOfAge(), TITLES[:3], record={"age": 12})
    with pytest.raises(AssertionError, match="it needs the column 'age'"):
        check_oracle(KnowsWhoIsOfAge(), TITLES[:3])


def test_constraints_and_tolerance_are_the_authors_to_give():
    check_oracle(Sound(), TITLES[:3], constraints=["gore"], year_tolerance=3)
    assert "test_a_year_within_the_tolerance_does_not_matter" in failures_of(
        OracleContract, ByYear(), year_tolerance=3
    )
