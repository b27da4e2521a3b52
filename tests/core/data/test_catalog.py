"""What may be recommended, read from files that nobody vouches for."""

import bz2
import gzip
import json
import lzma
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
        ("c.jsonl", "", "is empty; expected at least one row with title and year"),
        ("c.csv", "title,year\n", "is empty"),
        (
            "c.csv",
            "name,year\nSaw,2004\n",
            "line 2: expected a column 'title', but the columns are name, year",
        ),
        ("c.csv", "title,year\nSaw\n", "line 2: expected 2 fields, as the head has, but got 1"),
        ("c.jsonl", jsonl({"title": " ", "year": 2004}), "line 1: expected a title"),
        ("c.jsonl", jsonl("Saw"), "line 1: expected an object with title and year"),
        ("c.jsonl", jsonl({"title": "Saw", "year": True}), "the year of 'Saw'"),
        ("c.jsonl", "Saw (2004)\n", "line 1: not a JSON object"),
        ("c.jsonl", "Amélie".encode("latin-1"), "not UTF-8 text"),
        ("c.pkl", pickle.dumps([]), "is empty"),
        ("c.pkl", pickle.dumps("Saw"), "expected a collection, but got str"),
        ("c.pkl", pickle.dumps([("Saw", 2004)])[:-4], "cannot be read as a pickle"),
        ("c.pkl", b"no pickle at all", "cannot be read as a pickle"),
        ("c.pkl", b"\x80\x04}]K\x01s.", "cannot be read as a pickle"),
        ("c.pkl", b"\x80\x04\x8c\x01aK\x01a.", "cannot be read as a pickle"),  # APPEND to a str
        ("c.pkl", b"\x80\x04\x95" + b"\xff" * 8 + b"].", "cannot be read as a pickle"),  # FRAME without end
        ("c.pkl", pickle.dumps([NESTED_BY_REFERENCE]), "row 1: expected an object with title and year"),
        ("c.pkl", pickle.dumps([(NESTED_BY_REFERENCE, 2004)]), "row 1: expected a title, but got [[["),
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
    refused = "line 2: expected a column 'title', but the columns are Name, Year; rename 'Name' to 'title'"
    with pytest.raises(DataError, match=refused):
        catalog("c.csv", "Name,Year\nSaw,2004\n")


def test_the_column_that_may_hold_the_year_is_named(catalog):
    with pytest.raises(DataError, match="rename 'release_date' to 'year'"):
        catalog("tmdb.csv", "id,title,release_date\n176,Saw,2004-10-01\n")


def test_a_title_that_a_database_wrote_as_missing_is_not_a_title(catalog):
    with pytest.raises(DataError, match=r"line 3: expected a title, but got '\\\\N'"):
        catalog("c.tsv", "title\tyear\nSaw\t2004\n\\N\t1990\n")


@pytest.mark.parametrize(
    ("written", "year"),
    [
        ("(2004–2010)", 2004),
        ("2004-10-29", 2004),
        ("2004/10/29", 2004),
        ("2004.10.29", 2004),
        ("2004-10", 2004),
        ("29.10.2004", 2004),
        ("10/29/2004", 2004),
        ("29-Oct-2004", 2004),
        ("29 October 2004", 2004),
        ("Oct. 29, 2004", 2004),
        ("October 29, 2004", 2004),
        ("(2004)", 2004),
        ("2004年", 2004),
        ("2004-", 2004),
        ("2004–2009", 2004),
        ("2004 - 2009", 2004),
    ],
    ids=lambda value: "written" if isinstance(value, str) else "year",
)  # fmt: skip
def test_a_year_is_read_however_it_is_written(catalog, written, year):
    assert catalog("c.csv", f'title,year\nSaw,"{written}"\n').titles == (Title("Saw", year),)


@pytest.mark.parametrize("written", ["2004.5", "20040", "MMIV", "2,004", "29.10.04", "2004/5/6/7", "year"])
def test_what_may_be_another_number_than_a_year_is_refused(catalog, written):
    with pytest.raises(DataError, match="line 2: the year of 'Saw' must"):
        catalog("c.csv", f'title,year\nSaw,"{written}"\n')


@pytest.mark.parametrize(
    "written",
    [
        "",
        " ",
        "0",
        "N/A",
        "n/a",
        "NA",
        "nan",
        "NaN",
        "NULL",
        "None",
        "<NA>",
        "NaT",
        "\\N",
        "-",
        "–",
        "?",
        "Unknown",
    ],
    ids=lambda _: "written",
)
def test_a_year_that_is_not_known_is_read_however_that_is_written(catalog, written):
    assert catalog("c.csv", f"title,year\nSaw,{written}\n").titles == (Title("Saw", None),)


@pytest.mark.parametrize(
    "head",
    [
        "Title,Year",
        "TITLE,YEAR",
        " title , year ",
        "\ufeff\ufefftitle,year",
        "title\u200b,year",
        "title\xa0,year",
    ],
    ids=lambda _: "head",
)
def test_capitals_and_marks_that_nobody_sees_do_not_hide_a_column(catalog, head):
    assert catalog("c.csv", f"{head}\nSaw,2004\n").titles == (Title("Saw", 2004),)


def test_movielens_titles_without_a_year_and_of_series_are_read(catalog):
    content = """movieId,title,genres
7,Nowhere,Drama
1,Toy Story (1995) ,Adventure
2,Babylon 5,Sci-Fi
3,"Big Bang Theory, The (2007-)",Comedy
4,Fawlty Towers (1975–1979),Comedy
5,Terrace House (2015– ),Drama
6,Ready Player One,Action
"""

    assert catalog("movies.csv", content).titles == (
        Title("Nowhere", None),
        Title("Toy Story", 1995),
        Title("Babylon 5", None),
        Title("Big Bang Theory, The", 2007),
        Title("Fawlty Towers", 1975),
        Title("Terrace House", 2015),
        Title("Ready Player One", None),
    )


