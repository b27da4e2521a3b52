"""The contract of evidence sources: built-in ones hold it, and each property alone finds who breaks it."""

from pathlib import Path

import pytest

from saferec_core import load_plugins
from saferec_core.data.titles import Title
from saferec_core.data.traits import read_traits
from saferec_core.errors import DataError
from saferec_core.plugins.build import build
from saferec_core.plugins.contracts.evidence import EvidenceSource, Finding, Findings
from saferec_core.testing import EvidenceContract, check_evidence
from saferec_core.testing.contract import failures_of
from tests.core.testing.kinds import only, own_properties

TRAIT = next(iter(read_traits()))
ROWS = ({"title": "Saw", "year": "2004", "gore": "3"}, {"title": "Paddington", "year": "2014", "gore": "0"})

BUILT_IN = {
    "scores": ({"title": "Saw", "year": "2004", "violence_gore": "9", "sex_nudity": "2", "language": "7"},),
    "keywords": ({"title": "Saw", "year": "2004", "keywords": "gore, torture"},),
}


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_sources_hold_their_contract(name):
    check_evidence(build(load_plugins().evidence.get(name), {"path": Path("rows.csv")}), BUILT_IN[name])


class Sound(EvidenceSource):
    """Reads one column of severities 0..3."""

    def __call__(self, rows, traits):
        for row in rows:
            yield self.findings(row, traits)

    def findings(self, row, traits):
        try:
            title, severity = Title(row["title"], int(row["year"])), int(row["gore"])
        except (LookupError, TypeError, ValueError) as error:
            raise DataError(f"not a severity of a title: {row!r}") from error
        if not 0 <= severity <= 3 or not title.name:
            raise DataError(f"not a severity of a title: {row!r}")
        return Findings(title, (Finding(TRAIT, severity / 3, f"severity {severity}"),))


class Raises(Sound):
    def __call__(self, rows, traits):
        raise RuntimeError


class YieldsPairs(Sound):
    def findings(self, row, traits):
        return super().findings(row, traits).title, 0.5


class FindsNothing(Sound):
    def findings(self, row, traits):
        return super().findings(row, traits)._replace(findings=())


class Tenfold(Sound):
    def findings(self, row, traits):
        title, (finding,), *_ = super().findings(row, traits)
        return Findings(title, (finding._replace(risk=finding.risk * 7.5),))


class OfItsOwnTraits(Sound):
    def findings(self, row, traits):
        title, (finding,), *_ = super().findings(row, traits)
        return Findings(title, (finding, finding._replace(trait="spiders")))


class SaysItTwice(Sound):
    def findings(self, row, traits):
        title, (finding,), *_ = super().findings(row, traits)
        return Findings(title, (finding, finding))


class WithoutDetail(Sound):
    def findings(self, row, traits):
        title, (finding,), *_ = super().findings(row, traits)
        return Findings(title, (finding._replace(detail=" "),))


class TripsOverNoYear(Sound):
    def findings(self, row, traits):
        int(row.get("year") or "none")
        return super().findings(row, traits)


class FindsInNothing(Sound):
    def __call__(self, rows, traits):
        yield from super().__call__(rows, traits)
        yield Findings(Title("Saw", 2004), ())


BROKEN = {
    "test_it_answers": Raises(),
    "test_it_yields_findings": YieldsPairs(),
    "test_it_finds_something": FindsNothing(),
    "test_risks_are_in_0_to_1": Tenfold(),
    "test_it_speaks_of_the_given_traits_only": OfItsOwnTraits(),
    "test_each_trait_is_found_once_for_a_row": SaysItTwice(),
    "test_it_says_what_a_risk_rests_on": WithoutDetail(),
    "test_a_row_that_cannot_be_understood_is_rejected_in_words": TripsOverNoYear(),
    "test_no_rows_give_no_findings": FindsInNothing(),
}


def test_a_sound_source_holds_every_property():
    assert failures_of(EvidenceContract, Sound(), rows=ROWS) == {}


@pytest.mark.parametrize("name", BROKEN)
def test_each_property_alone_finds_who_breaks_it(name):
    assert only(EvidenceContract, BROKEN[name], rows=ROWS) == name


def test_every_property_has_a_source_that_breaks_it():
    assert set(own_properties(EvidenceContract)) == BROKEN.keys() - {"test_it_answers"}


def test_without_rows_an_author_is_asked_for_some():
    failures = failures_of(EvidenceContract, Sound())

    assert "give rows such as the source reads: rows" in failures["test_it_answers"]
