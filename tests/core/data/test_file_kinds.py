"""Files as Excel, pandas, recommender libraries and failed downloads leave them: read, or refused by name."""

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from datetime import timedelta
from decimal import Decimal

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from saferec_core.data.catalog import read_catalog
from saferec_core.data.rows import read_rows, try_rows
from saferec_core.errors import DataError

SAW_AND_AMELIE = [{"title": "Saw", "year": "2004"}, {"title": "Amélie", "year": "2001"}]
OBJECTS = [{"title": "Saw", "year": 2004}, {"title": "Amélie", "year": 2001}]
CSV = "title,year\nSaw,2004\nAmélie,2001\n"
JSONL = '{"title": "Saw", "year": 2004}\n{"title": "Amélie", "year": 2001}\n'


def frame_of_zstd(content):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as out:
        out.write(content)
    return sink.getvalue().to_pybytes()


TABLES = {
    "tabs, commas in fields": b"title\tyear\nSaw\t2004\nAm\xc3\xa9lie\t2001\n",
    "commas": CSV.encode(),
    "semicolons": CSV.replace(",", ";").encode(),
    "tabs": CSV.replace(",", "\t").encode(),
    "bars": CSV.replace(",", "|").encode(),
    "semicolons, commas in quotes": b'title;year\nSaw;2004\n"Am\xc3\xa9lie";2001\n',
    "sep line": ("sep=;\n" + CSV.replace(",", ";")).encode(),
    "sep line of Excel": ("\ufeffsep=,\r\n" + CSV.replace("\n", "\r\n")).encode(),
    "sep line quoted": ('"sep=\t"\r\n' + CSV.replace(",", "\t")).encode(),
    "utf-8 with mark": CSV.encode("utf-8-sig"),
    "utf-16 with mark": CSV.encode("utf-16"),
    "utf-16-le without mark": CSV.encode("utf-16-le"),
    "utf-16-be without mark": CSV.encode("utf-16-be"),
    "utf-16 tabs, as Excel's Unicode text": CSV.replace(",", "\t").replace("\n", "\r\n").encode("utf-16"),
    "utf-32": CSV.encode("utf-32"),
    "carriage returns": CSV.replace("\n", "\r").encode(),
    "windows line ends": CSV.replace("\n", "\r\n").encode(),
    "mixed line ends": b"title,year\r\nSaw,2004\rAm\xc3\xa9lie,2001\n",
    "no line end at the end": CSV.rstrip().encode(),
    "blank lines before the head": f"\n  \n\r\n{CSV}".encode(),
    "separators before the head": f",\n,\n{CSV}".encode(),
    "blank lines between": CSV.replace("\n", "\n\n").encode(),
    "trailing separators": b"title,year,,\nSaw,2004,,\nAm\xc3\xa9lie,2001,,\n",
    "trailing separators in rows": b"title,year\nSaw,2004,\nAm\xc3\xa9lie,2001,\n",
    "quoted numbers": b'"title","year"\n"Saw","2004"\n"Am\xc3\xa9lie","2001"\n',
    "gzip under another name": gzip.compress(CSV.encode()),
    "bzip2": bz2.compress(CSV.encode()),
    "xz": lzma.compress(CSV.encode()),
    "zstd": frame_of_zstd(CSV.encode()),
}


@pytest.mark.parametrize("content", TABLES.values(), ids=TABLES.keys())
def test_a_table_is_read_whatever_separates_ends_encodes_or_compresses_it(tmp_path, content):
    (tmp_path / "films.csv").write_bytes(content)

    assert list(read_rows(tmp_path / "films.csv")) == SAW_AND_AMELIE


