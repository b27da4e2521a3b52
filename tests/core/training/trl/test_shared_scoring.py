"""Scoring over shared prompts equals scoring row by row: log-probabilities, entropies, every gradient."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    BertConfig,
    BloomConfig,
    CohereConfig,
    Gemma3TextConfig,
    GemmaConfig,
    GenerationConfig,
    GPT2Config,
    GPTNeoXConfig,
    GraniteConfig,
    Lfm2Config,
    LlamaConfig,
    MambaConfig,
    MiniCPM3Config,
    MistralConfig,
    MixtralConfig,
    NanoChatConfig,
    NemotronConfig,
    OPTConfig,
    PersimmonConfig,
    PhiConfig,
    PreTrainedConfig,
    Qwen2Config,
    Qwen3Config,
)

from saferec_core.errors import SaferecError
from saferec_core.models.adapters import without_adapters
from saferec_core.models.compiled_decoding import AutocastCache, decode_compiled
from saferec_core.models.shared_prefix import attention
from saferec_core.training.trl.shared_scoring import (
    Scores,
    SharedScoring,
    report_sharing,
)

VOCABULARY, PAD = 97, 0

SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
}
ARCHITECTURES: dict[str, PreTrainedConfig] = {
    "qwen2": Qwen2Config(**SIZES, num_key_value_heads=2, tie_word_embeddings=True),
    "qwen3": Qwen3Config(**SIZES, num_key_value_heads=2, head_dim=16),
    "llama": LlamaConfig(**SIZES, num_key_value_heads=4),
    "smollm": LlamaConfig(
        **{**SIZES, "hidden_size": 36, "num_attention_heads": 9},
        num_key_value_heads=3,
        tie_word_embeddings=True,
    ),
    "gemma": GemmaConfig(**SIZES, num_key_value_heads=1, head_dim=16),
    "gpt2": GPT2Config(
        vocab_size=VOCABULARY,
        n_embd=32,
        n_layer=2,
        n_head=4,
        n_positions=256,
        attn_pdrop=0.0,
        embd_pdrop=0.0,
        resid_pdrop=0.0,
    ),
    "phi": PhiConfig(**SIZES, partial_rotary_factor=0.5),
    "gpt-neox": GPTNeoXConfig(**SIZES, rotary_pct=0.25),
    "opt": OPTConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        ffn_dim=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        word_embed_proj_dim=32,
        max_position_embeddings=256,
        dropout=0.0,
    ),
    "mistral without a window": MistralConfig(**SIZES, num_key_value_heads=2, sliding_window=None),
    "granite without scaling": GraniteConfig(
        **SIZES, num_key_value_heads=2, residual_multiplier=0.5, attention_multiplier=0.3
    ),
}


def build(config: PreTrainedConfig, **changes: Any) -> Any:
    """Build a network with random weights, its head larger than usual so that probabilities differ."""
    torch.manual_seed(3)
    config = type(config)(**{**config.to_dict(), **changes})
    model = AutoModelForCausalLM.from_config(config).float()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return model.train()


def batch_of(
    groups: list[tuple[int, list[int]]], *, side: str = "left", seed: int = 1
) -> tuple[Tensor, Tensor, int]:
    """Make a padded batch of (prompt's tokens, each completion's tokens), and the completions' width."""
    rng = random.Random(seed)
    prompts = max(prompt for prompt, _ in groups)
    width = max(length for _, lengths in groups for length in lengths)
    rows = []
    for prompt, lengths in groups:
        words = rng.choices(range(1, VOCABULARY), k=prompt)
        padding = [PAD] * (prompts - prompt)
        for length in lengths:
            completion = rng.choices(range(1, VOCABULARY), k=length)
            head = padding + words if side == "left" else words + padding
            rows.append(head + completion + [PAD] * (width - length))
    ids = torch.tensor(rows)
    return ids, (ids != PAD).long(), width


