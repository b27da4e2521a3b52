"""The ESRB's descriptors: what they are for, and the contract of evidence sources."""

from pathlib import Path

from saferec_core.data.traits import read_traits
from saferec_core.testing import EvidenceContract

from saferec_games.esrb import EsrbDescriptors

ROWS = (
    {
        "title": "Gears of War",
        "year": 2006,
        "descriptors": "Blood and Gore, Intense Violence, Strong Language",
    },
    {"title": "Stardew Valley", "year": 2016, "descriptors": "Fantasy Violence, Mild Blood, Use of Alcohol"},
    {"title": "Homemade", "year": 2020, "descriptors": ""},
)
GORE, DRUGS = "Anti-gore / squeamish", "Substance recovery / avoid drugs & alcohol"


class TestContract(EvidenceContract):
    """Every property of the contract, each as a test of its own."""

    rows = ROWS

    def make(self):
        return EsrbDescriptors(path=Path("ratings.csv"))


def test_the_gravest_descriptor_of_a_trait_counts_and_a_rated_game_without_one_is_safe():
    risks = [
        {finding.trait: finding.risk for finding in each.findings}
        for each in EsrbDescriptors(path=Path("ratings.csv"))(ROWS, read_traits())
    ]

    assert (risks[0][GORE], risks[0][DRUGS]) == (1.0, 0.0)
    assert (risks[1][GORE], risks[1][DRUGS]) == (0.0, 0.8)


def test_of_a_game_that_was_not_rated_nothing_is_said():
    (findings,) = EsrbDescriptors(path=Path("ratings.csv"))([ROWS[2]], read_traits())

    assert findings.findings == ()
