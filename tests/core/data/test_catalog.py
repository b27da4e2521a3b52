"""What may be recommended, read from files that nobody vouches for."""

import json
import pickle

import pytest

from saferec_core.data.catalog import Catalog, read_catalog
from saferec_core.data.titles import Title
from saferec_core.errors import DataError

TITLES = (Title("Saw", 2004), Title("Amélie", 2001), Title("Matrix, The", 1999))

NESTED_BY_REFERENCE: list = []  # of 3 to the 40th elements when written out
for _ in range(40):
    NESTED_BY_REFERENCE = [NESTED_BY_REFERENCE] * 3


@pytest.fixture
def catalog(tmp_path):
    def read(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_catalog(path)

    return read


def jsonl(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("c.jsonl", jsonl(*({"title": name, "year": year} for name, year in TITLES))),
        ("c.jsonl", jsonl(*map(list, TITLES))),
        ("c.csv", 'title,year\nSaw,2004\nAmélie,2001\n"Matrix, The",1999\n'),
        ("c.csv", '\ufeffid,year,title\n1,2004,Saw\n2,2001.0,Amélie\n3,1999,"Matrix, The"\n'),
        ("c.pkl", pickle.dumps([tuple(title) for title in TITLES])),
        ("c.pkl", pickle.dumps([[name, str(year)] for name, year in TITLES], protocol=0)),
        ("c.pkl", pickle.dumps(dict.fromkeys((tuple(title) for title in TITLES), 7))),
        ("c.pickle", pickle.dumps([{"title": name, "year": year} for name, year in TITLES])),
    ],
)
def test_every_format_gives_the_same_titles(catalog, name, content):
    assert catalog(name, content).titles == TITLES


def test_a_set_of_pairs_as_the_research_code_pickled_it_is_read(catalog):
    pairs = {tuple(title) for title in TITLES}

    assert set(catalog("gt_catalog_complete.pkl", pickle.dumps(pairs)).titles) == set(TITLES)


@pytest.mark.parametrize("kind", [set, frozenset])
def test_a_set_is_read_in_one_order_whatever_its_own(catalog, kind):
    pairs = kind((f"Film {n}", 1950 + n) for n in range(50))

    assert list(catalog("c.pkl", pickle.dumps(pairs)).titles) == sorted(pairs)


def test_a_title_is_found_by_its_normal_form_within_the_year_tolerance():
    catalog = Catalog(TITLES, year_tolerance=1)

    assert catalog.find("the matrix", 2000) == 2
    assert catalog.find("AMELIE", 2001) == 1
    assert catalog.find("Saw", 2006) is None
    assert catalog.find("Saw II", 2005) is None


def test_a_year_that_is_no_number_is_told_with_file_and_line(catalog):
    rows = jsonl({"title": "Saw", "year": 2004}) + "\n" + jsonl({"title": "Up", "year": "soon"})

    with pytest.raises(DataError, match=r"c\.jsonl, line 3: the year of 'Up' must be .*'soon'"):
        catalog("c.jsonl", rows)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("c.jsonl", "", "is empty; wanted at least one row with title and year"),
        ("c.csv", "title,year\n", "is empty"),
        ("c.csv", "name,year\nSaw,2004\n", "line 2: wanted a column 'title', but the columns are name, year"),
        ("c.csv", "title,year\nSaw\n", "line 2: wanted 2 fields, as the head has, but got 1"),
        ("c.jsonl", jsonl({"title": " ", "year": 2004}), "line 1: wanted a title"),
        ("c.jsonl", jsonl("Saw"), "line 1: wanted an object with title and year"),
        ("c.jsonl", jsonl({"title": "Saw", "year": True}), "the year of 'Saw'"),
        ("c.jsonl", "Saw (2004)\n", "line 1: not a JSON object"),
        ("c.jsonl", "Amélie".encode("latin-1"), "not UTF-8 text"),
        ("c.pkl", pickle.dumps([]), "is empty"),
        ("c.pkl", pickle.dumps("Saw"), "wanted a collection, but got str"),
        ("c.pkl", pickle.dumps([("Saw", 2004)])[:-4], "cannot be read as a pickle"),
        ("c.pkl", b"no pickle at all", "cannot be read as a pickle"),
        ("c.pkl", b"\x80\x04}]K\x01s.", "cannot be read as a pickle"),
        ("c.pkl", b"\x80\x04\x8c\x01aK\x01a.", "cannot be read as a pickle"),  # APPEND to a str
        ("c.pkl", b"\x80\x04\x95" + b"\xff" * 8 + b"].", "cannot be read as a pickle"),  # FRAME without end
        ("c.pkl", pickle.dumps([NESTED_BY_REFERENCE]), "row 1: wanted an object with title and year"),
        ("c.pkl", pickle.dumps([(NESTED_BY_REFERENCE, 2004)]), "row 1: wanted a title, but got [[["),
        ("c.pkl", pickle.dumps([("Saw", NESTED_BY_REFERENCE)]), "the year of 'Saw' must be a whole number"),
    ],
)
def test_what_is_no_catalog_is_refused_with_its_name(catalog, name, content, message):
    with pytest.raises(DataError, match=name.replace(".", r"\.")) as error:
        catalog(name, content)
    assert message in str(error.value)


