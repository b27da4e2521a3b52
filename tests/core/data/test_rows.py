"""Files of every kind as rows with numbers."""

import gzip
import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from saferec_core.data.rows import numbered_rows, read_rows, try_rows, whole_year
from saferec_core.errors import DataError

ROWS = [{"title": "Amélie", "year": "2001"}, {"title": "It, again", "year": "2017"}]


def write(path, kind):
    if kind in {"jsonl", "json"}:
        text = "".join(json.dumps(row) + "\n" for row in ROWS)
    else:
        separator = {"csv": ",", "tsv": "\t"}[kind]
        text = separator.join(ROWS[0]) + "\n"
        text += "".join(separator.join(f'"{value}"' for value in row.values()) + "\n" for row in ROWS)
    content = text.encode("utf-8")
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "tsv"])
def test_text_files_are_read_gzipped_or_not(tmp_path, kind, suffix):
    assert list(read_rows(write(tmp_path / f"rows.{kind}{suffix}", kind))) == ROWS


def test_parquet_and_datasets_folders_are_read(tmp_path):
    datasets = pytest.importorskip("datasets")
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "rows.parquet")
    datasets.Dataset.from_list(ROWS).save_to_disk(str(tmp_path / "folder"))

    assert list(read_rows(tmp_path / "rows.parquet")) == ROWS
    assert list(read_rows(tmp_path / "folder")) == ROWS


