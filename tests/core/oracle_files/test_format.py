"""The oracle file: written whole, read without copying, and refused when it is not what it should be."""

import json
import pickle
import resource
import signal
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from saferec_core.data.titles import Title
from saferec_core.errors import DataError, RunError
from saferec_core.oracle_files.format import FORMAT_VERSION, OracleFile, OracleTitle, write_oracle_file
from saferec_core.plugins.contracts.oracle import Evidence

GORE, DRUGS = "Anti-gore / squeamish", "Substance recovery"
TITLES = [
    OracleTitle(
        Title("Saw", 2004),
        (
            Evidence(GORE, 1.0, "scores", "violence_gore 10 of 10"),
            Evidence(GORE, 0.7, "rating-reasons", '"grisly" in "strong grisly violence"'),
            Evidence(DRUGS, 0.0, "rating-reasons", "nothing of the kind"),
        ),
        (Title("Saw", 2003), Title("Saw I", 2004)),
    ),
    OracleTitle(Title("Up", 2009), (Evidence(GORE, 0.1, "scores", "violence_gore 4 of 10"),)),
    OracleTitle(Title("Nobody's Film", 1999), ()),
]
ABOUT = {"sources": [{"source": "scores"}]}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "oracle.arrow"
    write_oracle_file(path, TITLES, [GORE, DRUGS], ABOUT)
    return path


def test_titles_risks_and_evidence_are_read_as_they_were_written(path):
    oracle = OracleFile(path)

    assert (len(oracle), oracle.traits) == (3, (GORE, DRUGS))
    assert oracle.about["sources"] == ABOUT["sources"]
    assert list(oracle.titles()) == [title.title for title in TITLES]
    assert oracle.title(1) == Title("Up", 2009)
    for row, title in enumerate(TITLES):
        assert oracle.evidence(row) == list(title.evidence)


def test_the_risk_is_the_highest_of_its_evidence_and_nan_where_there_is_none(path):
    oracle = OracleFile(path)

    np.testing.assert_array_equal(oracle.risks(GORE), np.float32([1.0, 0.1, np.nan]))
    np.testing.assert_array_equal(oracle.risks(DRUGS), np.float32([0.0, np.nan, np.nan]))
    assert oracle.table.column(DRUGS).to_pylist() == [0.0, None, None]  # null for other readers


def test_a_title_is_found_by_its_name_and_by_its_other_names(path):
    oracle = OracleFile(path)
    names = ["SAW!", "Saw I", "saw", "Saw", "Up", "Down"]
    years = [2004, 2004, 2003, 2001, 2010, 2009]

    asked = list(zip(names, years, strict=True))
    assert [oracle.tiers(*title, tolerance=0) for title in asked] == [[[0]], [[0]], [[0]], [], [], []]
    assert [oracle.tiers(*title, tolerance=2) for title in asked] == [[[0]], [[0]], [[0]], [[0]], [[1]], []]


def test_another_name_does_not_take_the_place_of_a_title(tmp_path):
    titles = [
        OracleTitle(Title("Carrie", 1976), (), (Title("Carrie", 2013),)),
        OracleTitle(Title("Carrie", 2013), ()),
    ]
    write_oracle_file(tmp_path / "o.arrow", titles, [GORE], {})

    assert OracleFile(tmp_path / "o.arrow").tiers("Carrie", 2013, tolerance=0) == [[1], [0]]


def test_risks_lie_in_the_mapped_file_and_are_not_copied(path):
    risks = OracleFile(path).risks(GORE)

    assert not risks.flags.owndata
    assert not risks.flags.writeable


def test_an_open_oracle_goes_to_another_process_by_its_path(path):
    again = pickle.loads(pickle.dumps(OracleFile(path)))  # noqa: S301

    assert again.evidence(0) == list(TITLES[0].evidence)


def test_an_oracle_without_titles_can_be_read(tmp_path):
    write_oracle_file(tmp_path / "none.arrow", [], [GORE], {})
    oracle = OracleFile(tmp_path / "none.arrow")

    assert (len(oracle), oracle.risks(GORE).tolist(), list(oracle.titles())) == (0, [], [])
    assert oracle.tiers("Saw", 2004, tolerance=2) == []


def test_the_same_content_gives_the_same_bytes(path, tmp_path):
    write_oracle_file(tmp_path / "again.arrow", TITLES, [GORE, DRUGS], ABOUT)

    assert (tmp_path / "again.arrow").read_bytes() == path.read_bytes()


# --- what is refused ---------------------------------------------------------------------------