JSON = {
    "a value a line": JSONL.encode(),
    "with a mark": JSONL.encode("utf-8-sig"),
    "utf-16": JSONL.encode("utf-16"),
    "carriage returns": JSONL.replace("\n", "\r").encode(),
    "one array": b'[{"title": "Saw", "year": 2004}, {"title": "Am\xc3\xa9lie", "year": 2001}]',
    "one array with a mark": (
        b'\xef\xbb\xbf[{"title":"Saw","year":2004},{"title":"Am\xc3\xa9lie","year":2001}]\n'
    ),
    "an array over lines": (
        b'[\n{"title": "Saw", "year": 2004},\n{"title": "Am\xc3\xa9lie", "year": 2001}\n]\n'
    ),
    "pretty-printed array": (
        b'[\n  {\n    "title": "Saw",\n    "year": 2004\n  },\n'
        b'  {\n    "title": "Am\xc3\xa9lie",\n    "year": 2001\n  }\n]\n'
    ),
    "pretty-printed objects": (
        b'{\n "title": "Saw",\n "year": 2004\n}\n{\n "title": "Am\xc3\xa9lie",\n "year": 2001\n}\n'
    ),
    "objects without a line end": b'{"title":"Saw","year":2004}{"title":"Am\xc3\xa9lie","year":2001}',
    "objects on one line": b'{"title":"Saw","year":2004} {"title":"Am\xc3\xa9lie","year":2001}\n',
    "gzipped": gzip.compress(JSONL.encode()),
}


@pytest.mark.parametrize("name", ["films.jsonl", "films.json"])
@pytest.mark.parametrize("content", JSON.values(), ids=JSON.keys())
def test_json_is_read_whatever_its_layout_and_its_name(tmp_path, content, name):
    (tmp_path / name).write_bytes(content)

    assert list(read_rows(tmp_path / name)) == OBJECTS


def test_json_under_the_name_of_a_table_is_read_as_what_it_is(tmp_path):
    for name in ("a value a line", "one array", "one array with a mark"):
        (tmp_path / "films.csv").write_bytes(JSON[name])
        assert list(read_rows(tmp_path / "films.csv")) == OBJECTS


@pytest.mark.parametrize(
    "row",
    [
        {"titles": ["Saw (2004)", "Up (2009)"], "scores": [0.9, 0.4]},
        {"prompt": [{"role": "user", "content": "Hi"}], "groundtruth_with_release_year": [["Saw", 2004]]},
        {"constraints": {"gore": True}},
        {"user": 1, "movies": [{"title": "Saw"}], "messages": []},
        {"data": "Hi", "columns": 2, "title": "Saw"},
    ],
    ids=["predictions", "record", "one object", "films among other columns", "names of tables"],
)
def test_a_file_of_one_row_is_not_taken_for_a_table(tmp_path, row):
    for indent in (None, 1):
        (tmp_path / "one.json").write_text(json.dumps(row, indent=indent), encoding="utf-8")
        assert list(read_rows(tmp_path / "one.json")) == [row]


def test_elements_of_an_array_are_named_by_the_line_they_begin_in(tmp_path):
    (tmp_path / "films.json").write_text(
        '[\n  {"title": "Saw",\n   "year": 2004},\n\n  {"title": NaN},\n  {"a": 1}\n]'
    )

    rows = list(try_rows(tmp_path / "films.json"))

    assert [number for number, _ in rows] == [2, 5, 6]
    assert "not finite" in str(rows[1][1])
    assert rows[2][1] == {"a": 1}


