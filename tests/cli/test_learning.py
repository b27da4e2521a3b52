"""A default run learns: how many weights move, and what keeps a run from moving them."""

import json

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer


@pytest.fixture(scope="session")
def half(world, tmp_path_factory):
    """The tiny model as most are published: in bfloat16."""
    folder = tmp_path_factory.mktemp("half") / "model"
    AutoModelForCausalLM.from_pretrained(world / "model", dtype=torch.bfloat16).save_pretrained(folder)
    AutoTokenizer.from_pretrained(world / "model").save_pretrained(folder)
    return folder


def share_moved(before, after):
    old, new = load_file(before / "model.safetensors"), load_file(after / "model.safetensors")
    assert old.keys() == new.keys()
    changed = sum(int((new[name].float() != old[name].float()).sum()) for name in old)
    return changed / sum(tensor.numel() for tensor in old.values())


RL = (
    *("--learning-rate", 1e-6, "--lambda-count", 1, "--target-count", 5, "--eval-prompts", 0),
    *("--per-device-train-batch-size", 32),  # so many groups that in each step some siblings differ
)


def test_four_steps_of_rl_at_the_reference_rate_move_nearly_every_weight(main, tiny, half, tmp_path):
    outcome = main("train", tiny / "run.yaml", "--model", half, *RL, "--max-steps", 4)

    assert outcome.status == 0, outcome.err
    run = tmp_path / "runs" / "run"
    assert share_moved(half, run / "policy") >= 0.99
    assert "weights in float32" in outcome.out
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["precision"]["trained"].startswith("float32 (")
    assert manifest["precision"]["compute"] == "float32"
    rows = map(json.loads, (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    shares = [row["weights_moved"] for row in rows if "weights_moved" in row]
    assert len(shares) == 4
    assert min(shares) > 0.95


def test_four_steps_of_safe_sft_move_nearly_every_weight_also_under_autocast(main, tiny, half, tmp_path):
    outcome = main(
        *("sft", "--model", half, "--train-path", tiny / "train.jsonl", "--bf16", "--max-steps", 4),
        *("--catalog-path", tiny / "catalog.jsonl", "--per-device-train-batch-size", 8, "--run-name", "run"),
        *("--gradient-accumulation-steps", 1, "--save-strategy", "no", "--logging-steps", 1),
        *("--num-ranks", 10, "--max-completion-length", 16),
    )

    assert outcome.status == 0, outcome.err
    assert share_moved(half, tmp_path / "runs" / "run" / "policy") >= 0.99
    assert "auto: this machine has no GPU" in outcome.out or torch.accelerator.is_available()


def test_a_rate_that_bfloat16_weights_swallow_is_refused_before_the_first_step(main, tiny, half):
    outcome = main("train", tiny / "run.yaml", "--model", half, *RL, "--dtype", "bfloat16")

    assert outcome.status == 2
    assert "a learning rate of 1e-06 cannot train these weights: in bfloat16" in outcome.err
    assert "Leave --dtype out" in outcome.err


def test_the_first_step_stops_a_run_whose_weights_stay_where_they_are(main, tiny, half, monkeypatch):
    from saferec_core.preflight import check
    from saferec_core.training.trl import update_check

    for module, name in ((check, "check_rates"), (update_check, "check_rate")):
        monkeypatch.setattr(module, name, lambda *_: None)  # as if it had passed the first checks
    outcome = main("train", tiny / "run.yaml", "--model", half, *RL, "--dtype", "bfloat16")

    assert outcome.status == 2
    assert "the first optimizer step moved only" in outcome.err


def test_adapters_on_bfloat16_weights_are_trained_in_float32(main, tiny, half, tmp_path):
    outcome = main("train", tiny / "run.yaml", "--model", half, *RL, "--use-lora", "--lora-r", 2)

    assert outcome.status == 0, outcome.err
    assert "A learning rate of 1e-06 suits full weights" in outcome.out
    adapter = load_file(tmp_path / "runs" / "run" / "policy" / "adapter_model.safetensors")
    assert {tensor.dtype for tensor in adapter.values()} == {torch.float32}
    manifest = json.loads((tmp_path / "runs" / "run" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["precision"]["frozen"].startswith("bfloat16")


def test_a_step_whose_gradient_is_not_finite_is_not_taken(main, tiny, world, tmp_path):
    outcome = main(
        *("sft", "--model", world / "model", "--train-path", tiny / "train.jsonl", "--max-steps", 4),
        *("--catalog-path", tiny / "catalog.jsonl", "--per-device-train-batch-size", 8, "--run-name", "run"),
        *("--gradient-accumulation-steps", 1, "--save-strategy", "no", "--logging-steps", 1),
        *("--num-ranks", 10, "--max-completion-length", 16, "--learning-rate", 1e30, "--warmup-ratio", 0),
    )

    assert outcome.status == 2
    assert "the gradient of step 2 is not finite, so the step was not taken" in outcome.err
    assert "a smaller --learning-rate" in " ".join(outcome.err.split())
