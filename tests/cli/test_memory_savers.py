"""Four-bit weights and eight-bit optimizers, really used."""

from __future__ import annotations

import json
import warnings
from importlib.util import find_spec

import pytest
import torch
from safetensors.torch import load_file

from benchmarks.resume_soak import differences

WITHOUT = pytest.mark.skipif(
    find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed: saferec[quant]"
)


def needs_bitsandbytes(test):
    return pytest.mark.bitsandbytes(WITHOUT(test))


QLORA = ["--use-lora", "--lora-r", 4, "--load-in-4bit"]


@pytest.fixture(autouse=True)
def notices_of_bitsandbytes():
    """It warns that there is no GPU, and that paging needs one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def tensors(nested, path=""):
    """Yield the tensors of nested mappings with their paths; bitsandbytes wraps its state."""
    for key, value in nested.items():
        if isinstance(value, torch.Tensor):
            yield f"{path}.{key}", value
        elif isinstance(value, dict):
            yield from tensors(value, f"{path}.{key}")


@pytest.mark.slow
@needs_bitsandbytes
def test_adapters_learn_on_four_bit_weights_after_an_evaluation(main, tiny, tmp_path):
    steps = ["--max-steps", 2, "--learning-rate", 0.01, "--optim", "paged_adamw_8bit"]
    outcome = main("train", tiny / "run.yaml", *QLORA, *steps)

    assert outcome.status == 0, outcome.err
    run = tmp_path / "runs" / "run"
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    assert "nf4" in manifest["precision"]["frozen"]
    assert "nf4" in outcome.out
    adapter = load_file(run / "policy" / "adapter_model.safetensors")
    assert {tensor.dtype for tensor in adapter.values()} == {torch.float32}
    assert all(tensor.abs().max() > 0 for name, tensor in adapter.items() if "lora_B" in name)


@pytest.mark.slow
@needs_bitsandbytes
@pytest.mark.parametrize("optimizer", ["adamw_8bit", "paged_adamw_8bit", "lion_8bit"])
def test_the_state_of_an_eight_bit_optimizer_has_eight_bits(main, tiny, tmp_path, optimizer):
    saved = ["--optim", optimizer, "--save-strategy", "steps", "--save-steps", 1, "--eval-prompts", 0]
    outcome = main("train", tiny / "run.yaml", *saved)

    assert outcome.status == 0, outcome.err
    run = tmp_path / "runs" / "run"
    [state] = (run / "checkpoints").glob("*/optimizer.pt")
    embedding = load_file(run / "policy" / "model.safetensors")["model.embed_tokens.weight"]
    dtypes = [
        (tensor.dtype, tensor.shape == embedding.shape)
        for path, tensor in tensors(torch.load(state, weights_only=True)["state"])
        if path.rpartition(".")[2] in {"state1", "state2"} and tensor.numel() >= 4096
    ]
    assert len(dtypes) > 4
    # transformers keeps the state of embeddings in 32 bits: some of their rows hardly ever have a gradient.
    assert set(dtypes) == {(torch.uint8, False), (torch.float32, True)}


@pytest.mark.slow
@needs_bitsandbytes
def test_a_run_with_an_eight_bit_optimizer_that_is_stopped_after_every_step_is_equal_to_the_bit(
    main, tiny, tmp_path
):
    saved = ["--optim", "adamw_8bit", "--save-strategy", "steps", "--save-steps", 1, "--eval-prompts", 0]
    arguments = ["train", tiny / "run.yaml", *saved, "--max-steps", 3]
    assert main(*arguments, "--run-name", "alone").status == 0
    statuses = []
    while not statuses or statuses[-1] == 75:
        statuses.append(main(*arguments, "--max-time", "0.001s", "--resume").status)

    assert statuses == [75, 75, 75, 0]
    assert list(differences(tmp_path / "runs" / "alone", tmp_path / "runs" / "run")) == []


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        (["--load-in-4bit"], ["add --use-lora"]),
        ([*QLORA, "--use-vllm"], ["--use-vllm cannot serve the weights of --load-in-4bit"]),
        (["--use-vllm", "--compile-decoding"], ["leave it out with --use-vllm"]),
        (
            ["--load-in-4bit", "--compile-decoding", "--attn-implementation", "flash_attention_2"],
            ["add --use-lora", "--compile-decoding needs a GPU", "flash_attention_2 needs a GPU"],
        ),
    ],
    ids=["no-adapters", "vllm", "compiled-vllm", "everything-at-once"],
)
def test_what_cannot_work_together_is_refused_in_one_message(main, tiny, monkeypatch, arguments, messages):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    outcome = main("train", tiny / "run.yaml", *arguments)

    assert outcome.status == 2
    for message in messages:
        assert message in outcome.err
