"""A mapped catalog answers as one in memory does."""

import json
import os
import pickle
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saferec_core.data import catalog as catalogs
from saferec_core.data import machine_cache, mapped_catalog
from saferec_core.data.catalog import Catalog, read_catalog
from saferec_core.data.mapped_titles import MappedTitles
from saferec_core.data.titles import Title, normal_form
from saferec_core.errors import DataError

NAMES = [
    "Saw",
    "The Matrix",
    "Matrix, The",
    "Amélie",
    "amelie",
    "!!!",
    "Up (Su)",
    "Su",
    "The Up",
    "霸王别姬",
    "Jumanji",
    "Jumanji: Welcome to the Jungle",
    "Jumanji: The Next Level",
    "Kingsman: The Secret Service",
    "Kingsman",
    "Alien: The Director's Cut",
    "Alien",
]
YEARS = st.one_of(st.integers(1995, 1999), st.none())
ROWS = st.lists(
    st.fixed_dictionaries(
        {"title": st.sampled_from(NAMES), "year": YEARS},
        optional={
            "aliases": st.lists(st.sampled_from(NAMES), max_size=2),
            "id": st.one_of(st.none(), st.integers(1, 99), st.text("ab", min_size=1)),
        },
    ),
    min_size=1,
    max_size=30,
)
ASKED = [(name, year) for name in (*NAMES, "Heat", "") for year in (None, *range(1994, 2000))]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SAFEREC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def small_memory(monkeypatch):
    """Every catalog of more than two titles is mapped."""
    monkeypatch.setattr(catalogs, "IN_MEMORY", 2)
    monkeypatch.setattr(machine_cache, "SMALLEST", 0)


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def in_memory(path, monkeypatch, **options):
    with monkeypatch.context() as patched:
        patched.setattr(catalogs, "IN_MEMORY", 10**6)
        patched.setattr(mapped_catalog, "find_derived", lambda *_: None)
        return read_catalog(path, **options)


def is_mapped(catalog):
    return isinstance(catalog.titles, MappedTitles)


@given(ROWS, st.integers(0, 3), st.booleans())
def test_every_answer_is_that_of_the_catalog_in_memory(tmp_path_factory, rows, tolerance, subtitles):
    path = write(tmp_path_factory.mktemp("given") / "catalog.jsonl", rows)
    options = {"year_tolerance": tolerance, "match_subtitles": subtitles}
    with pytest.MonkeyPatch.context() as patched:
        memory = in_memory(path, patched, **options)
        catalog = read_catalog(path, **options)

    assert is_mapped(catalog) == (len(rows) > 2)
    assert tuple(catalog.titles) == memory.titles
    assert dict(catalog.aliases) == memory.aliases
    assert dict(catalog.ids) == memory.ids
    for name, year in ASKED:
        assert catalog.match(name, year) == memory.match(name, year)
        assert catalog.find(name, year) == memory.find(name, year)
        assert list(catalog.years_of(name)) == list(memory.years_of(name))
        form = normal_form(name)
        assert Counter(catalog.named(form)) == Counter(memory.named(form))
        assert catalog.find_by_subtitle(Title(name, year)) == memory.find_by_subtitle(Title(name, year))
    assert catalog.content_hash == memory.content_hash


ROWS_OF_FILMS = [{"title": f"Film {n}", "year": 1950 + n % 70, "id": f"f{n}"} for n in range(50)]


def test_titles_are_a_sequence_and_ids_a_mapping(tmp_path):
    catalog = read_catalog(write(tmp_path / "catalog.jsonl", ROWS_OF_FILMS))

    assert len(catalog) == 50
    assert catalog.titles[-1] == Title("Film 49", 1999)
    assert catalog.titles[3:5] == [Title("Film 3", 1953), Title("Film 4", 1954)]
    with pytest.raises(IndexError, match="title 50 of 50"):
        catalog.titles[50]
    assert catalog.ids[7] == "f7"
    assert catalog.ids.get(50) is None
    assert catalog.aliases == {}


