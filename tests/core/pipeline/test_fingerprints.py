"""What a step's result depends on."""

import os

import pytest

from saferec_core.config.choices import ComponentChoice
from saferec_core.errors import DataError
from saferec_core.files import data_hash
from saferec_core.pipeline.fingerprints import step_key
from saferec_core.plugins.build import build


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


def test_a_pipe_has_no_hash(tmp_path):
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(DataError, match="pipe is neither a file nor a folder; write it to a file first"):
        data_hash(tmp_path / "pipe")