def row_by_row(model: Any, ids: Tensor, mask: Tensor, width: int) -> Scores:
    """Score every row alone and without padding, from the logits of the whole vocabulary."""
    log_probs, entropies = [], []
    for row, seen in zip(ids, mask.bool(), strict=True):
        tokens, completion = row[seen], int(seen[-width:].sum())
        logits = model(tokens[None]).logits[0, len(tokens) - completion - 1 : -1].float()
        scores = logits.log_softmax(-1)
        chosen = scores.gather(1, tokens[len(tokens) - completion :, None])[:, 0]
        entropy = -(scores.exp() * scores).sum(-1)
        positions = seen[-width:].nonzero()[:, 0]
        log_probs.append(torch.zeros(width).index_put((positions,), chosen))
        entropies.append(torch.zeros(width).index_put((positions,), entropy))
    return Scores(torch.stack(log_probs), torch.stack(entropies))


def gradients(model: Any, log_probs: Tensor) -> dict[str, Tensor]:
    """Differentiate a loss that weighs every token differently."""
    weights = torch.sin(torch.arange(log_probs.numel(), dtype=torch.float32)).view_as(log_probs)
    model.zero_grad()
    (log_probs * weights).sum().backward()
    return {
        name: parameter.grad.clone()
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }


def shared(model: Any, batch: tuple[Tensor, Tensor, int], **changes: Any) -> Scores:
    """Score over shared prompts; fails where the comparison with plain scoring fails."""
    sharing = SharedScoring("on", **changes)
    base = without_adapters(model)
    sharing.prepare([base], 1.0)

    def plain(ids: Tensor, mask: Tensor, width: int) -> Tensor:
        return row_by_row(model, ids, mask, width).log_probs

    scores = sharing.score(model, *batch, plain)
    assert scores is not None
    return scores


def assert_same(model: Any, batch: tuple[Tensor, Tensor, int]) -> None:
    """Compare values and gradients of both ways of scoring."""
    expected = row_by_row(model, *batch)
    wanted = gradients(model, expected.log_probs)
    scores = shared(model, batch)
    got = gradients(model, scores.log_probs)
    torch.testing.assert_close(scores.log_probs, expected.log_probs, rtol=1e-5, atol=2e-6)
    torch.testing.assert_close(scores.entropy, expected.entropy, rtol=1e-5, atol=2e-6)
    assert got.keys() == wanted.keys()
    scale = torch.stack([gradient.norm() for gradient in wanted.values()]).norm()
    for name, gradient in wanted.items():
        assert (got[name] - gradient).norm() <= 1e-6 * scale, name


TWO_PROMPTS = [(11, [5, 9, 2, 7]), (6, [4, 8, 8, 1])]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_loss_and_gradients_equal_plain_scoring(architecture: str) -> None:
    assert_same(build(ARCHITECTURES[architecture]), batch_of(TWO_PROMPTS))


BATCHES: dict[str, list[tuple[int, list[int]]]] = {
    "prompts of one length": [(8, [5, 5]), (8, [5, 5])],
    "a prompt of one token": [(1, [3, 4]), (9, [2, 5])],
    "empty completions": [(7, [0, 4, 0, 6]), (5, [3, 0])],
    "a group without completions": [(7, [0, 0]), (5, [3, 2])],
    "a single completion": [(9, [4]), (6, [5, 3, 2])],
    "sixty-four siblings": [(12, [1 + row % 5 for row in range(64)])],
}


@pytest.mark.parametrize("name", BATCHES)
@pytest.mark.parametrize("side", ["left", "right"])
def test_any_shape_of_batch_equals_plain_scoring(name: str, side: str) -> None:
    assert_same(build(ARCHITECTURES["qwen2"]), batch_of(BATCHES[name], side=side))


def test_siblings_need_not_stand_together() -> None:
    ids, mask, width = batch_of(TWO_PROMPTS)
    order = torch.tensor([0, 4, 1, 5, 6, 2, 3, 7])

    assert_same(build(ARCHITECTURES["llama"]), (ids[order], mask[order], width))


def test_prompts_that_begin_alike_and_equal_prompts_of_two_records_are_scored_each_by_itself() -> None:
    ids, mask, width = batch_of([(11, [5, 9]), (6, [4, 8]), (11, [3, 7])])
    ids[2:4, 5:11] = ids[0, :6]  # behind 5 tokens of padding
    ids[4:6, :11] = ids[0, :11]

    assert_same(build(ARCHITECTURES["qwen2"]), (ids, mask, width))


