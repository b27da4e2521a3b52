"""Run folders."""

import hashlib
import json
import math

import pytest
import yaml

from saferec_core.config.schema import TrainConfig
from saferec_core.errors import RunError
from saferec_core.files import data_hash
from saferec_core.runs.folder import RunFolder


def config(tmp_path, **settings):
    return TrainConfig.model_validate({"output_dir": tmp_path / "runs", **settings})


def rows_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_run_gets_a_folder_of_its_own_with_its_resolved_configuration(tmp_path):
    settings = config(tmp_path, seed=5)
    folder = RunFolder.create(settings, "train")

    assert folder.path.parent == tmp_path / "runs"
    assert "-train-" in folder.path.name
    written = yaml.safe_load((folder.path / "config.yaml").read_text(encoding="utf-8"))
    assert TrainConfig.model_validate(written) == settings


def test_runs_with_other_settings_get_other_names(tmp_path):
    names = {RunFolder.create(config(tmp_path, seed=seed), "train").path.name for seed in range(5)}

    assert len(names) == 5


def test_a_named_run_that_is_there_is_not_written_over(tmp_path):
    settings = config(tmp_path, run_name="mine")
    folder = RunFolder.create(settings, "train")
    (folder.path / "config.yaml").write_text("kept")

    with pytest.raises(RunError, match=r"runs/mine is there already and is not overwritten.*--run-name"):
        RunFolder.create(settings, "train")
    assert (folder.path / "config.yaml").read_text() == "kept"


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "runs").write_text("a file where the folder should be")

    with pytest.raises(RunError, match="cannot be made"):
        RunFolder.create(config(tmp_path, run_name="mine"), "train")


def test_a_stage_has_its_folder_within_the_run(tmp_path):
    settings = config(tmp_path, run_name="mine")
    stage = RunFolder.create(settings, "train").nested("sft", settings)

    assert stage.path == tmp_path / "runs" / "mine" / "sft"
    assert (stage.path / "config.yaml").is_file()


def test_rows_are_appended_and_what_is_no_value_is_null(tmp_path):
    folder = RunFolder(tmp_path)
    folder.append("deep/rows.jsonl", [{"a": math.nan, "b": [1.0, math.nan], "c": {"d": math.nan}}])
    folder.append("deep/rows.jsonl", [{"title": "Amélie"}])

    assert rows_of(tmp_path / "deep" / "rows.jsonl") == [
        {"a": None, "b": [1.0, None], "c": {"d": None}},
        {"title": "Amélie"},
    ]


def test_what_is_written_is_json_also_for_infinite_values(tmp_path):
    RunFolder(tmp_path).append("rows.jsonl", [{"loss": math.inf, "grad": [-math.inf]}])

    def refuse(constant):
        raise AssertionError(constant)

    text = (tmp_path / "rows.jsonl").read_text(encoding="utf-8")
    assert json.loads(text, parse_constant=refuse)


def test_the_manifest_tells_versions_plugins_data_and_seed(tmp_path, plugins):
    for name in ("train.jsonl", "oracle.jsonl"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    settings = config(
        tmp_path,
        run_name="mine",
        seed=7,
        data={"train_path": tmp_path / "train.jsonl"},
        oracle={"name": "table", "path": str(tmp_path / "oracle.jsonl")},
    )
    folder = RunFolder.create(settings, "train")
    folder.write_manifest(settings, plugins)

    manifest = json.loads((folder.path / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["seed"] == 7
    assert manifest["versions"].keys() >= {"saferec", "torch", "transformers", "trl", "peft"}
    assert manifest["plugins"]["oracle:table"] == f"saferec {manifest['versions']['saferec']}"
    hashes = {name: entry["sha256"] for name, entry in manifest["data"].items()}
    assert hashes["train_path"] == hashlib.sha256(b"train.jsonl").hexdigest()
    # The oracle's table decides every safety figure.
    assert hashlib.sha256(b"oracle.jsonl").hexdigest() in hashes.values()


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
