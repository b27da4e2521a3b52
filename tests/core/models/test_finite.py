"""Logits that are not finite are refused before anything is sampled from them."""

from __future__ import annotations

import pytest
import torch

from saferec_core.config.sections import ModelConfig
from saferec_core.errors import RunError
from saferec_core.models.completions import Decoding
from saferec_core.models.finite import only_finite_logits
from saferec_core.models.generation import generate
from saferec_core.models.loading import load_policy

PROMPT = [[{"role": "user", "content": "I loved Saw."}]]


@pytest.fixture
def policy(world):
    return load_policy(str(world / "model"), ModelConfig())


@pytest.mark.parametrize("kind", ["greedy", "sampled"])
def test_weights_that_are_not_finite_are_named_instead_of_generated_from(policy, kind):
    with torch.no_grad():
        next(policy.model.parameters())[0, 0] = torch.nan

    with pytest.raises(
        RunError, match=r"nothing can be sampled.* 1 of its \d+ weight tensors are not finite"
    ):
        generate(policy, PROMPT, Decoding(kind, 4))


def test_finite_weights_whose_logits_overflow_are_named_as_an_overflow(policy):
    with torch.no_grad():
        policy.model.model.norm.weight.fill_(3e38)  # of components above 1.2: more than float32 holds

    with pytest.raises(RunError, match=r"its weights are finite, so that the computation overflowed"):
        generate(policy, PROMPT, Decoding("greedy", 4))


def test_minus_infinity_forbids_a_token_and_is_allowed(policy):
    head = policy.model.get_output_embeddings()
    forbidding = head.register_forward_hook(
        lambda _head, _inputs, logits: logits.index_fill(-1, FIRST, -torch.inf)
    )
    with only_finite_logits(policy.model):
        policy.model(torch.tensor([[1, 2]]))
    forbidding.remove()


def test_a_row_whose_every_token_is_forbidden_is_refused(policy):
    head = policy.model.get_output_embeddings()
    forbidding = head.register_forward_hook(
        lambda _head, _inputs, logits: torch.full_like(logits, -torch.inf)
    )
    with only_finite_logits(policy.model), pytest.raises(RunError, match="nothing can be sampled"):
        policy.model(torch.tensor([[1, 2]]))
    forbidding.remove()


FIRST = torch.tensor([0])
