"""The title map finds what the title index finds."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saferec_core.data import title_map
from saferec_core.data.title_map import TitleMap
from saferec_core.data.titles import Title, TitleIndex
from saferec_core.errors import DataError

NAMES = [
    "Saw",
    "The Matrix",
    "Matrix, The",
    "Amélie",
    "amelie",
    "Up",
    "!!!",
    "Se7en",
    "A",
    "Up (Su)",
    "Su",
    "The Up",
    "",
]
YEARS = st.one_of(st.integers(1990, 1999), st.none())
titles = st.lists(st.builds(Title, st.sampled_from(NAMES), YEARS), max_size=30)


@given(titles, titles, st.integers(0, 3))
def test_it_agrees_with_the_title_index(known, asked, tolerance):
    index, names = TitleIndex(known), TitleMap.of(known)

    indices = names.find_many([name for name, _ in asked], [year for _, year in asked], tolerance=tolerance)

    expected = [index.find(*title, tolerance=tolerance) for title in asked]
    assert [None if row < 0 else row for row in indices.tolist()] == expected
    assert [names.find(*title, tolerance=tolerance) for title in asked] == expected


def test_names_lead_to_the_entries_they_are_given():
    names = TitleMap.of([Title("Léon", 1994), Title("The Professional", 1994), Title("Saw", 2004)], [7, 7, 3])

    assert names.find_many(
        ["Professional", "leon", "Saw", "Up"], [1994, 1995, 2004, 2009], tolerance=1
    ).tolist() == [
        7,
        7,
        3,
        -1,
    ]


def test_of_two_years_equally_near_none_is_found():
    names = TitleMap.of([Title("It", 2018), Title("It", 2016)])

    assert names.find("It", 2017, tolerance=2) is None
    assert names.find("It", 2018, tolerance=2) == 0
    assert names.find("It", 2017, tolerance=0) is None


def test_two_forms_with_one_hash_are_told_apart(monkeypatch):
    monkeypatch.setattr(title_map, "_hash", lambda _: 0)
    names = TitleMap.of([Title("Saw", 2004), Title("Up", 2004), Title("It", 2004)])

    indices = names.find_many(["Up", "It", "Saw", "Her"], [2004] * 4, tolerance=2)

    assert indices.tolist() == [1, 2, 0, -1]
    assert [names.find(name, 2004, tolerance=2) for name in ("Up", "It", "Saw", "Her")] == [1, 2, 0, None]


def test_it_survives_a_file_without_being_copied(tmp_path):
    table = TitleMap.of([Title(f"Film {n}", 1950 + n % 70) for n in range(5000)]).table
    with (
        pa.OSFile(str(tmp_path / "names.arrow"), "wb") as file,
        pa.ipc.new_stream(file, table.schema) as stream,
    ):
        stream.write_table(table)
    before = pa.total_allocated_bytes()

    names = TitleMap(pa.ipc.open_stream(pa.memory_map(str(tmp_path / "names.arrow"))).read_all())

    assert pa.total_allocated_bytes() == before
    assert names.find("film 77", 1957, tolerance=0) == 77
    assert len(names) == 5000


def test_an_empty_map_finds_nothing():
    names = TitleMap.of([])

    assert names.find_many(["Saw"], [2004], tolerance=2).tolist() == [-1]
    assert names.find_many([], [], tolerance=2).tolist() == []


def test_what_is_no_title_map_is_refused():
    with pytest.raises(
        DataError, match="a title map has the columns hash, year, entry, article, alias, form"
    ):
        TitleMap(pa.table({"title": ["Saw"]}))
    with pytest.raises(DataError, match="years of four digits"):
        TitleMap.of([Title("Saw", 200_400)])


def test_a_year_that_no_film_has_is_not_found_however_far():
    names = TitleMap.of([Title("Saw", 2004), Title("Saw", 32_767)])

    for year in (10**20, -(10**20), 2**63 - 1, 40_000):
        assert names.find("Saw", year, tolerance=2) is None
    assert names.find("Saw", 1990, tolerance=10**20) == 0


def test_a_name_that_is_no_utf8_is_not_found():
    assert TitleMap.of([Title("Saw", 2004)]).find("\udcff\udcfe", 2004, tolerance=2) is None
