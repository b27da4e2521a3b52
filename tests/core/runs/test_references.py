"""The policy that a run measures its KL divergence from, also where it is resumed or goes on from another."""

from __future__ import annotations

import json

import pytest

from saferec_core.config.schema import TrainConfig
from saferec_core.config.settings import as_yaml
from saferec_core.runs.layout import RunLayout
from saferec_core.runs.references import Reference, policies_of, reference_of, reference_of_begun


@pytest.fixture
def run_of_rl(tmp_path):
    """Make the folder of a Safe-Rank-GRPO run; its manifest names its policies if they are given."""

    def make(name, *policies, stage="train"):
        run = RunLayout(tmp_path / name)
        run.policy.mkdir(parents=True)
        settings = {"model": {"model": str(tmp_path / "sft")}}
        run.config.write_text(as_yaml(TrainConfig.model_validate(settings)), encoding="utf-8")
        stated = policies_of(run, *policies) if policies else {}
        run.manifest.write_text(json.dumps({"stage": stage, **stated}), encoding="utf-8")
        return run

    (tmp_path / "sft").mkdir()
    return make


def test_the_reference_of_a_run_is_kept_however_often_training_goes_on(run_of_rl, tmp_path):
    first = run_of_rl("first")
    kept = reference_of(str(first.policy), None)
    assert kept == Reference(str(tmp_path / "sft"), first.path)

    second = run_of_rl("second", str(first.policy), kept)
    assert reference_of(str(second.policy), None) == Reference(str(tmp_path / "sft"), second.path)
    assert reference_of(str(second.policy), "start") is None
    assert reference_of(str(second.policy), "org/model") == Reference("org/model")


def test_a_policy_of_no_such_run_is_its_own_reference(run_of_rl, tmp_path):
    assert reference_of(str(tmp_path / "sft"), None) is None
    assert reference_of("org/model", None) is None
    assert reference_of(str(run_of_rl("sft-run", stage="sft").policy), None) is None


def test_folders_within_a_run_are_found_after_it_was_moved(run_of_rl, tmp_path):
    (tmp_path / "before" / "base").mkdir(parents=True)
    run = run_of_rl("before", str(tmp_path / "before" / "base"), None)
    stated = json.loads(run.manifest.read_text(encoding="utf-8"))
    assert (stated["start"], stated["reference"]) == ("base", {"policy": "base"})

    moved = RunLayout(run.path.rename(tmp_path / "after"))
    assert reference_of(str(moved.policy), None) == Reference(str(moved.base), moved.path)


def test_a_resumed_run_stays_with_the_reference_that_it_has_trained_against(run_of_rl, tmp_path):
    first = run_of_rl("first")
    start, kept = str(first.policy), Reference(str(tmp_path / "sft"), first.path)
    begun, at_the_start = run_of_rl("begun", start, kept), run_of_rl("start", start, None)
    older = run_of_rl("older")  # trained before manifests named the reference
    new = RunLayout(tmp_path / "new")

    assert reference_of_begun(begun, start, None) == kept
    assert reference_of_begun(at_the_start, start, None) is None
    assert reference_of_begun(older, start, None) is None
    assert reference_of_begun(new, start, None) == kept
