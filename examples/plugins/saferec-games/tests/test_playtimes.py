"""The importer of play times: what it is for, and the contract of transforms."""

import pytest
from saferec_core.plugins.contracts.transform import Rejected, Removed
from saferec_core.testing import TransformContract

from saferec_games.playtimes import FromPlaytimes


def row(user, game, hours, year=2011):
    return {"user": user, "game": game, "year": year, "hours": hours}


ROWS = tuple(
    row(user, game, hours)
    for user in ("ann", "bob")
    for game, hours in (("Portal 2", 12), ("Terraria", 40), ("Bastion", 0.5), ("Skyrim", 90), ("Trine 2", 3))
)


class TestContract(TransformContract):
    """Every property of the contract, each as a test of its own."""

    rows = ROWS

    def make(self):
        return FromPlaytimes()


def test_the_last_liked_games_are_the_ground_truth_and_the_others_were_seen():
    sample, _ = FromPlaytimes(holdout=2)(ROWS)

    assert sample["groundtruth_with_release_year"] == [["Skyrim", 2011], ["Trine 2", 2011]]
    assert sample["seen_titles"] == [["Portal 2", 2011], ["Terraria", 2011], ["Bastion", 2011]]
    assert sample["prompt"][0]["content"] == (
        "I enjoyed Portal 2 (2011), Terraria (2011). Which video games should I play next?"
    )


def test_a_player_with_too_few_liked_games_is_removed():
    (outcome,) = FromPlaytimes()([row("ann", "Portal 2", 9), row("ann", "Terraria", 0)])

    assert isinstance(outcome, Removed)
    assert (outcome.reason, outcome.evidence) == ("too few liked games", {"liked": 1, "wanted": 3})


@pytest.mark.parametrize("broken", [row("ann", "", 1), row("ann", "Portal 2", "long"), row("ann", "Ico", -1)])
def test_a_row_that_cannot_be_understood_is_rejected(broken):
    (outcome,) = FromPlaytimes()([broken])

    assert isinstance(outcome, Rejected)
    assert outcome.row is broken