def test_weights_in_double_precision_are_shared_in_double_precision() -> None:
    model, batch = build(ARCHITECTURES["llama"]).double(), batch_of(TWO_PROMPTS)

    expected = row_by_row(model, *batch).log_probs

    torch.testing.assert_close(shared(model, batch).log_probs.float(), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("architecture", ["qwen2", "gpt2"])
def test_adapters_and_the_reference_without_them_equal_plain_scoring(architecture: str) -> None:
    model = get_peft_model(
        build(ARCHITECTURES[architecture]),
        LoraConfig(
            task_type="CAUSAL_LM",
            r=4,
            target_modules="all-linear",
            init_lora_weights=False,
            fan_in_fan_out=architecture == "gpt2",
        ),
    )
    batch = batch_of(TWO_PROMPTS)

    assert_same(model, batch)
    with torch.no_grad(), model.disable_adapter():
        reference = shared(model, batch).log_probs
        torch.testing.assert_close(reference, row_by_row(model, *batch).log_probs, rtol=1e-5, atol=2e-6)
    assert (reference - shared(model, batch).log_probs).abs().max() > 0.01


@pytest.mark.parametrize(
    "adapters",
    [
        {"use_rslora": True, "target_modules": "all-linear"},
        {"use_dora": True, "target_modules": "all-linear"},
        {"bias": "all", "target_modules": "all-linear"},
        {"target_modules": ["embed_tokens"]},
        {"target_modules": "all-linear", "modules_to_save": ["embed_tokens", "norm"]},
        {"target_modules": "all-linear", "trainable_token_indices": [3, 4]},
    ],
    ids=["rslora", "dora", "biases", "embeddings", "whole modules", "some tokens"],
)
def test_adapters_of_every_kind_equal_plain_scoring(adapters: dict[str, Any]) -> None:
    model = build(ARCHITECTURES["llama"])
    model.resize_token_embeddings(VOCABULARY + 5, mean_resizing=False)  # as for added tokens
    model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=4, **adapters))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora" in name:
                parameter.add_(torch.randn_like(parameter), alpha=0.1)

    assert_same(model, batch_of(TWO_PROMPTS))


@pytest.mark.parametrize("reentrant", [False, True], ids=["not reentrant", "reentrant"])
@pytest.mark.parametrize("adapters", [False, True], ids=["all weights", "adapters"])
def test_recomputed_activations_change_nothing(reentrant: bool, adapters: bool) -> None:
    model = build(ARCHITECTURES["qwen2"])
    if adapters:
        model = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False))
    model.enable_input_require_grads()
    model.gradient_checkpointing_enable({"use_reentrant": reentrant})

    assert_same(model, batch_of(TWO_PROMPTS))


def one_by_one(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    query_starts: Tensor,
    key_starts: Tensor,
    longest_query: int,
    longest_key: int,
    *,
    scale: float | None,
    window_size: tuple[int, int],
) -> Tensor:
    """Do what torch's kernel for sequences of different lengths does on a GPU."""
    assert window_size == (-1, 0)
    parts = []
    for number in range(len(query_starts) - 1):
        queries = query[query_starts[number] : query_starts[number + 1]].transpose(0, 1)
        keys, values = (
            tensor[key_starts[number] : key_starts[number + 1]].transpose(0, 1) for tensor in (key, value)
        )
        assert queries.shape[1] <= longest_query
        assert keys.shape[1] <= longest_key
        sees = torch.ones(queries.shape[1], keys.shape[1]).tril(keys.shape[1] - queries.shape[1]).bool()
        attended = torch.nn.functional.scaled_dot_product_attention(
            queries, keys, values, attn_mask=sees, scale=scale, enable_gqa=True
        )
        parts.append(attended.transpose(0, 1))
    return torch.cat(parts)


def test_the_segments_of_a_gpu_kernel_equal_plain_scoring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "varlen_attn", one_by_one)
    monkeypatch.setattr(attention, "_by_group", attention._by_segment)

    assert_same(build(ARCHITECTURES["qwen2"]), batch_of([*TWO_PROMPTS, *BATCHES["empty completions"]]))


def off_by(amount: float, model: Any) -> Any:
    """Score plainly, but wrong by *amount* everywhere."""
    return lambda ids, mask, width: row_by_row(model, ids, mask, width).log_probs + amount