def archive(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        for name, text in files.items():
            out.writestr(name.replace("__", "/"), text)
    return buffer.getvalue()


def tar():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as out:
        out.addfile(tarfile.TarInfo("films.csv"))
    return buffer.getvalue()


REFUSED = {
    "xlsx": (archive(xl__workbook="", Content_Types=""), "is an Excel workbook; save the sheet as CSV"),
    "xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), r"is an old Excel workbook \(\.xls\)"),
    "ods": (
        archive(mimetype="application/vnd.oasis.opendocument.spreadsheet", content=""),
        "is an OpenDocument spreadsheet; save the sheet as CSV",
    ),
    "zip": (archive(films="title"), "is a zip archive with films; unpack it"),
    "cut zip": (archive(films="title")[:40], "is a damaged zip archive"),
    "tar": (tar(), "is a tar archive; unpack it"),
    "gzipped tar": (gzip.compress(tar()), "is a tar archive; unpack it"),
    "sqlite": (b"SQLite format 3\x00" + bytes(99), "is an SQLite database"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(99), "is an HDF5 file"),
    "html": (b"<!DOCTYPE html>\n<html><title>404</title>", "is an HTML page, not data"),
    "part of html": (b"<div>Sign in</div>\n", "is an HTML page, not data"),
    "html below blanks": (b"\n\n  <HTML>\n<body>Sign in", "is an HTML page, not data"),
    "xml": (b'<?xml version="1.0"?><rows/>', "is an XML file"),
    "lfs": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
        "fetch the file with 'git lfs pull'",
    ),
    "pdf": (b"%PDF-1.7\n", "is a PDF document"),
    "rtf": (b"{\\rtf1\\ansi title,year\\par}", "is a rich text document"),
    "docx": (archive(word__document=""), "is a Word document"),
    "numbers": (archive(**{"Index__Document.iwa": ""}), "is a document of Apple Numbers"),
    "npz": (archive(**{"titles.npy": ""}), "is a NumPy archive"),
    "torch": (archive(**{"archive__data.pkl": ""}), "is a file written by torch.save"),
    "lz4": (pa.compress(b"title", "lz4", asbytes=True), "is compressed with LZ4; decompress it"),
    "Z": (b"\x1f\x9d\x90", r"is compressed with compress \(\.Z\); decompress it"),
    "rds": (gzip.compress(b"X\n\x00\x00\x00\x03\x00"), "is an R object"),
    "rows under a key": (
        b'{"total": 1, "data": [{"title": "Saw", "year": 2004}]}',
        r"its rows under 'data'; write these alone, for example with: jq -c '\.data\[\]' FILE",
    ),
    "rows under a key, over lines": (
        b'{\n "movies": [\n {"title": "Saw"}\n ]\n}\n',
        "its rows under 'movies'",
    ),
    "pandas by columns": (b'{"title": {"0": "Saw"}, "year": {"0": 2004}}', "column by column"),
    "pandas by index": (b'{"0": {"title": "Saw", "year": 2004}}', "by their keys or index"),
    "by ids": (b'{"tt1": {"title": "Saw"},\n "tt2": {"title": "Up"}}', "by their keys or index"),
    "pandas split": (b'{"columns": ["title"], "index": [0], "data": [["Saw"]]}', "orient='split' or 'table'"),
    "list by column": (b'{"title": ["Saw", "Up"], "year": [2004, 2009]}', "a list for each column"),
}
HEADS = {
    "binary": (bytes(range(256)) * 4, "line 1, the head: it holds NUL bytes"),
    "comment": (b"# exported\ntitle,year\nSaw,2004\n", "line 1, the head: '# exported' is a comment"),
    "comment with a comma": (
        b"# exported, in full\ntitle,year\nSaw,2004\n",
        "line 1, the head: '# exported' is a comment",
    ),
    "twice": (b"title,year,title\nSaw,2004,Saw II\n", "line 1, the head: column 'title' occurs 2 times"),
    "twice below a blank": (
        b"\ntitle;year;year\nSaw;2004;5\n",
        "line 2, the head: column 'year' occurs 2 times",
    ),
    "latin-1 head": (
        "titre,année\nSaw,2004\n".encode("latin-1"),
        "line 1, the head: not UTF-8 text: byte 0xE9",
    ),
}


@pytest.mark.parametrize("name", ["films.csv", "films.jsonl"])
@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_read_is_refused_as_what_it_is(tmp_path, content, message, name):
    (tmp_path / name).write_bytes(content)

    with pytest.raises(DataError, match=message) as error:
        list(read_rows(tmp_path / name))
    assert name in str(error.value)


@pytest.mark.parametrize(("content", "message"), HEADS.values(), ids=HEADS.keys())
def test_a_table_whose_head_cannot_be_used_is_refused(tmp_path, content, message):
    (tmp_path / "films.csv").write_bytes(content)

    with pytest.raises(DataError, match=f"films.csv, {message}"):
        list(read_rows(tmp_path / "films.csv"))


