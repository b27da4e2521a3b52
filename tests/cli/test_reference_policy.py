"""The policy that the KL divergence is measured from, where training goes on from a Safe-Rank-GRPO run."""

from __future__ import annotations

import json
import shutil

import pytest

WEIGHTS = {"full": (), "lora": ("--use-lora", "--lora-r", 4)}
SHORT = ("--eval-prompts", 0, "--logging-steps", 1)


def figures(run):
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [row["kl"] for row in rows if "kl" in row]


def manifest(run):
    return json.loads((run / "manifest.json").read_text(encoding="utf-8"))


@pytest.fixture(params=WEIGHTS)
def first(main, tiny, tmp_path, request):
    """A run whose policy is far from the one that it began with; returns the flags of its kind too."""
    flags = (tiny / "run.yaml", *WEIGHTS[request.param], *SHORT, "--kl-beta", 0.01)
    outcome = main("train", *flags, "--max-steps", 3, "--learning-rate", 0.02, "--run-name", "first")
    assert outcome.status == 0, outcome.err
    return (*flags, "--sft-checkpoint", "runs/first")


def test_training_that_starts_from_such_a_run_keeps_its_reference(main, world, tmp_path, first):
    outcome = main("train", *first, "--run-name", "second")

    assert outcome.status == 0, outcome.err
    assert "The KL divergence is measured from the reference of its run" in outcome.out + outcome.err
    second = tmp_path / "runs" / "second"
    assert manifest(second)["reference"] == {
        "policy": str(world / "model"),
        "kept_from": str(tmp_path / "runs" / "first"),
    }
    assert figures(second)[0] > 1e-3  # before the first update: as far as the first run went

    third = main("train", *first, "--sft-checkpoint", "runs/second", "--run-name", "third")
    assert third.status == 0, third.err
    assert manifest(tmp_path / "runs" / "third")["reference"]["policy"] == str(world / "model")


def test_the_policy_that_training_starts_from_is_the_reference_where_that_is_said(main, tmp_path, first):
    outcome = main("train", *first, "--reference-policy", "start", "--run-name", "second")

    assert outcome.status == 0, outcome.err
    second = tmp_path / "runs" / "second"
    stated = manifest(second)
    assert stated["reference"] == {"policy": stated["start"]}
    assert figures(second)[0] == pytest.approx(0, abs=1e-6)


@pytest.fixture
def trained(tmp_path, world, tiny):
    """A Safe-Rank-GRPO run as far as its reference is concerned, which has moved away."""
    run = tmp_path / "runs" / "first"
    shutil.copytree(world / "model", run / "policy")
    shutil.copy(tiny / "run.yaml", run / "config.yaml")
    stated = {"stage": "train", "start": "/gone", "reference": {"policy": "/gone"}}
    (run / "manifest.json").write_text(json.dumps(stated), encoding="utf-8")
    return run


def test_a_reference_that_is_gone_is_named_with_what_to_do_before_torch_is_imported(main, tiny, trained):
    again = ("train", tiny / "run.yaml", "--sft-checkpoint", "runs/first", "--dry-run")
    outcome = main(*again)

    printed = " ".join(outcome.out.split())
    assert outcome.status == 2
    assert (
        f"the reference policy of {trained}, from which training starts, no longer exists (/gone)" in printed
    )
    assert "'--reference-policy start' measures the KL divergence from the policy that this" in printed
    assert main(*again, "--reference-policy", "start").status == 0
    assert main(*again, "--kl-beta", 0).status == 0


def test_the_plan_names_a_kept_reference_and_its_memory(main, tiny, world, trained):
    stated = {"stage": "train", "reference": {"policy": str(world / "model")}}
    (trained / "manifest.json").write_text(json.dumps(stated), encoding="utf-8")
    flags = (tiny / "run.yaml", "--sft-checkpoint", "runs/first", "--use-lora", "--json")

    plan = json.loads(main("plan", *flags).out)
    assert plan["settings"]["reference_policy"] == {
        "value": str(world / "model"),
        "origin": f"the reference of {trained}",
    }
    assert plan["memory"]["reference policy"] == plan["memory"]["frozen weights"]
    alone = json.loads(main("plan", *flags, "--reference-policy", "start").out)
    assert "reference policy" not in alone["memory"]


def test_a_reference_of_another_model_is_refused(main, tiny, world):
    outcome = main("train", tiny / "run.yaml", *SHORT, "--reference-policy", world / "pieces")

    assert outcome.status == 2
    assert f"the reference policy {world / 'pieces'} has another vocabulary (900 tokens)" in outcome.err


def test_a_reference_without_weight_in_the_loss_has_no_effect_which_the_plan_says(main, tiny, world):
    flags = ("--reference-policy", world / "model", "--kl-beta", 0)
    outcome = main("train", tiny / "run.yaml", *SHORT, *flags)

    assert outcome.status == 0, outcome.err
    assert "reference_policy has no effect, since kl_beta is 0" in outcome.out


@pytest.mark.slow
@pytest.mark.bitsandbytes
def test_a_separate_reference_has_its_weights_in_four_bits_as_the_policy_has(main, tiny, world, tmp_path):
    pytest.importorskip("bitsandbytes", reason="needs saferec[quant]")
    reference = shutil.copytree(world / "model", tmp_path / "same-weights")
    flags = ("--reference-policy", reference, "--kl-beta", 0.01, "--max-steps", 2, "--learning-rate", 0.01)
    outcome = main("train", tiny / "run.yaml", *SHORT, *WEIGHTS["lora"], "--load-in-4bit", *flags)

    assert outcome.status == 0, outcome.err
    first, second = figures(tmp_path / "runs" / "run")
    assert first == pytest.approx(0, abs=1e-6)  # the same weights, rounded alike, score the same
    assert second > 1e-4
