"""Generating over shared prompts gives what transformers gives for every row alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    GenerationConfig,
    GPT2Config,
    LlamaConfig,
    LogitsProcessorList,
    PreTrainedConfig,
    Qwen2Config,
    SynthIDTextWatermarkingConfig,
)

from saferec_core.models.shared_prefix import generation
from saferec_core.models.shared_prefix.generation import share_generation

PAD, END, VOCABULARY = 0, 1, 23
SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "bos_token_id": None,
    "eos_token_id": END,
    "pad_token_id": PAD,
}
NETWORKS: dict[str, PreTrainedConfig] = {
    "qwen2": Qwen2Config(**SIZES),
    "llama": LlamaConfig(**SIZES),
    "gpt2": GPT2Config(
        vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, bos_token_id=None, eos_token_id=END
    ),
}


SYNTHID = SynthIDTextWatermarkingConfig(ngram_len=3, keys=[654, 400, 836, 123, 340])
"""A watermark that depends on what was generated since the call began."""


def build(name: str = "qwen2") -> Any:
    torch.manual_seed(3)
    model = AutoModelForCausalLM.from_config(NETWORKS[name], attn_implementation="sdpa").eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    return model


def prompts(*groups: tuple[int, int]) -> dict[str, Tensor]:
    """Rows for (tokens of a prompt, its completions), padded on the left."""
    rng = torch.Generator().manual_seed(1)
    width = max(length for length, _ in groups)
    ids, mask = [], []
    for length, siblings in groups:
        words = torch.randint(2, VOCABULARY, (length,), generator=rng).tolist()
        ids += [[PAD] * (width - length) + words] * siblings
        mask += [[0] * (width - length) + [1] * length] * siblings
    return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}


def settings(tokens: int, *, sampled: bool = False, **changes: Any) -> GenerationConfig:
    drawing = {"temperature": 0.8, "top_k": 0, "top_p": 1.0} if sampled else {}
    return GenerationConfig(
        do_sample=sampled, max_new_tokens=tokens, eos_token_id=END, pad_token_id=PAD, **drawing, **changes
    )


def seen_tokens(model: Any) -> list[int]:
    """Record how many tokens every pass through the model computes."""
    seen: list[int] = []
    model.base_model.register_forward_pre_hook(
        lambda _module, _args, options: seen.append(options["input_ids"].numel()), with_kwargs=True
    )
    return seen


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("round_length", [3, 32], ids=["short rounds", "one round"])
def test_greedy_completions_are_those_of_transformers_token_for_token(
    name: str, round_length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation, "ROUND", round_length)
    model, rows, config = build(name), prompts((9, 3), (4, 2), (6, 1)), settings(20)
    expected = model.generate(**rows, generation_config=config)
    share_generation(model)

    got = model.generate(**rows, generation_config=config)

    assert torch.equal(got, expected)


def test_a_prompt_is_computed_once_and_ended_completions_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation, "ROUND", 4)
    model, rows, config = build(), prompts((9, 4), (7, 4)), settings(24, sampled=True)
    share_generation(model)
    seen = seen_tokens(model)
    torch.manual_seed(5)

    written = model.generate(**rows, generation_config=config)[:, 9:]

    lengths = sorted(int((row == END).nonzero()[0]) + 1 if (row == END).any() else 24 for row in written)
    assert seen[0] == 2 * 8  # both prompts but their last token, the shorter one padded
    assert lengths[0] < 16  # or nothing could leave
    assert seen[1] == 8
    assert seen[-1] < 8
    assert seen[1:] == sorted(seen[1:], reverse=True)
    after_the_end = [row[int((row == END).nonzero()[0]) + 1 :] for row in written if (row == END).any()]
    assert all((tokens == PAD).all() for tokens in after_the_end)


def test_sampled_completions_follow_the_distribution_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """The frequency of each pair of tokens of 4,000 siblings is within five standard errors of its chance."""
    monkeypatch.setattr(generation, "ROUND", 1)  # so that rows that end at once leave before the second token
    model, siblings = build(), 4000
    rows = prompts((5, siblings))
    share_generation(model)
    torch.manual_seed(0)

    written = model.generate(**rows, generation_config=settings(2, sampled=True))[:, 5:]

    prompt = rows["input_ids"][:1]
    pairs = torch.cat([prompt.expand(VOCABULARY, -1), torch.arange(VOCABULARY)[:, None]], dim=1)
    logits = model(pairs).logits.detach() / 0.8
    first, second = logits[0, -2].softmax(0), logits[:, -1].softmax(1)
    second[END] = torch.nn.functional.one_hot(torch.tensor(PAD), VOCABULARY)
    expected = first[:, None] * second
    counts = torch.bincount(written[:, 0] * VOCABULARY + written[:, 1], minlength=VOCABULARY**2)
    frequency = counts.view(VOCABULARY, VOCABULARY) / siblings
    allowed = 5 * (expected * (1 - expected) / siblings).sqrt() + 5 / siblings
    assert ((frequency - expected).abs() <= allowed).all()
    assert expected[END].sum() > 0.002


def test_adapters_are_at_work_and_do_not_change_what_is_shared() -> None:
    model = build()
    adapted = get_peft_model(
        model, LoraConfig(task_type="CAUSAL_LM", r=4, target_modules="all-linear", init_lora_weights=False)
    ).eval()
    rows, config = prompts((9, 3), (4, 2)), settings(12)
    expected = adapted.generate(**rows, generation_config=config)
    share_generation(adapted.get_base_model())
    seen = seen_tokens(adapted.get_base_model())

    assert torch.equal(adapted.generate(**rows, generation_config=config), expected)
    assert seen[0] == 2 * 8


def test_logits_processors_see_all_rows_and_tokens() -> None:
    """The processor forbids the end, and row 1 a token."""
    shapes = []

    def processor(ids: Tensor, scores: Tensor) -> Tensor:
        shapes.append(tuple(ids.shape))
        scores = scores.clone()
        scores[:, END] = -torch.inf
        scores[1, 5] = -torch.inf
        return scores

    model, rows, config = build(), prompts((6, 4)), settings(8)
    options = {"generation_config": config, "logits_processor": LogitsProcessorList([processor])}
    expected = model.generate(**rows, **options)
    share_generation(model)
    shapes.clear()

    assert torch.equal(model.generate(**rows, **options), expected)
    assert shapes == [(4, 6 + step) for step in range(8)]


@pytest.mark.parametrize("of_the_model", [False, True], ids=["in the call", "in the model's own settings"])
@pytest.mark.parametrize(
    "changes",
    [
        {"repetition_penalty": 1.3},
        {"min_length": 14},
        {"eos_token_id": [END, 7, 9]},
        {"forced_eos_token_id": END},
        {"begin_suppress_tokens": [5, 6, 7, 8]},
        {"exponential_decay_length_penalty": (3, 1.5)},
        {"encoder_repetition_penalty": 1.4},
        {"encoder_no_repeat_ngram_size": 2},
        {"guidance_scale": 1.5},
        {"no_repeat_ngram_size": 2},
        {"bad_words_ids": [[5], [7, 8]]},
        {"suppress_tokens": [2, 3]},
        {"sequence_bias": [[[5, 6], 5.0]]},
        {"min_new_tokens": 5},
        {"max_time": 0.0},
        {"watermarking_config": SYNTHID},
        {"do_sample": True, "top_k": 1},
        {"num_beams": 2},
    ],
    ids=" ".join,
)
def test_further_settings_of_generating_mean_what_they_mean_to_transformers(
    changes: dict[str, Any], of_the_model: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation, "ROUND", 3)
    model, rows, config = build(), prompts((9, 3), (4, 2)), settings(14)
    if of_the_model:
        config = GenerationConfig(max_new_tokens=14, pad_token_id=PAD)
        model.generation_config.update(**{"eos_token_id": END, **changes})
    else:
        config.update(**changes)
    expected = model.generate(**rows, generation_config=config)
    share_generation(model)

    assert torch.equal(model.generate(**rows, generation_config=config), expected)


@pytest.mark.parametrize(
    "changes",
    [{"num_return_sequences": 2, "do_sample": True}, {"num_beams": 2}, {"use_cache": False}],
    ids=["several sequences", "beams", "no cache"],
)
def test_what_asks_for_more_is_left_to_transformers(changes: dict[str, Any]) -> None:
    model, rows = build(), prompts((6, 2))
    config = settings(4)
    config.update(**changes)
    torch.manual_seed(1)
    expected = model.generate(**rows, generation_config=config)
    share_generation(model)
    torch.manual_seed(1)

    assert torch.equal(model.generate(**rows, generation_config=config), expected)
