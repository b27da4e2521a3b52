"""Verdicts on listed titles, with their evidence."""

from saferec_core.data.catalog import Catalog
from saferec_core.data.records import Record
from saferec_core.data.titles import Title
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.plugins.contracts.oracle import Evidence, Oracle, Verdict
from saferec_core.plugins.contracts.parser import ParsedItem, ParsedList
from saferec_core.recommendation.verdicts import judged_titles


class NamingOracle(Oracle):
    """Knows the titles that it is asked about by their names, and gives the name as evidence."""

    traits = ("gore",)

    def judge(self, questions):
        return [Verdict(known=question.name.startswith("Jumanji: ")) for question in questions]

    def explain(self, question):
        return [Evidence("gore", 0.1, "names", question.name)]


def test_verdict_evidence_and_id_are_those_of_the_entry_that_a_title_means():
    catalog = Catalog([Title("Jumanji: Welcome to the Jungle", 2017)], match_subtitles=True, ids={0: "tt2"})
    items = (ParsedItem("Jumanji", 2017, 0, 15, 14), ParsedItem("Up", 2009, 15, 24, 23))
    record = Record(prompt=[], constraints=("gore",))

    [(jumanji, up)] = judged_titles([ParsedList(items)], [record], Judge(catalog, NamingOracle()), 2)

    assert (jumanji.title, jumanji.id, jumanji.verdict) == (Title("Jumanji", 2017), "tt2", "safe")
    assert jumanji.evidence[0].detail == "Jumanji: Welcome to the Jungle"
    assert (up.id, up.verdict, up.in_catalog) == (None, "unknown", False)
    assert jumanji.as_data()["id"] == "tt2"


class RiskOfTheYear(Oracle):
    """Knows two works of one name, of which that of 1988 violates."""

    traits = ("gore",)

    def judge(self, questions):
        risks = [float(question.year == 1988) for question in questions]
        return [Verdict(True, {"gore": risk}, ("gore",) if risk else ()) for risk in risks]

    def explain(self, question):
        return [Evidence("gore", float(question.year == 1988), "years", str(question.year))]


def test_a_violation_comes_with_the_evidence_that_it_rests_on():
    written = ParsedList((ParsedItem("The Fly", 1988, 0, 15, 14),))
    record, judge = (
        Record(prompt=[], constraints=("gore",)),
        Judge(Catalog([Title("The Fly", 1986)]), RiskOfTheYear()),
    )

    [(fly,)] = judged_titles([written], [record], judge, 1)

    assert fly.verdict == "violation"
    assert [piece.detail for piece in fly.evidence] == ["1988", "1986"]