def test_a_catalog_that_is_not_there_or_a_folder_is_told_which_flag_names_one(tmp_path):
    for path in (tmp_path / "nowhere.jsonl", tmp_path):
        with pytest.raises(DataError, match="--catalog-path"):
            read_catalog(path)


class Runs:
    """Pickled in every way in which a pickle may run code; unpickled, it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(catalog, tmp_path, protocol):
    owned = tmp_path / "owned"

    with pytest.raises(DataError, match="could run code"):
        catalog("c.pkl", pickle.dumps([("Saw", 2004), Runs(owned)], protocol=protocol))
    assert not owned.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"cos\nsystem\n(S'touch %s'\ntR.",  # GLOBAL, REDUCE
        b"(S'touch %s'\nios\nsystem\n.",  # INST
        b"(cos\nsystem\nS'touch %s'\no.",  # OBJ
        b"Pos.system\n.",  # PERSID
        b"\x80\x02\x82\x01.",  # EXT1
        b"\x80\x02cos\nsystem\n}b.",  # BUILD
    ],
)
def test_every_opcode_that_reaches_for_code_is_refused(catalog, tmp_path, content):
    owned = tmp_path / "owned"

    with pytest.raises(DataError, match="could run code"):
        catalog("c.pkl", content.replace(b"%s", str(owned).encode()))
    assert not owned.exists()


def test_code_behind_the_end_of_a_pickle_does_not_run(catalog, tmp_path):
    content = pickle.dumps([("Saw", 2004)]) + pickle.dumps(Runs(tmp_path / "owned"))

    assert catalog("c.pkl", content).titles == (Title("Saw", 2004),)
    assert not (tmp_path / "owned").exists()


def test_aliases_and_empty_years_are_read(tmp_path):
    lines = jsonl(
        {"title": "Léon", "year": 1994, "aliases": ["The Professional", "Léon: The Professional"]},
        {"title": "Dune", "year": None},
    )
    (tmp_path / "c.jsonl").write_text(lines, encoding="utf-8")
    (tmp_path / "c.csv").write_text(
        "title,year,aliases\nLéon,1994,The Professional|Leon the Pro\nDune,,\n", "utf-8"
    )

    for name in ("c.jsonl", "c.csv"):
        catalog = read_catalog(tmp_path / name)
        assert catalog.find("The Professional", 1994) == 0
        assert catalog.find("Dune", 1965) == 1
        assert catalog.years_of("dune") == [None]
    (tmp_path / "bad.jsonl").write_text(jsonl({"title": "Saw", "year": 2004, "aliases": 3}))
    with pytest.raises(DataError, match=r"line 1: aliases must be a list of names"):
        read_catalog(tmp_path / "bad.jsonl")


@pytest.mark.parametrize("column", ["id", "item_id", "movieId", "imdb_id"])
def test_ids_of_titles_are_kept_under_the_names_that_catalogs_give_them(catalog, column):
    rows = [
        {"title": "Saw", "year": 2004, column: "tt0387564"},
        {"title": "Up", "year": 2009, column: 68954.0},
        {"title": "It", "year": 2017, column: None, "imdb_id2": "x"},
    ]

    assert catalog("c.jsonl", jsonl(*rows)).ids == {0: "tt0387564", 1: "68954"}


def test_a_catalog_has_one_column_of_ids(catalog):
    rows = [
        {"title": "Saw", "year": 2004, "movieId": 1, "imdb_id": "tt0387564"},
        {"title": "Up", "year": 2009, "id": "1", "imdb_id": "tt1049413"},
    ]

    assert catalog("c.jsonl", jsonl(*rows)).ids == {0: "1"}


def test_a_table_without_a_column_title_is_refused_with_the_columns_it_has(catalog):
    with pytest.raises(DataError, match="line 2: wanted a column 'title', but the columns are Title, Year"):
        catalog("c.csv", "Title,Year\nSaw,2004\n")
