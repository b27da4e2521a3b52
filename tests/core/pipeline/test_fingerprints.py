"""What a step's result depends on."""

import os
import sys
from importlib import import_module

import pytest

from saferec_core.config.choices import ComponentChoice
from saferec_core.errors import DataError
from saferec_core.files import data_hash
from saferec_core.pipeline.fingerprints import step_key
from saferec_core.plugins.build import build
from saferec_core.plugins.identity import code_hash


def test_a_rebuilt_oracle_changes_the_key_however_its_path_is_written(plugins, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    entry = plugins.transforms.get("filter-ground-truth")

    def key():
        oracle = ComponentChoice(name="table", path="oracle.jsonl")
        return step_key("before", entry, build(entry, {"oracle": oracle}))

    missing = key()
    (tmp_path / "oracle.jsonl").write_text('{"title": "Heat", "year": 1995, "risk": {"Gore": 0}}\n')
    first = key()
    assert key() == first != missing
    (tmp_path / "oracle.jsonl").write_text('{"title": "Heat", "year": 1995, "risk": {"Gore": 1}}\n')
    assert key() != first


def test_options_count_and_what_is_incidental_does_not(plugins):
    entry = plugins.transforms.get("assign-traits")

    def key(**options):
        return step_key("before", entry, build(entry, {"model": "tiny", **options}))

    assert key() == key(concurrency=3, timeout=1)
    assert len({key(), key(temperature=1), key(model="small")}) == 3


@pytest.mark.parametrize("has_init", [True, False], ids=["package", "namespace package"])
def test_code_and_data_of_a_package_count(tmp_path, monkeypatch, has_init):
    package = tmp_path / f"acme_words_{has_init}"
    package.mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    for name in ["code.py", "words.json", *(["__init__.py"] if has_init else [])]:
        (package / name).write_text("{}", encoding="utf-8")
    monkeypatch.setitem(sys.modules, package.name, import_module(package.name))

    hashes = []
    (package / "__pycache__").mkdir(exist_ok=True)
    for name in ("code.py", "words.json", "__pycache__/code.pyc.1234"):
        (package / name).write_text("{1: 2}", encoding="utf-8")
        code_hash.cache_clear()
        hashes.append(code_hash(package.name))

    assert hashes[0] != hashes[1] == hashes[2]


def test_a_pipe_has_no_hash(tmp_path):
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(DataError, match="pipe is neither a file nor a folder; write it to a file first"):
        data_hash(tmp_path / "pipe")
