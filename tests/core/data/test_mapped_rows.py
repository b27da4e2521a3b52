"""Many rows, kept in a file instead of as Python objects."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from saferec_core.data import machine_cache, mapped_rows, record_files
from saferec_core.data.mapped_rows import MappedRows, row_texts
from saferec_core.data.record_files import read_records, traits_of
from saferec_core.errors import DataError


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """Map files of more than three rows, in a folder that can be looked into."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setattr(mapped_rows, "IN_MEMORY", 3)
    return folder


@pytest.fixture
def file(tmp_path):
    """Return a file of that many records."""

    def write(number):
        path = tmp_path / f"{number}.jsonl"
        rows = (
            {
                "prompt": [{"role": "user", "content": f"prompt {n}, naïve"}],
                "groundtruth_with_release_year": [["Saw", 2004 + n], ["Coco", None]],
                "constraints": {"gore": n % 2 == 0},
                "mood": [n, None, 0.5],
            }
            for n in range(number)
        )
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    return write


def test_mapped_records_are_those_that_would_be_kept_in_memory(file, scratch, monkeypatch):
    mapped = read_records(file(8), needs={})
    monkeypatch.setattr(mapped_rows, "IN_MEMORY", 8)
    kept = read_records(file(8), needs={})

    assert isinstance(mapped, MappedRows)
    assert isinstance(kept, list)
    assert list(mapped) == kept
    assert [mapped[0], mapped[-1], *mapped[2:7:2]] == [kept[0], kept[-1], *kept[2:7:2]]
    assert len(mapped) == 8
    with pytest.raises(IndexError):
        mapped[8]


def test_a_record_that_is_asked_for_again_is_the_same_object(file, scratch):
    records = read_records(file(4), needs={})

    assert records[1] is records[1]


def test_a_mapped_file_has_no_name_left_that_a_killed_run_would_leave_behind(file, scratch):
    records = read_records(file(4), needs={})

    assert list(scratch.iterdir()) == []
    assert records[3].groundtruth[0] == ("Saw", 2007)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Keep files that are derived from others, also from small ones, in a folder that can be looked into."""
    monkeypatch.setattr(machine_cache, "SMALLEST", 0)
    monkeypatch.setenv("SAFEREC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.usefixtures("scratch")
def test_records_are_read_once_on_a_machine_and_mapped_by_every_later_process(file, cache, monkeypatch):
    path = file(6)
    first = read_records(path, needs={})
    monkeypatch.setattr(record_files, "read_rows", None)  # nothing may read the split again
    second = read_records(path, needs={})

    assert list(second) == list(first)
    assert len(list(cache.glob("records-*.arrow"))) == 1


@pytest.mark.usefixtures("scratch")
def test_kept_records_belong_to_the_content_the_limit_and_the_columns_that_were_checked(file, cache):
    path = file(6)
    read_records(path, needs={})

    assert len(read_records(path, needs={}, limit=5)) == 5
    with pytest.raises(DataError, match=r"row 1: column 'completion' is missing; Safe SFT needs it"):
        read_records(path, needs={"completion": "Safe SFT"})
    path.write_text(path.read_text().replace("prompt 5", "prompt five"), encoding="utf-8")
    assert read_records(path, needs={})[5].prompt[0]["content"] == "prompt five, naïve"


@pytest.mark.usefixtures("scratch")
def test_kept_records_that_are_damaged_are_read_from_the_split_again(file, cache):
    path = file(6)
    whole = list(read_records(path, needs={}))
    (kept,) = cache.glob("records-*.arrow")
    content = bytearray(kept.read_bytes())
    content[len(content) // 2] ^= 1
    kept.write_bytes(content)

    assert list(read_records(path, needs={})) == whole


def test_records_of_stages_are_not_kept_since_a_stage_may_give_others_tomorrow(file, scratch, cache):
    records = read_records(file(6), needs={}, stages=[lambda rows: (row | {"mood": []} for row in rows())])

    assert (len(records), records[5].columns["mood"]) == (6, [])
    assert list(cache.parent.glob("cache/*")) == list(scratch.iterdir()) == []


@pytest.mark.usefixtures("scratch")
@pytest.mark.parametrize("number", [3, 6], ids=["in memory", "mapped"])
def test_the_traits_of_records_are_known(file, number):
    assert set(traits_of(read_records(file(number), needs={}))) == {"gore"}


def test_few_rows_are_not_mapped(file, scratch):
    assert isinstance(read_records(file(3), needs={}), list)


def test_a_row_that_is_malformed_is_named_though_many_come_before_it(file, scratch):
    path = file(6)
    path.write_text(path.read_text() + '{"prompt": 5}\n')

    with pytest.raises(DataError, match=r"row 7: prompt: expected a list of messages, but got 5"):
        read_records(path, needs={})


@pytest.mark.parametrize("kept", [3, 4], ids=["mapped", "in memory"])
def test_dates_and_times_of_a_table_stay_what_they_are(tmp_path, scratch, monkeypatch, kept):
    monkeypatch.setattr(mapped_rows, "IN_MEMORY", kept)
    moment = datetime(2004, 5, 1, 12, 30, 0, 250, tzinfo=UTC)
    columns = {"on": date(2004, 5, 1), "at": moment, "deep": [{"at": moment}]}
    rows = [{"prompt": f"prompt {n}", **columns} for n in range(4)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")

    record = read_records(tmp_path / "rows.parquet", needs={})[3]

    assert {name: record.columns[name] for name in columns} == columns


def test_a_value_that_cannot_be_kept_in_a_file_is_named_with_its_row_and_column():
    with pytest.raises(DataError, match=r"row 2: column 'mood' holds a set; .* text, numbers, dates"):
        list(row_texts([{"mood": 1}, {"a": 1, "mood": [{1, 2}]}]))