def test_decimals_of_a_table_are_floats(tmp_path):
    rows = [{"title": "Saw", "price": Decimal("4.50")}, {"title": "Up", "price": None}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")

    assert [row["price"] for row in read_rows(tmp_path / "rows.parquet")] == [4.5, None]


def test_a_malformed_row_is_given_with_its_line_and_the_next_is_read(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(b'title,year\nSaw,2004\nUp\n"two\nlines",2009\n\xff,2001\nIt,2017,more\nHer,2013\n')

    entries = list(try_rows(path))

    assert entries[0] == (2, {"title": "Saw", "year": "2004"})
    assert (entries[1][0], str(entries[1][1])) == (3, "expected 2 fields, as the head has, but got 1")
    assert entries[2] == (5, {"title": "two\nlines", "year": "2009"})
    assert entries[3][0] == 6
    assert str(entries[3][1]).startswith(
        "not UTF-8 text: byte 0xFF at position 1, which is 'ÿ' in Windows-1252"
    )
    assert (entries[4][0], str(entries[4][1])) == (
        7,
        "expected 2 fields, as the head has, but got 3; a field that holds ',' must be quoted",
    )
    assert entries[5] == (8, {"title": "Her", "year": "2013"})


def test_whoever_cannot_do_without_a_row_is_told_file_and_line(tmp_path):
    (tmp_path / "rows.jsonl").write_text('\ufeff{"a": 1}\n\n{"a": \n', encoding="utf-8")

    rows = numbered_rows(tmp_path / "rows.jsonl")
    assert next(rows) == (1, {"a": 1})
    with pytest.raises(DataError, match=r"rows\.jsonl, line 3: not a JSON object: Expecting value"):
        next(rows)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("no.jsonl", None, "does not exist"),
        ("cut.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 10_000)[:60], "cannot be read to its end"),
        ("broken.parquet", b"PAR1 no more PAR1", "cannot be read as a dataset"),
        ("deep.jsonl", b"[" * 100_000 + b"\n", "not a JSON object"),
    ],
    ids=["missing", "cut", "broken", "deep"],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)

    with pytest.raises(DataError, match=message) as error:
        list(read_rows(tmp_path / name))
    assert name in str(error.value)


@pytest.mark.parametrize("rows_behind", [3, 500])
def test_a_stray_quote_costs_its_own_line_only(tmp_path, rows_behind):
    rows = [["Saw", "2004"], ['"oops', "2004"], *([f"Film {n}", "1999"] for n in range(rows_behind))]
    lines = [",".join(row) + "\n" for row in [["title", "year"], *rows]]
    (tmp_path / "rows.csv").write_text("".join(lines))

    entries = list(try_rows(tmp_path / "rows.csv"))

    assert [number for number, _ in entries] == list(range(2, len(lines) + 1))
    assert "a quote is not closed" in str(entries[1][1])
    assert [row["title"] for _, row in entries[:1] + entries[2:]] == [row[0] for row in rows[:1] + rows[2:]]


@pytest.mark.parametrize("last", ["Up", 'Up"', 'Up" and away'], ids=["open", "closed", "closed within"])
def test_quotes_in_a_table_without_quoting_join_no_rows(tmp_path, last):
    rows = [["t1", '"Heat', "1995"], ["t2", "Saw", "2004"], ["t3", last, "2009"], ["t4", "Coco", "2017"]]
    lines = ["\t".join(row) + "\n" for row in [["id", "title", "year"], *rows]]
    (tmp_path / "title.basics.tsv").write_text("".join(lines))

    entries = list(try_rows(tmp_path / "title.basics.tsv"))

    assert [number for number, _ in entries] == [2, 3, 4, 5]
    assert [list(row.values()) for _, row in entries] == rows


def test_a_stray_quote_that_another_row_closes_costs_its_own_line_only(tmp_path):
    (tmp_path / "rows.csv").write_text('id,title\n1,"Heat\n2,Saw\n3,Up" and away\n4,Coco\n')

    entries = list(try_rows(tmp_path / "rows.csv"))

    assert "closed in line 4 only" in str(entries[0][1])
    assert [row for _, row in entries[1:]] == [
        {"id": "2", "title": "Saw"},
        {"id": "3", "title": 'Up" and away'},
        {"id": "4", "title": "Coco"},
    ]


def test_a_field_of_several_lines_with_separators_of_its_own_stays_one(tmp_path):
    (tmp_path / "rows.csv").write_text('id,plot\n1,"A heist,\nan escape,\na chase"\n2,"One, two"\n')

    assert [row["plot"] for row in read_rows(tmp_path / "rows.csv")] == [
        "A heist,\nan escape,\na chase",
        "One, two",
    ]


def test_a_field_of_fifty_lines_is_read_and_a_head_with_a_stray_quote_refused(tmp_path):
    text = "\n" * 49
    (tmp_path / "rows.csv").write_text(f'title,plot\nSaw,"{text}"\nUp,Sad\n')
    (tmp_path / "head.csv").write_text('"title,plot\nSaw,Gory\n')

    assert list(try_rows(tmp_path / "rows.csv")) == [
        (51, {"title": "Saw", "plot": text}),
        (52, {"title": "Up", "plot": "Sad"}),
    ]
    with pytest.raises(DataError, match=r"head\.csv, line 1, the head: a quote is not closed before"):
        list(try_rows(tmp_path / "head.csv"))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_a_number_that_is_not_finite_costs_its_own_row(tmp_path, number):
    (tmp_path / "rows.jsonl").write_text(f'{{"a": 1}}\n{{"a": [{number}]}}\n{{"a": 1.5}}\n')

    entries = list(try_rows(tmp_path / "rows.jsonl"))

    assert [entries[0], entries[2]] == [(1, {"a": 1}), (3, {"a": 1.5})]
    assert str(entries[1][1]).startswith("a number that is not finite: ")


def test_a_year_of_more_than_four_digits_is_refused():
    assert [whole_year(year, "it") for year in (1999, "2004.0", -9999, 9999)] == [1999, 2004, -9999, 9999]
    for year in (10_000, -10_000, 10**20, "1e30"):
        with pytest.raises(DataError, match="it must have at most four digits"):
            whole_year(year, "it")
    for year in ("inf", "nan", None, True, [2004], 10**5000):
        with pytest.raises(DataError, match="it must be a whole number"):
            whole_year(year, "it")
