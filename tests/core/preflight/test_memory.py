"""What a run keeps in memory, worked out by hand for a small model."""

from __future__ import annotations

import json

import pytest

from saferec_core.config.schema import SftConfig, TrainConfig
from saferec_core.config.settings import merged
from saferec_core.preflight.memory import estimate_memory

HIDDEN, VOCABULARY = 8, 100
SHAPES = {
    "model.embed_tokens.weight": [VOCABULARY, HIDDEN],  # 800
    "model.layers.0.self_attn.q_proj.weight": [8, 8],  # 64
    "model.layers.0.mlp.up_proj.weight": [16, 8],  # 128
    "model.norm.weight": [8],
}
WEIGHTS = 1000


@pytest.fixture
def model(tmp_path):
    """A folder whose file of weights has a header and no weights, in bfloat16."""
    folder = tmp_path / "model"
    folder.mkdir()
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in SHAPES.items():
        size = 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)
    facts = {"num_attention_heads": 2, "num_key_value_heads": 1, "hidden_size": 8, "num_hidden_layers": 1}
    (folder / "config.json").write_text(json.dumps(facts), encoding="utf-8")
    return folder


def parts(kind, folder, optimizer="adamw_torch", **changes):
    config = kind.model_validate(merged([{"model": {"model": str(folder)}}, changes]))
    return dict(estimate_memory(config, optimizer, processes=1).parts)


def test_all_weights_are_trained_in_float32_with_two_moments_each(model):
    assert parts(SftConfig, model) == {
        "weights": 4 * WEIGHTS,
        "gradients": 4 * WEIGHTS,
        "optimizer state": 8 * WEIGHTS,
    }


def test_reinforcement_learning_adds_a_reference_and_the_cache_of_a_generation_batch(model):
    batch = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 2}
    added = parts(
        TrainConfig, model, optimization=batch, max_completion_length=10, data={"max_prompt_length": 30}
    )

    assert added["reference policy"] == 4 * WEIGHTS
    # 8 completions of 40 tokens, keys and values of one head of width 4 in one layer, 4 bytes each
    assert added["KV cache of a generation batch"] == 8 * 40 * 2 * 1 * 4 * 4


def test_without_a_penalty_there_is_no_reference(model):
    assert "reference policy" not in parts(TrainConfig, model, kl_beta=0)


def test_adapters_leave_the_other_weights_as_they_are_stored(model):
    adapters = parts(SftConfig, model, "adamw_8bit", model={"use_lora": True, "lora_r": 2})
    trained = 2 * (8 + 8) + 2 * (16 + 8)

    assert adapters == {
        "frozen weights": 2 * WEIGHTS,
        "adapters": 4 * trained,
        "gradients": 4 * trained,
        "optimizer state": 2 * trained,
    }


def test_only_linear_layers_are_stored_in_four_bits(model):
    frozen = parts(SftConfig, model, model={"use_lora": True, "load_in_4bit": True})["frozen weights"]

    assert frozen == 2 * (800 + 8) + 34 + 68  # 64 and 128 weights, in 0.53125 bytes each


def test_a_model_that_is_not_on_disk_has_no_estimate():
    assert estimate_memory(SftConfig.model_validate({"model": {"model": "org/name"}}), "sgd", 1) is None
