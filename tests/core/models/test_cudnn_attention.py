"""Attention whose gradient may be NaN on some GPUs is not used."""

from __future__ import annotations

import pytest
import torch

from saferec_core.config.sections import ModelConfig
from saferec_core.models.cudnn_attention import avoid_cudnn_attention
from saferec_core.models.loading import load_policy
from saferec_core.training.trl.arguments import engine_settings


@pytest.fixture
def cudnn():
    before = torch.backends.cuda.cudnn_sdp_enabled()
    torch.backends.cuda.enable_cudnn_sdp(True)
    yield
    torch.backends.cuda.enable_cudnn_sdp(before)


def test_a_policy_that_is_loaded_does_not_compute_attention_with_cudnn(world, cudnn):
    load_policy(str(world / "model"), ModelConfig())

    assert not torch.backends.cuda.cudnn_sdp_enabled()


def test_a_policy_that_trl_loads_does_not_either(cudnn):
    with engine_settings("a policy"):
        assert not torch.backends.cuda.cudnn_sdp_enabled()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("length", [320, 384, 448])
def test_gradients_are_finite_where_a_row_of_the_mask_is_empty(cudnn, length):
    avoid_cudnn_attention()
    query, key, value = (
        torch.randn(2, 4, length, 64, device="cuda", dtype=torch.bfloat16, requires_grad=True) for _ in "qkv"
    )
    mask = torch.ones(length, length, dtype=torch.bool, device="cuda").tril().repeat(2, 1, 1, 1)
    mask[..., : length // 4] = False  # padding on the left: the first rows see nothing

    attended = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    attended.sum().backward()

    assert all(torch.isfinite(tensor.grad).all() for tensor in (query, key, value))
