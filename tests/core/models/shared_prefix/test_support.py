"""Which models are scored over a shared prompt."""

from __future__ import annotations

import torch
from transformers import AutoModelForCausalLM

from saferec_core.models.shared_prefix.support import reason_against_sharing


def test_a_network_whose_padding_is_token_0_is_supported(world):
    model = AutoModelForCausalLM.from_pretrained(world / "model", attn_implementation="sdpa")
    embeddings = model.get_input_embeddings()
    assert embeddings.padding_idx == 0
    assert not torch.any(embeddings.weight[0])  # its hidden states are 0 in every layer

    assert reason_against_sharing(model) is None
