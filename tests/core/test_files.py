"""Files are written as a whole or not at all."""

import hashlib
import os

import pytest

from saferec_core import files
from saferec_core.errors import RunError
from saferec_core.files import data_hash, json_hash, replacing, write_text


def test_a_file_is_replaced_only_when_its_draft_is_complete_and_on_disk(tmp_path, monkeypatch):
    path = tmp_path / "deep" / "a.json"
    write_text(path, "old")
    synced = []
    monkeypatch.setattr(os, "fsync", lambda _: synced.append(path.read_text()))

    with pytest.raises(KeyError), replacing(path) as draft:
        draft.write_text({}["half"])
    assert (path.read_text(), synced) == ("old", [])

    write_text(path, "new")
    assert (path.read_text(), synced) == ("new", ["old"])
    assert [file.name for file in path.parent.iterdir()] == ["a.json"]


def test_what_cannot_be_written_is_named_and_leaves_the_old_content(tmp_path):
    (tmp_path / "folder").write_text("a file")

    with pytest.raises(RunError, match=r"folder/a\.json cannot be written: .* unchanged"):
        write_text(tmp_path / "folder" / "a.json", "new")


def test_a_hash_of_json_depends_on_the_content_alone():
    assert json_hash({"a": 1, "b": "\u00e9"}) == json_hash({"b": "\u00e9", "a": 1})
    assert json_hash([1, 2]) != json_hash([2, 1])
    assert json_hash(iter([[1, "a"], {"b": 2}])) == json_hash([[1, "a"], {"b": 2}])
    assert json_hash([iter([1, 2]), "c", iter(())]) == json_hash([[1, 2], "c", []])
    assert len(json_hash("\ud800")) == 64  # half of a surrogate pair, as damaged text has it


def test_a_hash_is_that_of_the_file(tmp_path):
    (tmp_path / "a").write_bytes(b"saferec")

    assert data_hash(tmp_path / "a") == hashlib.sha256(b"saferec").hexdigest()


def test_the_hash_of_a_folder_depends_on_contents_and_names_but_not_on_where_it_is(tmp_path):
    def folder(name, files):
        for file, content in files.items():
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return data_hash(tmp_path / name)

    first = folder("first", {"a": "1", "b/c": "2"})
    assert folder("same", {"b/c": "2", "a": "1"}) == first
    assert folder("content", {"a": "1", "b/c": "3"}) != first
    assert folder("name", {"a": "1", "b/d": "2"}) != first


def test_the_hash_of_a_file_is_remembered_while_nobody_changes_it(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_REMEMBERED_FROM", 0)
    path, times = tmp_path / "a", []
    monkeypatch.setattr(files, "_hash_now", lambda _: times.append(1) or str(len(times)))
    path.write_text("one")

    assert (data_hash(path), data_hash(path)) == ("1", "1")
    path.write_text("three")
    assert data_hash(path) == "2"
