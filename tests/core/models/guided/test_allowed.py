"""Which titles a user may be shown."""

import pytest

from saferec_core.data.catalog import Catalog, read_catalog
from saferec_core.data.records import Record
from saferec_core.data.titles import Title
from saferec_core.models.guided.allowed import AllowedTitles
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.plugins.contracts.oracle import Oracle, Verdict


class KnowsOneName(Oracle):
    """Knows the film by its nickname alone."""

    traits = ("gore",)

    def judge(self, questions):
        return [
            Verdict(known, violated=("gore",) if known else ())
            for known in (question.name == "Se7en" for question in questions)
        ]


@pytest.mark.parametrize("seen", [Title("Se7en", 1995), "Se7en", "Seven"], ids=str)
def test_no_further_name_lets_a_seen_or_violating_title_through(seen):
    catalog = Catalog([Title("Up", 2009), Title("Seven", 1995)], aliases={1: ["Se7en"]})
    titles = AllowedTitles(Judge(catalog, KnowsOneName()))

    assert titles.of(Record(prompt=[], seen_titles=(seen,))).seen == (1,)
    assert titles.of(Record(prompt=[], constraints=("gore",))).safe.tolist() == [True, False]


def test_seen_titles_of_a_mapped_catalog_are_looked_up_one_by_one(catalog_file):
    user = Record(prompt=(), seen_titles=("Film 3", Title("Movie 9", 1959), Title("Film 7", 1999)))

    assert AllowedTitles(Judge(read_catalog(catalog_file))).of(user).seen == (3, 9)


def test_what_a_list_would_be_charged_for_as_seen_is_not_written_either():
    films = [
        Title("Emma", 1996),
        Title("Emma (TV)", 1996),
        Title("Alien: The Director's Cut", 1979),
        Title("Up", 2009),
    ]
    record = Record(prompt=[], seen_titles=(Title("Emma", 1996), "Alien"))

    assert AllowedTitles(Judge(Catalog(films))).of(record).seen == (0, 1, 2)