def test_scores_that_differ_from_plain_ones_are_not_used_and_nothing_is_shared_any_more() -> None:
    model, batch, messages = build(ARCHITECTURES["qwen2"]), batch_of(TWO_PROMPTS), []
    sharing = SharedScoring("auto", on_fallback=messages.append)
    sharing.prepare([model], 1.0)

    assert sharing.score(model, *batch, off_by(2e-4, model)) is None
    assert "differ from plain scoring by 0.0002 on average (allowed: 0.0001)" in messages[0]
    assert sharing.reason is not None
    assert sharing.score(model, *batch, off_by(0.0, model)) is None
    assert len(messages) == 1


def test_a_difference_stops_the_run_where_sharing_was_asked_for() -> None:
    model = build(ARCHITECTURES["qwen2"])
    sharing = SharedScoring("on")
    sharing.prepare([model], 1.0)

    with pytest.raises(SaferecError, match="share_prefix is on, but log-probabilities differ"):
        sharing.score(model, *batch_of(TWO_PROMPTS), off_by(2e-4, model))


def test_only_sizes_beyond_those_compared_are_scored_both_ways() -> None:
    model, calls = build(ARCHITECTURES["qwen2"]), []
    sharing = SharedScoring("on")
    sharing.prepare([model], 1.0)

    def plain(ids: Tensor, mask: Tensor, width: int) -> Tensor:
        calls.append(len(ids))
        return row_by_row(model, ids, mask, width).log_probs

    for groups in ([(11, [5, 9])], [(11, [5, 10])], [(11, [20, 20])]):  # 24, 25 and 50 tokens packed
        sharing.score(model, *batch_of(groups), plain)

    assert calls == [2, 2]


def test_bfloat16_stays_within_its_tolerance() -> None:
    model = build(ARCHITECTURES["llama"])
    with torch.autocast("cpu", torch.bfloat16):
        sharing = SharedScoring("on")
        sharing.prepare([model], 1.0)
        scores = sharing.score(model, *batch_of(TWO_PROMPTS), off_by(0.0, model))
    assert scores is not None
    assert 1e-6 < sharing.largest_difference < 2e-2
    gradients(model, scores.log_probs)


