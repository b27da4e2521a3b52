"""Logits are computed for scored tokens only, and what is scored stays the same."""

from __future__ import annotations

import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM
from trl.trainer import utils

from saferec_core.training.trl.compact_head import compact_head


@pytest.fixture
def model():
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=50,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        bos_token_id=None,
        eos_token_id=1,
    )
    model = Qwen2ForCausalLM(config)
    utils.add_fused_lm_head(model, outputs=("log_probs", "entropy", "is_top1"))
    return model


@pytest.fixture
def batch():
    ids = torch.randint(2, 50, (3, 9), generator=torch.Generator().manual_seed(1))
    labels = ids.clone()
    labels[:, :6] = -100  # a prompt of six tokens, a completion of three
    labels[1, 8] = -100
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}


@pytest.fixture
def rows(monkeypatch):
    """How many rows each call of TRL's function for log-probabilities got."""
    seen, apply = [], utils._ChunkedLogProbFunction.apply

    def counting(hidden, *arguments):
        seen.append(len(hidden))
        return apply(hidden, *arguments)

    monkeypatch.setattr(utils._ChunkedLogProbFunction, "apply", counting)
    return seen


def test_the_head_is_computed_for_tokens_with_a_label_alone(model, batch, rows):
    with compact_head():
        model(**batch, fused_lm_head=True)
    model(**batch, fused_lm_head=True)

    assert rows == [8, 3 * 8]  # 9 tokens have 8 successors; afterwards TRL does as ever


def test_loss_figures_and_gradients_stay_the_same(model, batch):
    def scored():
        model.zero_grad()
        output = model(**batch, fused_lm_head=True)
        output.loss.backward()
        return output, [weight.grad.clone() for weight in model.parameters()]

    whole, gradients = scored()
    with compact_head():
        compact, others = scored()

    for name in ("loss", "log_probs", "entropy", "is_top1", "label_mask"):
        torch.testing.assert_close(getattr(compact, name), getattr(whole, name))
    torch.testing.assert_close(others, gradients)


def test_a_batch_without_labels_has_a_loss_of_zero(model, batch):
    batch["labels"][:] = -100

    with compact_head():
        loss = model(**batch, fused_lm_head=True).loss
        loss.backward()

    assert loss.item() == 0