def test_it_is_indexed_once_and_again_when_the_file_changes(tmp_path, cache, monkeypatch):
    path = write(tmp_path / "catalog.jsonl", ROWS_OF_FILMS)
    read_catalog(path)
    (made,) = cache.glob("*.arrow")
    with monkeypatch.context() as patched:
        patched.setattr(catalogs, "catalog_rows", None)  # would be called to read the file

        assert read_catalog(path).find("Film 3", 1953) == 3

    write(path, [{"title": "Heat", "year": 1995}, *ROWS_OF_FILMS])

    assert read_catalog(path).find("Film 3", 1953) == 4
    assert len(list(cache.glob("*.arrow"))) == 2
    assert made.exists()


def test_what_was_damaged_in_the_cache_is_made_again(tmp_path, cache):
    path = write(tmp_path / "catalog.jsonl", ROWS_OF_FILMS)
    read_catalog(path)
    (made,) = cache.glob("*.arrow")
    content = bytearray(made.read_bytes())
    content[len(content) // 2] ^= 1
    made.unlink()
    made.write_bytes(content)

    assert read_catalog(path).find("Film 3", 1953) == 3
    assert made.read_bytes() != content


def test_it_is_sent_to_another_process_as_the_name_of_its_file(tmp_path):
    catalog = read_catalog(write(tmp_path / "catalog.jsonl", ROWS_OF_FILMS * 100), year_tolerance=1)

    content = pickle.dumps(catalog)

    assert len(content) < 1000
    again = pickle.loads(content)  # noqa: S301
    assert is_mapped(again)
    assert (again.find("Film 3", 1954), again.find("Film 3", 1955)) == (3, None)


def test_a_catalog_in_memory_keeps_its_ids_in_another_process():
    catalog = Catalog([Title("Saw", 2004)], ids={0: "s"}, aliases={0: ["Visions"]})

    again = pickle.loads(pickle.dumps(catalog))  # noqa: S301

    assert (again.ids, again.find("Visions", 2004)) == ({0: "s"}, 0)


READ = """
import sys
from collections import Counter
from pathlib import Path
from saferec_core.data import catalog

catalog.IN_MEMORY = 2
print(catalog.read_catalog(Path(sys.argv[1])).find("Film 7", 1957))
"""


def test_processes_that_read_it_at_once_make_one_file(tmp_path, cache):
    path = write(tmp_path / "catalog.jsonl", ROWS_OF_FILMS * 40)

    together = [
        subprocess.Popen([sys.executable, "-c", READ, str(path)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]

    assert [process.communicate()[0] for process in together] == ["7\n"] * 3
    assert len(list(cache.glob("*.arrow"))) == 1


def test_a_malformed_row_is_named_and_leaves_nothing_in_the_cache(tmp_path, cache):
    path = write(tmp_path / "catalog.jsonl", [*ROWS_OF_FILMS, {"name": "Heat"}])

    with pytest.raises(DataError, match=r"catalog.jsonl, line 51: expected a column 'title'"):
        read_catalog(path)

    assert not list(cache.glob("*.arrow"))


def test_a_cache_that_cannot_be_written_is_named_with_what_to_set(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SAFEREC_CACHE", str(tmp_path / "file"))

    with pytest.raises(DataError, match=r"cannot be kept .*/file: .*Set SAFEREC_CACHE to a folder"):
        read_catalog(write(tmp_path / "catalog.jsonl", ROWS_OF_FILMS))


def test_what_nobody_used_for_a_month_is_removed(tmp_path, cache):
    read_catalog(write(tmp_path / "old.jsonl", ROWS_OF_FILMS))
    (old,) = cache.glob("*.arrow")
    others = [cache / "oracle.arrow", cache / "catalog-of-mine.arrow"]
    for path in (old, *others):
        path.touch()
        os.utime(path, (0, 0))

    read_catalog(write(tmp_path / "new.jsonl", ROWS_OF_FILMS[1:]))

    assert not old.exists()
    assert all(path.exists() for path in others)
    assert len(list(cache.glob("catalog-*.arrow"))) == 2
