"""Run folders."""

import hashlib
import json
import math

import pytest
import yaml

from saferec_core.config.schema import TrainConfig
from saferec_core.errors import RunError
from saferec_core.runs.folder import RunFolder
from saferec_core.runs.manifest import is_finished, stage_of


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

    with pytest.raises(RunError, match=r"runs/mine already exists and is not overwritten.*--run-name"):
        RunFolder.create(settings, "train")
    assert (folder.path / "config.yaml").read_text() == "kept"


def test_a_finished_run_of_that_name_is_called_finished_and_a_folder_of_something_else_what_it_is(tmp_path):
    settings = config(tmp_path, run_name="mine")
    folder = RunFolder.create(settings, "train")
    folder.extend_manifest({"finished": "2030-01-01T00:00:00+00:00"})
    (tmp_path / "runs" / "other").mkdir()

    with pytest.raises(
        RunError, match="holds a finished run and is not overwritten; choose another --run-name"
    ):
        RunFolder.create(settings, "train")
    with pytest.raises(RunError, match="runs/other already exists and is not a run folder"):
        RunFolder.create(config(tmp_path, run_name="other"), "train")


def test_a_damaged_manifest_is_named_with_what_to_do(tmp_path):
    folder = RunFolder.create(config(tmp_path, run_name="mine"), "train")
    folder.manifest.write_text('{"stage": "tra')

    assert not is_finished(folder)
    with pytest.raises(RunError, match=r"manifest\.json is damaged .* move it away to continue the run"):
        folder.extend_manifest({"finished": "now"})


def test_a_log_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "metrics.jsonl").mkdir()

    with pytest.raises(RunError, match=r"metrics\.jsonl cannot be written: Is a directory"):
        RunFolder.append(tmp_path / "metrics.jsonl", [{"step": 1}])


def test_a_run_folder_never_stands_without_its_configuration(tmp_path, monkeypatch):
    def killed(path, text):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("saferec_core.runs.folder.write_text", killed)
        with pytest.raises(KeyboardInterrupt):
            RunFolder.create(config(tmp_path, run_name="mine"), "train")

    assert list((tmp_path / "runs").iterdir()) == []
    assert RunFolder.create(config(tmp_path, run_name="mine"), "train").exists


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "runs").write_text("a file where the folder should be")

    with pytest.raises(RunError, match="cannot be made"):
        RunFolder.create(config(tmp_path, run_name="mine"), "train")


def test_a_stage_has_its_folder_within_the_run(tmp_path):
    settings = config(tmp_path, run_name="mine")
    stage = RunFolder.create(settings, "train").make_sft(settings)

    assert stage.path == tmp_path / "runs" / "mine" / "sft"
    assert (stage.path / "config.yaml").is_file()


def test_rows_are_appended_and_what_is_no_value_is_null(tmp_path):
    folder = RunFolder(tmp_path)
    folder.append(
        tmp_path / "deep" / "rows.jsonl", [{"a": math.nan, "b": [1.0, math.nan], "c": {"d": math.nan}}]
    )
    folder.append(tmp_path / "deep" / "rows.jsonl", [{"title": "Amélie"}])

    assert rows_of(tmp_path / "deep" / "rows.jsonl") == [
        {"a": None, "b": [1.0, None], "c": {"d": None}},
        {"title": "Amélie"},
    ]


def test_what_is_written_is_json_also_for_infinite_values(tmp_path):
    RunFolder.append(tmp_path / "rows.jsonl", [{"loss": math.inf, "grad": [-math.inf]}])

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
    folder.write_manifest(settings, plugins, "train")

    manifest = json.loads((folder.path / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["seed"] == 7
    assert stage_of(folder) == "train"
    assert manifest["versions"].keys() >= {"saferec", "torch", "transformers", "trl", "peft"}
    assert manifest["plugins"]["oracle:table"] == f"saferec {manifest['versions']['saferec']}"
    hashes = {name: entry["sha256"] for name, entry in manifest["data"].items()}
    assert hashes["train_path"] == hashlib.sha256(b"train.jsonl").hexdigest()
    # The oracle's table decides every safety figure.
    assert hashlib.sha256(b"oracle.jsonl").hexdigest() in hashes.values()


def test_the_manifest_of_a_run_that_is_resumed_keeps_its_beginning_and_lists_the_resumes(tmp_path, plugins):
    settings = config(tmp_path, run_name="mine")
    folder = RunFolder.create(settings, "train")
    folder.write_manifest(settings, plugins, "train")
    folder.extend_manifest({"created": "long ago"})

    for number in (1, 2):
        folder.write_manifest(settings, plugins, "train")
        manifest = json.loads(folder.manifest.read_text(encoding="utf-8"))
        assert manifest["created"] == "long ago"
        assert len(manifest["resumes"]) == number
    assert manifest["resumes"][0].keys() == {"time", "command", "launch"}
    assert manifest["launch"]["processes"] == 1
    assert "vllm" in manifest["versions"]
