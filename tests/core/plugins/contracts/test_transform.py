"""Transforms in a run that reads its records anyway, and what they draw."""

import json
from functools import partial

import pytest

from saferec_core.data.record_files import read_records
from saferec_core.errors import DataError, PluginError
from saferec_core.plugins.contracts.transform import (
    Counted,
    Rejected,
    Removed,
    RowCounts,
    Surveying,
    Transform,
    rng_of,
    transformed,
)


class Outcomes(Transform):
    def __init__(self, outcome):
        self.outcome = outcome

    def __call__(self, rows):
        for row in rows:
            yield self.outcome(row)


class LongestFirst(Surveying):
    """Adds the longest prompt of all to every row."""

    def survey(self, rows):
        longest = max((row["prompt"] for row in rows), key=len)
        return Outcomes(lambda row: {**row, "prompt": f"{longest} / {row['prompt']}"})

    def __call__(self, rows):
        raise AssertionError("the surveyed transform is to be called")


@pytest.fixture
def records(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in ("a", "bcd", "e")))

    def read(*transforms):
        stages = [partial(transformed, transform) for transform in transforms]
        return [record.prompt[0]["content"] for record in read_records(path, needs={}, stages=stages)]

    return read


def test_only_rows_reach_a_run(records):
    assert records(Outcomes(lambda row: row if row["prompt"] != "a" else Removed(row, "short"))) == [
        "bcd",
        "e",
    ]
    assert records(Outcomes(lambda row: row if row["prompt"] != "e" else Counted("e"))) == ["a", "bcd"]


def test_a_transform_that_surveys_reads_the_rows_twice(records):
    assert records(LongestFirst()) == ["bcd / a", "bcd / bcd", "bcd / e"]
    first_two = Outcomes(lambda row: row if row["prompt"] != "bcd" else Removed(row, "long"))
    assert records(first_two, LongestFirst(), LongestFirst()) == ["a / a / a / a", "a / a / a / e"]


@pytest.mark.parametrize(
    ("outcome", "error", "message"),
    [
        (lambda row: Rejected(row, "no good"), DataError, "transform 'Outcomes' rejects a record: no good"),
        (lambda _: 7, PluginError, "transform 'Outcomes' must yield dictionaries, but yielded 7"),
        (lambda row: row["x"], PluginError, "transform 'Outcomes' failed: KeyError: 'x'"),
    ],
)
def test_a_run_is_stopped_by_what_a_transform_cannot_use(records, outcome, error, message):
    with pytest.raises(error, match=message):
        records(Outcomes(outcome))


def test_what_is_drawn_depends_on_the_row_the_seed_and_the_purpose_alone():
    def draw(row, seed=0, purpose="p"):
        return rng_of(row, seed, purpose).random()

    row = {"id": "a", "prompt": "b"}
    assert draw(row) == draw({"id": "a", "prompt": "c"})
    assert len({draw(row), draw({"id": "b"}), draw(row, seed=1), draw(row, purpose="q")}) == 4
    assert draw({"prompt": "x", "n": 1}) == draw({"prompt": "x", "n": 2}) != draw({"prompt": "y"})


class Keeping(Transform):
    """Yields what a test says for each row."""

    def __init__(self, outcomes):
        self.outcomes = outcomes

    def __call__(self, rows):
        for row in rows:
            yield from self.outcomes(row)


def test_within_a_run_rows_are_counted_with_the_reasons_for_which_they_are_lost():
    def outcomes(row):
        kind = row["n"] % 3
        return [row] if kind == 0 else [Removed(row, "too short")] if kind == 1 else []

    counts = RowCounts()
    rows = list(transformed(Keeping(outcomes), lambda: iter({"n": n} for n in range(9)), counts))

    assert [row["n"] for row in rows] == [0, 3, 6]
    assert str(counts) == "kept 3 of 9 rows (3 removed: too short; 3 vanished without a reason)"


def test_a_transform_that_yields_without_end_is_stopped():
    endless = Keeping(lambda row: iter(lambda: row, None))

    with pytest.raises(
        PluginError, match=r"^transform 'Keeping' has yielded .* rows for 1 that it has read; has it no end"
    ):
        list(transformed(endless, lambda: iter([{}])))
