"""The transform that deals samples to train, validation and test."""

from __future__ import annotations

import pickle
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saferec_core.errors import ConfigError, DataError
from saferec_core.plugins.build import build
from saferec_core.plugins.contracts.transform import transformed
from saferec_plugins.transforms.split import Split

NAMES = {"train", "validation", "test"}


def dealt(split, rows):
    """Return the split of every row, in their order."""
    return [row["split"] for row in transformed(split, lambda: iter(rows))]


def of_users(users):
    return [{"id": f"{user}#{number}", "user": user, "x": number} for number, user in enumerate(users)]


def at(*times):
    return [{"id": str(number), "time": time} for number, time in enumerate(times)]


# --- by user and by sample ----------------------------------------------------------------------


def test_a_split_is_added_and_the_rest_of_a_row_is_left_alone():
    (row,) = Split()(of_users(["ann"]))

    assert row.pop("split") in NAMES
    assert row == {"id": "ann#0", "user": "ann", "x": 0}


@given(st.lists(st.text(min_size=1).filter(str.strip), min_size=1), st.integers(0, 5), st.randoms())
def test_no_user_is_in_two_splits_whatever_the_order_and_the_size_of_the_parts(users, seed, random):
    split = Split(seed=seed)
    rows = of_users(users)
    whole = {row["id"]: row["split"] for row in split(rows)}
    shuffled = random.sample(rows, len(rows))
    cut = random.randrange(len(rows) + 1)
    in_parts = [*split(shuffled[:cut]), *Split(seed=seed)(shuffled[cut:])]

    assert {row["id"]: row["split"] for row in in_parts} == whole
    of_user = {}
    for row in rows:
        assert of_user.setdefault(row["user"].strip(), whole[row["id"]]) == whole[row["id"]]


