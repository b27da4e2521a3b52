"""What a chain leaves: complete or not at all, and nothing of the user's overwritten."""

import json

import pytest
from filelock import FileLock

from saferec_core.errors import ConfigError, RunError
from saferec_core.pipeline.output import (
    alone_at,
    check_output,
    check_paths,
    is_up_to_date,
    publishing,
    write_manifest,
)


def make(output, key="a", **files):
    """Publish files, ``x_jsonl`` for x.jsonl."""
    with alone_at(output):
        check_output(output, key, overwrite=True)
        with publishing(output) as draft:
            for name, text in files.items():
                (draft / name.replace("_", ".")).write_text(text)
            write_manifest(draft, output, {"key": key})


def names(folder):
    return {path.name for path in folder.iterdir() if not path.name.endswith(".lock")}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "x.jsonl"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "ds"


def test_the_files_of_an_output_are_replaced_together(tmp_path, file):
    make(file, x_jsonl="1", x_removed_jsonl="2")
    assert names(tmp_path) == {"x.jsonl", "x.removed.jsonl", "x.manifest.json"}
    assert json.loads((tmp_path / "x.manifest.json").read_text())["files"] == {
        "x.jsonl": 1,
        "x.removed.jsonl": 1,
    }

    make(file, "b", x_jsonl="3", x_rejects_jsonl="4")

    assert names(tmp_path) == {"x.jsonl", "x.rejects.jsonl", "x.manifest.json"}
    assert is_up_to_date(file, "b")
    assert not is_up_to_date(file, "a")


def test_what_fails_while_it_is_written_leaves_the_old_files(tmp_path, file):
    make(file, x_jsonl="1", x_removed_jsonl="2")

    def fill_the_disk():
        with publishing(file) as draft:
            (draft / "x.jsonl").write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(RunError, match=r"x\.jsonl cannot be written: No space left.*unchanged"):
        fill_the_disk()

    assert names(tmp_path) == {"x.jsonl", "x.removed.jsonl", "x.manifest.json"}
    assert (file.read_text(), (tmp_path / "x.removed.jsonl").read_text()) == ("1", "2")
    assert is_up_to_date(file, "a")


@pytest.mark.parametrize("moved", [0, 1])
def test_a_replacement_that_was_killed_between_two_renames_is_completed(tmp_path, file, moved):
    make(file, x_jsonl="1", x_removed_jsonl="2")
    draft = tmp_path / ".x.jsonl.new"
    draft.mkdir()
    (draft / "x.jsonl").write_text("3")
    write_manifest(draft, file, {"key": "b"})
    if moved:
        (tmp_path / "x.manifest.json").unlink()
        (draft / "x.jsonl").replace(file)

    with alone_at(file):
        assert is_up_to_date(file, "b")

    assert file.read_text() == "3"
    assert names(tmp_path) == {"x.jsonl", "x.manifest.json"}


@pytest.mark.parametrize("name", ["x.removed.jsonl", "x.rejects.jsonl", "x.manifest.json"])
@pytest.mark.parametrize("made", [False, True])
def test_a_file_of_the_users_own_beside_an_output_is_kept(tmp_path, file, name, made):
    if made and name != "x.manifest.json":
        make(file, x_jsonl="1")
    (tmp_path / name).write_text("mine")

    with pytest.raises(RunError, match=rf"{name} .*not made by 'saferec data' and is not overwritten"):
        make(file, "b", x_jsonl="2")

    assert (tmp_path / name).read_text() == "mine"


def test_a_folder_with_a_file_of_the_users_own_is_not_replaced(folder):
    make(folder, README_md="r")
    (folder / "my_model").mkdir()
    (folder / "my_model" / "weights").write_text("mine")

    with pytest.raises(RunError, match=r"my_model/weights was not made by 'saferec data'"):
        make(folder, README_md="r")

    assert (folder / "my_model" / "weights").read_text() == "mine"


def test_a_file_that_comes_while_the_draft_is_written_is_kept(folder):
    make(folder, README_md="r")

    def publish_slowly():
        with publishing(folder) as draft:
            write_manifest(draft, folder, {"key": "b"})
            (folder / "late").write_text("mine")

    with pytest.raises(RunError, match="late was not made"):
        publish_slowly()

    assert (folder / "late").read_text() == "mine"
    assert is_up_to_date(folder, "a")


def test_a_damaged_output_is_not_up_to_date(folder):
    make(folder, README_md="r", card_html="c")
    (folder / "card.html").unlink()

    assert not is_up_to_date(folder, "a")
    check_output(folder, "a", overwrite=False)  # nothing of it can be missed

    (folder / "README.md").write_text("changed")
    with pytest.raises(RunError, match=r"README\.md has been changed since.*--overwrite"):
        check_output(folder, "a", overwrite=False)
    check_output(folder, "a", overwrite=True)


def test_two_processes_do_not_write_one_output(tmp_path, file):
    with (
        FileLock(tmp_path / ".x.jsonl.lock"),
        pytest.raises(RunError, match=r"another saferec is writing .*x\.jsonl"),
        alone_at(file),
    ):
        pass


@pytest.mark.parametrize(
    ("output", "source", "cache", "message"),
    [
        ("d", "d/train", "c", "contains or lies within the input"),
        ("d/out", "d", "c", "contains or lies within the input"),
        ("a.jsonl", "a.jsonl", "c", "contains or lies within the input"),
        ("a.jsonl", "a.removed.jsonl", "c", "contains or lies within the input"),
        ("d", "a.jsonl", "d/cache", "lies within the output"),
        ("d", "a.jsonl", "d", "lies within the output"),
        (".", "a.jsonl", "c", "expected the name of"),
        ("o.csv", "a.jsonl", "c", "ends with .jsonl"),
    ],
)
def test_an_output_in_the_place_of_what_is_read_is_refused(
    tmp_path, monkeypatch, output, source, cache, message
):
    monkeypatch.chdir(tmp_path)
    path = type(tmp_path)

    with pytest.raises(ConfigError, match=message):
        check_paths(path(output), path(source), path(cache))