ROWS = {
    "latin-1": (
        b"title,year\nAm\xe9lie,2001\nSaw,2004\n",
        r"byte 0xE9 at position 3, which is 'é' in Windows-1252",
    ),
    "smart quotes": (b"title,year\n\x93Saw\x94,2004\nSaw,2004\n", "byte 0x93 at position 1, which is '“'"),
    "nul bytes": (b"title,year\nUp\x00,2009\nSaw,2004\n", "NUL bytes"),
    "nul bytes for a row": (b"title,year\n\x00\x00\x00\nSaw,2004\n", "NUL bytes"),
    "comma in a title": (
        b"title,year\nCook, Thief,1989\nSaw,2004\n",
        "a field that holds ',' must be quoted",
    ),
}


@pytest.mark.parametrize(("content", "message"), ROWS.values(), ids=ROWS.keys())
def test_a_row_of_a_table_that_cannot_be_read_says_why_and_the_next_is_read(tmp_path, content, message):
    (tmp_path / "films.csv").write_bytes(content)

    (number, problem), after = try_rows(tmp_path / "films.csv")

    assert number == 2
    with pytest.raises(DataError, match=message):
        raise problem
    assert after == (3, {"title": "Saw", "year": "2004"})


LINES = {
    "repeated key": (
        b'{"title": "Saw", "year": 2004, "title": "Up"}',
        "the key 'title' occurs more than once",
    ),
    "repeated key inside": (b'{"a":[{"b":1,"b":2}]}', "the key 'b' occurs more than once"),
    "repeated key with a blank": (b'{"a" : 1, "a": 2}', "the key 'a' occurs more than once"),
    "repeated key and quotation marks": (
        rb'{"a": "\u0022\u0022", "a": 2}',
        "the key 'a' occurs more than once",
    ),
    "repeated key spelled otherwise": (rb'{"a": 1, "\u0061": 2}', "the key 'a' occurs more than once"),
    "infinity": (b'{"year": -Infinity}', "not finite"),
    "comment": (b'{"year": 2004 // of release\n}', "JSON does not have comments"),
    "comment line": (b"# films", "JSON does not have comments"),
    "single quotes": (b"{'title': 'Saw'}", "JSON requires double quotes"),
    "python": (b'{"seen": True}', "JSON writes true, false and null"),
    "comma behind": (b'{"title": "Saw"},', "a comma follows the value"),
    "comma inside": (b'{"title": "Saw",}', "double quotes|before the closing bracket"),
    "nul bytes": (b'{"title": "Saw\x00"}', "NUL bytes"),
    "latin-1": (b'{"title": "Am\xe9lie"}', "byte 0xE9"),
    "a table": (b"title,year", "a table needs a name that ends in .csv or .tsv"),
}


@pytest.mark.parametrize(("line", "message"), LINES.values(), ids=LINES.keys())
def test_a_line_that_is_not_json_says_why_and_the_next_is_read(tmp_path, line, message):
    (tmp_path / "films.jsonl").write_bytes(b'{"a": 0}\n' + line.replace(b"\n", b" ") + b'\n{"a": 1}\n')

    before, (number, problem), after = try_rows(tmp_path / "films.jsonl")

    assert (before, number, after) == ((1, {"a": 0}), 2, (3, {"a": 1}))
    with pytest.raises(DataError, match=message):
        raise problem


