"""What is written is what is read, and what cannot be read is named."""

import json
import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from saferec_core.analysis.results import MetricFacts, read_results, results_of
from saferec_core.errors import DataError

FACTS = {"recall@10": MetricFacts("higher", "mean", "Share of the relevant titles.")}
EARLIER_TITLE = pa.struct(
    [
        ("title", pa.string()),
        ("year", pa.int32()),
        ("hit", pa.bool_()),
        ("in_catalog", pa.bool_()),
        ("known", pa.bool_()),
        ("violated", pa.list_(pa.string())),
    ]
)


def row(record, **changes):
    return {
        "record": record,
        "sample": 0,
        "user": f"user {record}",
        "constraints": ["gore"],
        "prompt": [{"role": "user", "content": "A film?"}],
        "groundtruth": [{"title": "Heat", "year": 1995}],
        "completion": "Heat (1995)",
        "titles": [
            {
                "title": "Heat",
                "year": 1995,
                "hit": True,
                "in_catalog": True,
                "repeated": False,
                "seen": True,
                "known": None,
                "violated": ["gore"],
            }
        ],
        "events": [],
        **changes,
    }


def evaluation(*rows, values=None):
    return results_of(
        rows,
        {"recall@10": values or [0.5] * len(rows)},
        protocol={"id": "saferec-1", "decoding": {"kind": "greedy"}},
        policy="policy",
        data_sha256="ab" * 32,
        metrics=FACTS,
    )


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "evaluation" / "after-greedy.parquet"
    evaluation(row(0), row(1), values=[0.5, math.nan]).write(path)
    return path


def altered(path, change):
    """Change what stands in a file's metadata."""
    table = pq.read_table(path)
    facts = json.loads(table.schema.metadata[b"saferec"])
    pq.write_table(table.replace_schema_metadata({b"saferec": json.dumps(change(facts)).encode()}), path)


def test_what_is_written_is_what_is_read(stored):
    results = read_results(stored)

    assert results.table.to_pylist() == [{**row(0), "recall@10": 0.5}, {**row(1), "recall@10": None}]
    assert results.protocol == {"id": "saferec-1", "decoding": {"kind": "greedy"}}
    assert (results.policy, results.data_sha256, results.metrics) == ("policy", "ab" * 32, FACTS)
    assert list(stored.parent.iterdir()) == [stored]


def test_no_value_is_null_in_the_file_and_nan_in_memory(stored):
    assert pq.read_table(stored).column("recall@10").null_count == 1
    assert math.isnan(read_results(stored).values("recall@10")[1])


def test_users_are_numbered_and_a_record_without_one_has_one_of_its_own():
    rows = [
        row(0, user="a"),
        row(1, user=None),
        row(1, user=None, sample=1),
        row(2, user="a"),
        row(3, user=None),
    ]
    a, first, again, also_a, other = evaluation(*rows).users.tolist()

    assert a == also_a
    assert first == again
    assert len({a, first, other}) == 3


def test_an_evaluation_may_be_empty(tmp_path):
    evaluation().write(tmp_path / "empty.parquet")
    results = read_results(tmp_path / "empty.parquet")

    assert len(results) == 0
    assert results.users.tolist() == []


def test_a_file_cut_short_is_damaged(stored):
    stored.write_bytes(stored.read_bytes()[:-200])

    with pytest.raises(DataError, match=r"after-greedy.parquet does not hold a readable evaluation"):
        read_results(stored)


def test_a_file_of_other_content_is_no_evaluation(tmp_path, stored):
    (tmp_path / "note.parquet").write_text("hello")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")

    for name in ("note.parquet", "other.parquet", "missing.parquet"):
        with pytest.raises(DataError, match=f"{name} does not hold a readable evaluation"):
            read_results(tmp_path / name)


def test_another_form_is_named(stored):
    altered(stored, lambda facts: {**facts, "version": 99})

    with pytest.raises(DataError, match="has format version 99; this saferec reads version 1"):
        read_results(stored)


@pytest.mark.parametrize("facts", [[], {"version": 1}, {"version": 1, "metrics": []}])
def test_facts_of_another_shape_are_no_evaluation(stored, facts):
    altered(stored, lambda _: facts)

    with pytest.raises(DataError, match="does not hold a readable evaluation"):
        read_results(stored)


def test_a_missing_column_is_named(stored):
    table = pq.read_table(stored)
    pq.write_table(table.drop_columns(["user"]), stored)

    with pytest.raises(DataError, match="lacks the columns user"):
        read_results(stored)


def test_a_column_of_another_type_is_named(stored):
    table = pq.read_table(stored)
    text = pa.array(["high", "low"])
    column = table.column_names.index("recall@10")
    pq.write_table(table.set_column(column, "recall@10", text), stored)

    with pytest.raises(DataError, match="column 'recall@10' must be of type double, but is of type string"):
        read_results(stored)


def test_titles_that_an_earlier_version_wrote_without_their_marks_are_read(stored):
    table = pq.read_table(stored)
    earlier = [
        [
            {name: value for name, value in title.items() if name not in {"repeated", "seen"}}
            for title in titles
        ]
        for titles in table.column("titles").to_pylist()
    ]
    column = table.column_names.index("titles")
    pq.write_table(table.set_column(column, "titles", pa.array(earlier, pa.list_(EARLIER_TITLE))), stored)

    (first, _) = read_results(stored).table.column("titles").to_pylist()
    assert first == [{**row(0)["titles"][0], "repeated": None, "seen": None}]
