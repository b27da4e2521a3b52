"""Which titles a user may be shown."""

import pytest

from saferec_core.data.catalog import Catalog
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