def test_an_array_that_is_cut_off_gives_its_whole_elements_and_says_so(tmp_path):
    (tmp_path / "films.json").write_text('[\n{"title": "Saw"},\n{"title": "Up"},\n{"tit')

    rows = list(try_rows(tmp_path / "films.json"))

    assert [row for _, row in rows[:2]] == [{"title": "Saw"}, {"title": "Up"}]
    assert rows[2][0] == 4
    assert "not valid JSON" in str(rows[2][1])
    assert len(rows) == 3


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"], ids=["nothing", "blank", "mark"])
def test_an_empty_file_has_no_rows_and_an_empty_catalog_is_refused(tmp_path, content):
    (tmp_path / "films.jsonl").write_bytes(content)
    (tmp_path / "films.csv").write_bytes(b"title,year\n")
    (tmp_path / "films.json").write_bytes(b"[]\n")

    assert list(read_rows(tmp_path / "films.jsonl")) == []
    for name in ("films.jsonl", "films.csv", "films.json"):
        with pytest.raises(DataError, match="is empty; expected at least one row"):
            read_catalog(tmp_path / name)


U_ITEM = (
    b"1|Toy Story (1995)|01-Jan-1995||http://us.imdb.com/M/title-exact?Toy%20Story%20(1995)"
    b"|0|0|0|1|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
    b"543|Mis\xe9rables, Les (1995)|01-Jan-1995||http://us.imdb.com/M|0|0|0|0|0|0|0|0|1|0|0|0|1|0|0|0|0|0|0\n"
)


def test_movielens_files_without_a_head_are_read(tmp_path):
    (tmp_path / "u.item").write_bytes(U_ITEM)
    (tmp_path / "u.data").write_bytes(b"196\t242\t3\t881250949\n186\t302\t3\t891717742\n")
    (tmp_path / "movies.dat").write_bytes(
        b"1::Toy Story (1995)::Animation|Comedy\n73::Mis\xe9rables, Les (1995)::Drama\n"
    )
    (tmp_path / "ratings.dat").write_bytes(b"1::1193::5::978300760\n1::661::3.5::978302109\n")

    toy_story, miserables = read_rows(tmp_path / "u.item")
    assert (toy_story["movieId"], toy_story["title"]) == ("1", "Toy Story (1995)")
    assert toy_story["genres"] == "Animation|Children's|Comedy"
    assert (miserables["title"], miserables["genres"]) == ("Misérables, Les (1995)", "Drama|Musical")
    assert list(read_rows(tmp_path / "movies.dat")) == [
        {"movieId": "1", "title": "Toy Story (1995)", "genres": "Animation|Comedy"},
        {"movieId": "73", "title": "Misérables, Les (1995)", "genres": "Drama"},
    ]
    for name in ("u.item", "movies.dat"):
        assert read_catalog(tmp_path / name).find("Misérables, Les", 1995) == 1
    rated = {"userId": "1", "movieId": "1193", "rating": "5", "timestamp": "978300760"}
    assert next(read_rows(tmp_path / "ratings.dat")) == rated
    assert next(read_rows(tmp_path / "u.data")) == {
        "userId": "196",
        "movieId": "242",
        "rating": "3",
        "timestamp": "881250949",
    }


def test_recbole_files_are_read_under_the_names_of_movielens(tmp_path):
    (tmp_path / "ml.item").write_text(
        "item_id:token\tmovie_title:token_seq\trelease_year:token\tgenre:token_seq\n"
        "1\tToy Story\t1995\tComedy\n"
    )
    (tmp_path / "ml.inter").write_text(
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\n196\t242\t3\t881250949\n"
    )

    assert list(read_rows(tmp_path / "ml.item")) == [
        {"movieId": "1", "title": "Toy Story", "year": "1995", "genres": "Comedy"}
    ]
    assert list(read_rows(tmp_path / "ml.inter")) == [
        {"userId": "196", "movieId": "242", "rating": "3", "timestamp": "881250949"}
    ]
    assert read_catalog(tmp_path / "ml.item").find("Toy Story", 1995) == 0


@pytest.mark.parametrize("name", ["films.arrow", "films.feather", "films.csv"])
def test_arrow_and_feather_files_are_read_whatever_their_name(tmp_path, name):
    table = pa.Table.from_pylist(OBJECTS)
    pa.feather.write_feather(table, tmp_path / name)
    with (
        pa.OSFile(str(tmp_path / f"stream-{name}"), "wb") as out,
        pa.ipc.new_stream(out, table.schema) as stream,
    ):
        stream.write_table(table)
    pq.write_table(table, tmp_path / f"parquet-{name}")

    for file in (name, f"stream-{name}", f"parquet-{name}"):
        assert list(read_rows(tmp_path / file)) == OBJECTS