@pytest.mark.parametrize("name", ["c.jsonl", "c.csv"])
def test_other_columns_keep_their_capitals(catalog, name):
    rows = {
        "c.jsonl": jsonl({"Title": "Saw", "Year": 2004, "ID": "s"}),
        "c.csv": "Title,Year,ID\nSaw,2004,s\n",
    }

    read = catalog(name, rows[name])

    assert (read.titles, read.ids) == ((Title("Saw", 2004),), {0: "s"})


def test_a_file_in_which_no_title_has_a_year_says_what_is_missing(catalog):
    with pytest.raises(
        DataError, match=r"the year of 'Saw' is missing: expected a column 'year' \(empty where"
    ):
        catalog("c.csv", "title,genres\nSaw,horror\n")


@pytest.mark.parametrize(
    ("row", "title"),
    [
        ({"title": "Saw (2004)", "year": 2004}, Title("Saw", 2004)),
        ({"title": "Saw (2004) ", "year": "2004.0"}, Title("Saw", 2004)),
        ({"title": "Fantasia (2000)", "year": 1999}, Title("Fantasia (2000)", 1999)),
        ({"title": "2012", "year": 2009}, Title("2012", 2009)),
        ({"title": 1917, "year": 2019}, Title("1917", 2019)),
        (["Saw (2004)", 2004], Title("Saw", 2004)),
    ],
    ids=lambda _: "case",
)
def test_a_year_that_stands_in_the_title_too_is_not_part_of_its_name(catalog, row, title):
    assert catalog("c.jsonl", jsonl(row)).titles == (title,)


@pytest.mark.parametrize("cell", ['"[""Visions"", ""X""]"', "Visions|X"], ids=lambda _: "cell")
def test_aliases_in_a_table_are_a_list_or_separated(catalog, cell):
    assert catalog("c.csv", f"title,year,aliases\nSaw,2004,{cell}\n").aliases == {0: ["Visions", "X"]}


def test_aliases_that_python_printed_are_refused_with_what_to_write(catalog):
    with pytest.raises(DataError, match=r"aliases holds text that Python printed.*write it as JSON"):
        catalog("c.csv", """title,year,aliases\nSaw,2004,"['Visions', 'X']"\n""")


@pytest.mark.parametrize(
    ("content", "titles"),
    [
        ('title,year\n"The \\"Best\\" Man",1999\n', (Title('The "Best" Man', 1999),)),
        ('title,year\n"The ""Best"" Man",1999\n', (Title('The "Best" Man', 1999),)),
        ('title,year\n"C:\\",1999\n"Up",2009\n', (Title("C:\\", 1999), Title("Up", 2009))),
        ("title,year\nSaw,2004\n\x1a", (Title("Saw", 2004),)),
        ("title,year\nSaw,2004\n\x0c\n", (Title("Saw", 2004),)),
    ],
    ids=lambda _: "case",
)
def test_quotes_and_ends_of_other_programs_are_read(catalog, content, titles):
    assert catalog("c.csv", content).titles == titles


@pytest.mark.parametrize(
    ("encoding", "title"), [("gbk", "霸王别姬"), ("shift_jis", "七人の侍"), ("cp1251", "Сталкер")]
)
def test_an_encoding_of_another_alphabet_is_not_called_windows_1252(catalog, encoding, title):
    with pytest.raises(DataError, match=r"convert the file from its encoding \(such as GBK, Shift_JIS"):
        catalog("c.csv", f"title,year\n{title},1979\n".encode(encoding))


def test_a_headline_above_the_head_is_named(catalog):
    with pytest.raises(DataError, match=r"expected 1 fields, as the head \(My films\) has, but got 2"):
        catalog("c.csv", "My films\n\ntitle,year\nSaw,2004\n")


@pytest.mark.parametrize(
    "head",
    [
        "item_id:token,movie_title:token_seq,release_year:token",
        "item_id:token;movie_title:token_seq;release_year:float",
        "item_id:token \tmovie_title:token_seq \trelease_year:float ",
    ],
    ids=lambda _: "head",
)
def test_atomic_files_of_recbole_are_read_with_any_separator(catalog, head):
    separator = next(mark for mark in ",;\t" if mark in head)

    read = catalog("ml.item", f"{head}\n1{separator}Saw{separator}2004\n")

    assert read.titles == (Title("Saw", 2004),)


@pytest.mark.parametrize("inner", [gzip.compress, bz2.compress, lzma.compress])
def test_what_was_compressed_twice_is_named(catalog, inner):
    with pytest.raises(
        DataError, match=r"c.jsonl.gz is compressed twice \(\w+ within gzip\); decompress it once"
    ):
        catalog("c.jsonl.gz", gzip.compress(inner(jsonl(["Saw", 2004]).encode())))


def test_a_blank_year_leaves_the_one_behind_the_title(catalog):
    read = catalog("catalog.csv", b"title,year\nSaw (2004),\nHeat,\nRoom (1408),\n")

    assert list(read.titles) == [Title("Saw", 2004), Title("Heat", None), Title("Room (1408)", None)]


def test_a_column_without_a_name_is_not_one_of_ids(catalog):
    assert catalog("catalog.csv", b",title,year\n0,Saw,2004\n").ids == {}  # as pandas writes its index


@pytest.mark.parametrize("written", ["95", "04", "'95", "95.0"])
def test_a_year_without_its_century_is_refused(catalog, written):
    with pytest.raises(DataError, match="line 2: the year of 'Heat' must have four digits"):
        catalog("catalog.csv", f"title,year\nHeat,{written}\n".encode())