REFUSED: dict[str, tuple[PreTrainedConfig, str]] = {
    "sliding window": (
        MistralConfig(**SIZES, num_key_value_heads=2, sliding_window=8),
        "sliding-window attention",
    ),
    "experts": (
        MixtralConfig(**SIZES, num_key_value_heads=2, num_local_experts=2),
        "mixture of experts",
    ),
    "dropout": (GPT2Config(vocab_size=VOCABULARY, n_embd=32, n_layer=1, n_head=2), "dropout is active"),
    "dropout by a module": (
        PersimmonConfig(**SIZES, attention_dropout=0.1),
        r"dropout is active \(model.layers.0.self_attn.attention_dropout\)",
    ),
    "windows in some layers": (
        Gemma3TextConfig(**SIZES, num_key_value_heads=2, head_dim=16, sliding_window=8),
        "sliding-window attention",
    ),
    "convolutions": (
        Lfm2Config(
            **SIZES,
            num_key_value_heads=2,
            block_ff_dim=48,
            layer_types=["conv", "full_attention"],
        ),
        "layers other than full attention",
    ),
    "an encoder": (
        BertConfig(**SIZES, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0),
        "tokens attend to those behind them",
    ),
    "a state space": (MambaConfig(vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=1), "interface"),
    "scores that depend on the distance": (
        BloomConfig(vocab_size=VOCABULARY, hidden_size=32, n_layer=1, n_head=2),
        "interface",
    ),
    "logits that are scaled by granite": (
        GraniteConfig(**SIZES, num_key_value_heads=2, logits_scaling=1.25),
        "scaled or capped",
    ),
    "logits that are scaled by cohere": (
        CohereConfig(**SIZES, num_key_value_heads=2, logit_scale=0.9),
        "scaled or capped",
    ),
    "hidden states that are scaled": (
        MiniCPM3Config(
            **SIZES,
            num_key_value_heads=4,
            q_lora_rank=16,
            kv_lora_rank=16,
            qk_nope_head_dim=16,
            qk_rope_head_dim=8,
            v_head_dim=16,
            dim_model_base=16,
        ),
        "hidden states are changed before the language-model head",
    ),
    "logits that are capped": (
        NanoChatConfig(**SIZES, num_key_value_heads=2, final_logit_softcapping=30.0),
        "scaled or capped",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_models_that_it_does_not_fit_are_scored_plainly_and_the_reason_is_named(name: str) -> None:
    config, reason = REFUSED[name]
    sharing = SharedScoring("auto")

    sharing.prepare([build(config)], 1.0)

    assert re.search(reason, str(sharing.reason))
    with pytest.raises(SaferecError, match=reason):
        SharedScoring("on").prepare([build(config)], 1.0)


def test_a_model_that_keeps_the_packing_from_its_attention_is_scored_plainly() -> None:
    notes: list[str] = []
    model = build(NemotronConfig(**SIZES, num_key_value_heads=2, head_dim=16))
    sharing = SharedScoring("auto", on_fallback=notes.append)
    sharing.prepare([model], 1.0)

    assert sharing.score(model, *batch_of(TWO_PROMPTS), off_by(0.0, model)) is None
    assert "NemotronAttention is not given what its model is called with" in notes[0]


@pytest.mark.parametrize(
    "adapters",
    [{"target_modules": ["lm_head"]}, {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]}],
    ids=["adapted", "trained whole beside adapters"],
)
def test_an_adapted_head_is_refused_since_its_weight_is_not_all_of_it(adapters: dict[str, Any]) -> None:
    model = get_peft_model(build(ARCHITECTURES["llama"]), LoraConfig(r=2, **adapters))
    sharing = SharedScoring("auto")

    sharing.prepare([model.get_base_model()], 1.0)

    assert sharing.reason == "the language-model head is not a plain linear layer"


def test_auto_leaves_batches_alone_that_have_little_in_common() -> None:
    model, batch = build(ARCHITECTURES["qwen2"]), batch_of([(4, [9]), (4, [9]), (4, [9])])
    sharing = SharedScoring("auto")
    sharing.prepare([model], 1.0)

    assert sharing.score(model, *batch, off_by(0.0, model)) is None
    assert sharing.reason is None


def test_the_manifest_says_whether_prompts_are_shared_and_why_not_any_more() -> None:
    class Folder:
        def __init__(self) -> None:
            self.facts: dict[str, Any] = {}

        def extend_manifest(self, facts: dict[str, Any]) -> None:
            self.facts.update(facts)

    class Notes(list[str]):
        note = list.append

    model, folder, notes = build(ARCHITECTURES["qwen2"]), Folder(), Notes()
    sharing = SharedScoring("auto")
    sharing.prepare([model], 1.0)
    report_sharing(sharing, folder, notes)  # type: ignore[arg-type]
    assert folder.facts["shared_prompts"] == {"setting": "auto", "shared": True, "reason": None}

    sharing.score(model, *batch_of(TWO_PROMPTS), off_by(1.0, model))

    assert folder.facts["shared_prompts"]["shared"] is False
    assert "differ from plain scoring" in folder.facts["shared_prompts"]["reason"]
    assert notes[0].startswith(
        "Prompts are no longer shared between their completions: log-probabilities differ"
    )


def test_compiled_decoding_keeps_its_fixed_cache_where_prompts_are_shared() -> None:
    """Without the compilation, for which transformers wants a GPU."""
    model = build(ARCHITECTURES["qwen2"]).eval()
    ids, mask, width = batch_of([(9, [3] * 3), (5, [3] * 2)])
    rows = {"input_ids": ids[:, :-width], "attention_mask": mask[:, :-width]}
    config = GenerationConfig(do_sample=False, max_new_tokens=12, eos_token_id=1, pad_token_id=PAD)
    expected = model.generate(**rows, generation_config=config)
    SharedScoring("on").prepare([model], 1.0)
    decode_compiled(model, config)
    caches: set[type] = set()
    model.base_model.register_forward_pre_hook(
        lambda _module, _args, options: caches.add(type(options["past_key_values"])), with_kwargs=True
    )

    assert torch.equal(model.generate(**rows, generation_config=config), expected)
    assert caches == {AutocastCache}