def test_bytes_that_are_text_durations_and_missing_floats_of_parquet_become_values_of_json(tmp_path):
    row = {
        "title": b"Saw",
        "length": timedelta(minutes=103, milliseconds=500),
        "score": float("nan"),
        "answers": [{"risk": float("nan"), "by": b"me"}, None],
        "year": 2004,
    }
    pq.write_table(pa.Table.from_pylist([row, dict.fromkeys(row)]), tmp_path / "films.parquet")

    first, second = read_rows(tmp_path / "films.parquet")

    assert first == {
        "title": "Saw",
        "length": 6180.5,
        "score": None,
        "answers": [{"risk": None, "by": "me"}, None],
        "year": 2004,
    }
    assert set(second.values()) == {None}


def test_bytes_that_are_not_text_are_refused_with_their_column(tmp_path):
    pq.write_table(pa.table({"title": ["Saw"], "poster": [b"\xff\xd8\xff"]}), tmp_path / "films.parquet")

    with pytest.raises(DataError, match="column 'poster' holds bytes that are not UTF-8 text"):
        list(read_rows(tmp_path / "films.parquet"))


def test_whole_decimals_of_parquet_keep_every_digit(tmp_path):
    ids = [Decimal(12345678901234567891), Decimal(7), None]
    numbers = pa.array(ids, pa.decimal128(38, 0))
    films = pa.array([7, 7, None], pa.decimal128(18, 0))
    pq.write_table(pa.table({"user": numbers, "film": films}), tmp_path / "views.parquet")

    assert list(read_rows(tmp_path / "views.parquet")) == [
        {"user": "12345678901234567891", "film": 7},
        {"user": "7", "film": 7},
        {"user": None, "film": None},
    ]


def test_a_column_of_decimals_has_one_type_however_many_rows_there_are(tmp_path):
    ids = pa.array([*[Decimal(7)] * 1000, Decimal(12345678901234567891)], pa.decimal128(38, 0))
    pq.write_table(pa.table({"user": ids}), tmp_path / "views.parquet")

    assert {row["user"] for row in read_rows(tmp_path / "views.parquet")} == {"7", "12345678901234567891"}


@pytest.mark.parametrize("inside", [False, True], ids=["a column", "a field of a struct"])
def test_a_name_that_occurs_twice_in_parquet_is_refused(tmp_path, inside):
    twice = [pa.array(["Saw"]), pa.array(["Up"])], ["title", "title"]
    films = pa.StructArray.from_arrays(*twice)
    table = pa.table({"films": films}) if inside else pa.Table.from_arrays(*twice)
    pq.write_table(table, tmp_path / "films.parquet")

    with pytest.raises(DataError, match=r"films.parquet: column 'title' occurs more than once"):
        list(read_rows(tmp_path / "films.parquet"))


def test_a_folder_of_shards_is_refused_with_the_code_that_joins_them(tmp_path):
    for number in range(2):
        pq.write_table(pa.table({"prompt": [f"Hi {number}"]}), tmp_path / f"train-{number}.parquet")

    with pytest.raises(
        DataError, match=r"name a file, or join its parts .*load_dataset\('parquet', data_files="
    ):
        list(read_rows(tmp_path))


def test_a_column_without_a_value_in_one_split_is_read_as_missing(tmp_path):
    pq.write_table(pa.table({"prompt": ["Hi"], "note": pa.nulls(1)}), tmp_path / "train.parquet")
    pq.write_table(pa.table({"prompt": ["Hi"], "note": [["a"]]}), tmp_path / "test.parquet")

    assert list(read_rows(tmp_path / "train.parquet")) == [{"prompt": "Hi", "note": None}]
    assert list(read_rows(tmp_path / "test.parquet")) == [{"prompt": "Hi", "note": ["a"]}]