@pytest.mark.parametrize("by", ["user", "sample"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_shares_are_met_as_by_chance(by, seed):
    # Of 10,000, a share of 0.8 is 8,000 with a standard deviation of 40, one of 0.1 is 1,000 with 30.
    counts = Counter(dealt(Split(by=by, seed=seed), of_users([f"u{n}" for n in range(10_000)])))

    assert abs(counts["train"] - 8000) < 4 * 40
    assert abs(counts["validation"] - 1000) < 4 * 30
    assert abs(counts["test"] - 1000) < 4 * 30


def test_by_sample_a_user_may_be_on_several_sides():
    assert set(dealt(Split(by="sample"), [{"id": f"d{n}", "user": "ann"} for n in range(200)])) == NAMES
    assert len(set(dealt(Split(by="user"), of_users(["ann"] * 200)))) == 1


def test_by_sample_all_cuts_of_a_dialogue_are_on_one_side():
    rows = [{"id": f"d{n // 5}#{n % 5}"} for n in range(500)]
    sides = dealt(Split(by="sample"), rows)

    assert all(len(set(sides[start : start + 5])) == 1 for start in range(0, 500, 5))
    assert set(sides) == NAMES


def test_another_seed_deals_anew():
    rows = of_users([f"u{n}" for n in range(500)])

    assert dealt(Split(seed=1), rows) != dealt(Split(seed=2), rows)
    assert dealt(Split(seed=1), rows) == dealt(Split(seed=1), rows)


@pytest.mark.parametrize(
    ("shares", "names"),
    [
        ({"train": 1, "validation": 0, "test": 0}, {"train"}),
        ({"train": 0, "validation": 0, "test": 1}, {"test"}),
        ({"train": 0.7, "validation": 0.3, "test": 0}, {"train", "validation"}),
        ({"train": 0.9, "validation": 0, "test": 0.1}, {"train", "test"}),
    ],
)
def test_a_share_of_nothing_gets_nothing(shares, names):
    assert set(dealt(Split(**shares), of_users([f"u{n}" for n in range(3000)]))) == names
    assert set(dealt(Split(by="time", **shares), at(*range(3000)))) == names


@pytest.mark.parametrize(
    ("by", "row", "message"),
    [
        ("user", {"id": "1"}, "column 'user' is missing; a split by user needs it"),
        ("user", {"id": "1", "user": ""}, "column 'user' is missing"),
        ("user", {"id": "1", "user": ["ann"]}, "user: expected a name or a number"),
        ("sample", {"user": "ann"}, "column 'id' is missing; a split by sample needs it"),
    ],
)
def test_a_row_that_cannot_be_dealt_is_told(by, row, message):
    with pytest.raises(DataError, match=message):
        dealt(Split(by=by), [row])


def test_by_user_no_row_is_read_beforehand():
    split = Split()

    assert split.survey(iter([1 / 0 for _ in ()])) is split
    rows = iter(of_users(["ann"]))
    split.survey(rows)
    assert len(list(rows)) == 1


# --- by time ------------------------------------------------------------------------------------


def test_by_time_the_latest_samples_are_the_test():
    # 10 moments: 8 to train on, one to choose by, one to report on.
    assert dealt(Split(by="time"), at(5, 9, 0, 3, 8, 1, 2, 4, 7, 6)) == [
        "train" if time < 8 else "validation" if time == 8 else "test"
        for time in (5, 9, 0, 3, 8, 1, 2, 4, 7, 6)
    ]


def test_by_time_the_cut_is_at_the_moment_nearest_to_the_share():
    # In front of 10, 20, 30, 40 are 0, 6, 7, 9 of 10 samples: 7 is nearest to 8, and 9 to 9.
    rows = at(*[10] * 6, 20, 30, 30, 40)

    assert dealt(Split(by="time"), rows) == ["train"] * 7 + ["validation"] * 2 + ["test"]


def test_samples_of_one_moment_all_go_to_train():
    assert dealt(Split(by="time"), at(*[7] * 10)) == ["train"] * 10


@given(st.lists(st.integers(-50, 50), min_size=1), st.randoms())
def test_by_time_a_moment_is_on_one_side_and_sides_follow_one_another(times, random):
    rows = at(*times)
    shuffled = random.sample(rows, len(rows))
    whole = dict(zip(times, dealt(Split(by="time"), rows), strict=True))

    assert {
        row["time"]: name for row, name in zip(shuffled, dealt(Split(by="time"), shuffled), strict=True)
    } == whole
    assert [whole[time] for time in times] == dealt(Split(by="time"), rows)
    order = [("train", "validation", "test").index(whole[time]) for time in sorted(whole)]
    assert order == sorted(order)


@given(st.lists(st.integers(), min_size=10, unique=True))
def test_by_time_the_shares_are_met_to_half_a_sample_where_all_moments_differ(times):
    times = [time % 2**40 for time in times]
    counts = Counter(dealt(Split(by="time"), at(*sorted(set(times)))))
    total = len(set(times))

    assert abs(counts["train"] - 0.8 * total) <= 0.5 + 1e-9
    assert abs(counts["train"] + counts["validation"] - 0.9 * total) <= 0.5 + 1e-9


@pytest.mark.parametrize("time", [None, "1577836800", 1.5, True, 2**70])
def test_by_time_a_row_without_a_time_is_told_and_does_not_move_the_cuts(time):
    rows = at(*range(10))
    surveyed = Split(by="time").survey([*rows, {"id": "x", "time": time}, {"id": "y"}])

    assert [row["split"] for row in surveyed(rows)] == dealt(Split(by="time"), rows)
    with pytest.raises(DataError, match="time: expected whole seconds since 1970 to split by, but got"):
        list(surveyed([{"id": "x", "time": time}]))


def test_what_was_surveyed_can_be_sent_to_other_processes():
    surveyed = Split(by="time").survey(at(*range(10)))
    rows = at(*range(10))

    sent = pickle.loads(pickle.dumps(surveyed))  # noqa: S301
    assert list(sent(rows)) == list(surveyed(rows))


def test_by_time_nothing_is_dealt_without_a_survey():
    with pytest.raises(ConfigError, match="must survey all rows first"):
        list(Split(by="time")(at(1)))
    assert list(Split(by="time").survey([])([])) == []


# --- options ------------------------------------------------------------------------------------


def test_shares_that_do_not_sum_to_one_are_refused_when_it_is_built(plugins):
    entry = plugins.find(plugins.transforms, "split")

    with pytest.raises(ConfigError, match=r"must sum to 1, but sum to 1\.1"):
        build(entry, {"train": 0.9})
    with pytest.raises(ConfigError, match=r"split\.train: .*less than or equal to 1"):
        build(entry, {"train": 1.5})
    with pytest.raises(ConfigError, match=r"split\.by: .*'user', 'time' or 'sample'"):
        build(entry, {"by": "moon"})
    assert build(entry, {"train": 0.7, "validation": 0.2, "test": 0.1}).by == "user"
