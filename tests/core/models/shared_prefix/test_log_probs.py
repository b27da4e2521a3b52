"""Log-probabilities in tiles are those of the logits as a whole."""

from __future__ import annotations

import pytest
import torch

from saferec_core.models.shared_prefix import log_probs
from saferec_core.models.shared_prefix.log_probs import token_log_probs

ROWS, WIDTH, ENTRIES = 11, 6, 37


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    """Five rows and eight entries a tile, so that rows and entries end within one."""
    monkeypatch.setattr(log_probs, "TOKENS", 5)
    monkeypatch.setattr(log_probs, "TILE", 5 * 8)


def head(*, trained=True, bias=None):
    torch.manual_seed(0)
    weight = torch.randn(ENTRIES, WIDTH).requires_grad_(trained)
    hidden = (3 * torch.randn(ROWS, WIDTH)).requires_grad_()
    return hidden, weight, bias, torch.randint(ENTRIES, (ROWS,))


def whole(hidden, weight, bias, targets, temperature):
    logits = hidden @ weight.T
    scores = torch.log_softmax((logits if bias is None else logits + bias) / temperature, -1)
    entropy = torch.special.entr(scores.exp()).sum(-1)
    return scores[torch.arange(ROWS), targets], entropy.detach()


def scores_and_gradients(function, made, temperature):
    log_probs, entropy = function(*made, temperature)
    (log_probs * torch.linspace(-1, 2, ROWS)).sum().backward()
    return log_probs, entropy, *(tensor.grad for tensor in made[:3] if tensor is not None)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("trained", [True, False], ids=["head trained", "head frozen"])
def test_scores_entropies_and_gradients_are_those_of_the_whole_logits(trained, temperature):
    tiled = scores_and_gradients(token_log_probs, head(trained=trained), temperature)
    plain = scores_and_gradients(whole, head(trained=trained), temperature)

    torch.testing.assert_close(tiled, plain, rtol=1e-5, atol=1e-5)


def test_a_bias_is_trained_with_its_head():
    def biased():
        return head(bias=torch.linspace(-2, 2, ENTRIES).requires_grad_())

    tiled = scores_and_gradients(token_log_probs, biased(), 1.0)

    torch.testing.assert_close(tiled, scores_and_gradients(whole, biased(), 1.0), rtol=1e-5, atol=1e-5)


def test_an_entry_that_can_never_come_has_no_part_in_the_entropy():
    barred = torch.zeros(ENTRIES)
    barred[20:30] = -torch.inf
    hidden, weight, _, targets = head(trained=False)
    targets %= 20

    _, entropy = token_log_probs(hidden, weight, barred, targets, 1.0)

    torch.testing.assert_close(entropy, whole(hidden, weight, barred, targets, 1.0)[1])
