"""Where things lie in a run folder."""

import json

import pytest

from saferec_core.runs.layout import RunLayout, checkpoint_step, run_of
from saferec_core.runs.manifest import stage_of


@pytest.fixture
def run(tmp_path):
    layout = RunLayout(tmp_path / "run")
    layout.checkpoint(100).mkdir(parents=True)
    layout.config.write_text("seed: 1\n")
    return layout


def test_whatever_lies_in_a_run_folder_belongs_to_it(run):
    run.sft.checkpoint(5).mkdir(parents=True)

    for folder in (run.path, run.checkpoint(100), run.sft.checkpoint(5)):
        assert run_of(folder) == run
    run.sft.config.write_text("max_length: 64\n")
    assert run_of(run.sft.checkpoint(5)) == run.sft
    assert run_of(run.path.parent) is None
    assert run_of(run.checkpoint(200)) is None  # does not exist


def test_the_manifest_states_the_stage_and_an_older_one_is_known_by_its_settings(run):
    assert stage_of(run) == "train"
    run.config.write_text("max_length: 64\n")
    assert stage_of(run) == "sft"
    run.manifest.write_text(json.dumps({"stage": "eval"}))
    assert stage_of(run) == "eval"


@pytest.mark.parametrize("content", ["", "- a\n", "a: ["], ids=["empty", "a list", "not YAML"])
def test_a_folder_of_somebody_else_has_no_stage(run, content):
    run.config.write_text(content)

    assert stage_of(run) is None


def test_a_checkpoint_is_known_by_its_name():
    assert checkpoint_step("checkpoint-20") == 20
    assert checkpoint_step("old-checkpoint-20") is None
    assert checkpoint_step("checkpoint-last") is None