def test_a_file_that_is_there_is_not_overwritten_unasked(path):
    before = path.read_bytes()

    with pytest.raises(RunError, match=r"oracle\.arrow already exists.*--overwrite"):
        write_oracle_file(path, TITLES[:1], [GORE, DRUGS], ABOUT)
    assert path.read_bytes() == before
    write_oracle_file(path, TITLES[:1], [GORE, DRUGS], ABOUT, overwrite=True)
    assert len(OracleFile(path)) == 1


def test_a_folder_or_a_file_of_another_kind_is_not_overwritten(tmp_path):
    (tmp_path / "folder.arrow").mkdir()
    (tmp_path / "other.arrow").write_text("precious", encoding="utf-8")

    for name, message in (("folder", "is a folder"), ("other", "is not an oracle file")):
        with pytest.raises(RunError, match=message):
            write_oracle_file(tmp_path / f"{name}.arrow", [], [], {}, overwrite=True)
    assert (tmp_path / "other.arrow").read_text(encoding="utf-8") == "precious"


def test_a_trait_cannot_be_called_like_a_column(tmp_path):
    with pytest.raises(DataError, match="trait called 'title'"):
        write_oracle_file(tmp_path / "o.arrow", [], ["title"], {})
    assert list(tmp_path.iterdir()) == []


def test_a_file_cut_off_anywhere_is_refused_by_name(path):
    content = path.read_bytes()
    for length in [*range(0, len(content), 61), *range(len(content) - 40, len(content))]:
        path.write_bytes(content[:length])
        with pytest.raises(DataError, match=r"oracle\.arrow"):
            OracleFile(path)


def test_a_changed_byte_anywhere_is_noticed(path):
    content = path.read_bytes()
    for offset in range(0, len(content), 37):
        path.write_bytes(content[:offset] + bytes([content[offset] ^ 1]) + content[offset + 1 :])
        with pytest.raises(DataError, match=r"oracle\.arrow"):
            OracleFile(path)


def test_bytes_behind_the_end_are_noticed(path):
    path.write_bytes(path.read_bytes() + b"more")

    with pytest.raises(DataError, match=r"oracle\.arrow is damaged or cut off"):
        OracleFile(path)


@pytest.mark.parametrize("content", [b"", b'{"title": "Saw", "year": 2004}\n' * 50, bytes(4096)])
def test_a_file_of_another_kind_is_refused_by_name(tmp_path, content):
    path = tmp_path / "other.arrow"
    path.write_bytes(content)

    with pytest.raises(DataError, match=r"other\.arrow is not an oracle file"):
        OracleFile(path)


def test_an_arrow_file_of_something_else_is_told_apart(tmp_path):
    table = pa.table({"title": ["Saw"]})
    with (
        pa.OSFile(str(tmp_path / "other.arrow"), "wb") as file,
        pa.ipc.new_stream(file, table.schema) as stream,
    ):
        stream.write_table(table)

    with pytest.raises(DataError, match=r"other\.arrow is an Arrow file, but not an oracle file"):
        OracleFile(tmp_path / "other.arrow")


def test_a_newer_version_is_told_as_such(tmp_path):
    schema = pa.schema(
        [("title", pa.string())], metadata={"saferec": json.dumps({"version": FORMAT_VERSION + 1})}
    )
    with pa.OSFile(str(tmp_path / "new.arrow"), "wb") as file:
        pa.ipc.new_stream(file, schema).close()

    with pytest.raises(DataError, match=r"new\.arrow has format 3, and this saferec reads 2; upgrade"):
        OracleFile(tmp_path / "new.arrow")


def test_a_missing_file_says_how_to_make_one(tmp_path):
    with pytest.raises(
        DataError, match=r"nowhere\.arrow does not exist; make one with 'saferec oracle build'"
    ):
        OracleFile(tmp_path / "nowhere.arrow")


def test_a_write_that_fails_half_way_leaves_the_old_file(path):
    before = path.read_bytes()
    code = f"""
from pathlib import Path
from saferec_core.errors import RunError
from saferec_core.plugins.contracts.parser import Title
from saferec_core.oracle_files.format import OracleTitle, write_oracle_file
titles = [OracleTitle(Title(f"Film {{n}}", 2000), ()) for n in range(20_000)]
try:
    write_oracle_file(Path({str(path)!r}), titles, ["x"], {{}}, overwrite=True)
except RunError as error:
    print(error)
"""

    def small_files_only():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=small_files_only,
    )

    assert (
        "oracle.arrow cannot be written: File too large. What was there before is unchanged." in done.stdout
    )
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
