"""Decoding in a cache of fixed size writes what it does in a growing one, compiled and under autocast."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, CompileConfig, GenerationConfig, LlamaConfig

from saferec_core.models.compiled_decoding import AutocastCache, decode_compiled

PAD, END = 0, 1


@pytest.fixture
def model() -> Any:
    """Build a network with random weights in float32, peaked enough that bfloat16 changes no choice."""
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=97,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    built = AutoModelForCausalLM.from_config(config).float().eval()
    built.lm_head.weight.data *= 30
    return built


@pytest.fixture(autouse=True)
def nothing_compiled_before() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def prompts(width: int) -> dict[str, Tensor]:
    """Return three prompts, the first two tokens shorter than the others and padded on the left."""
    ids = torch.arange(2, 2 + 3 * width).remainder(90).add(2).view(3, width)
    ids[0, :2] = PAD
    return {"input_ids": ids, "attention_mask": (ids != PAD).long()}


def greedy() -> GenerationConfig:
    return GenerationConfig(do_sample=False, max_new_tokens=12, eos_token_id=END, pad_token_id=PAD)


def settings_that_compile(model: Any) -> GenerationConfig:
    """Return what a GPU is given, and let a processor compile too: traced, and run by Python."""
    config = greedy()
    decode_compiled(model, config)
    config.compile_config = CompileConfig(backend="eager", mode=None, fullgraph=True)
    config.compile_config._compile_all_devices = True
    return config


def caches_of(model: Any) -> list[Any]:
    """Return a list that gets the cache of every pass that is not compiled, which reading a prompt is."""
    caches: list[Any] = []

    def note(_module: Any, _args: Any, options: dict[str, Any]) -> None:
        if not torch.compiler.is_compiling():
            caches.append(options["past_key_values"])

    model.base_model.register_forward_pre_hook(note, with_kwargs=True)
    return caches


def test_no_token_changes_in_float32(model: Any) -> None:
    expected = model.generate(**prompts(6), generation_config=greedy())
    config = settings_that_compile(model)

    assert torch.equal(model.generate(**prompts(6), generation_config=config), expected)
    assert model._compiled_call is not None


def test_keys_and_values_of_two_types_share_a_cache_under_autocast(model: Any) -> None:
    config = settings_that_compile(model)
    caches = caches_of(model)

    with torch.autocast("cpu", torch.bfloat16):
        expected = model.generate(**prompts(6), generation_config=greedy())
        written = model.generate(**prompts(6), generation_config=config)

    assert torch.equal(written, expected)
    assert type(caches[-1]) is AutocastCache
    assert {layer.keys.dtype for layer in caches[-1].layers} == {torch.bfloat16}


def test_a_shorter_prompt_after_a_longer_one_finds_a_cache_of_the_same_length(model: Any) -> None:
    config = settings_that_compile(model)
    caches = caches_of(model)

    for width in (8, 5, 9):
        model.generate(**prompts(width), generation_config=config)

    assert [cache.layers[0].max_cache_len for cache in caches] == [20, 20, 21]


def test_calls_with_other_settings_keep_their_growing_cache(model: Any) -> None:
    settings_that_compile(model)
    caches = caches_of(model)

    model.generate(**prompts(6), generation_config=greedy())

    assert AutocastCache not in {type(cache) for cache in caches}
