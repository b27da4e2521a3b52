"""Values of ranks on tokens, and means over the tokens of a rank."""

from __future__ import annotations

import math

import pytest
import torch
from jaxtyping import TypeCheckError

from saferec_core.models.decoding import NO_RANK
from saferec_core.rl.ranks import rank_mean, rank_ratio, rank_weights, spread

NO = NO_RANK
RANK_IDS = torch.tensor([[NO, 0, 0, 1, NO], [2, 2, 2, NO, NO]])  # the last of the second is padding
TOKEN_MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 1, 0]]).bool()


def test_a_token_gets_the_value_of_its_rank_and_a_token_of_no_rank_that_of_its_list():
    by_rank = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])

    tokens = spread(by_rank, torch.tensor([-1.0, -2.0]), RANK_IDS)

    assert tokens.tolist() == [[-1, 1, 1, 2, -1], [6, 6, 6, -2, -2]]


def test_tokens_of_a_rank_share_their_mean_and_tokens_of_no_rank_keep_their_own_value():
    values = torch.tensor([[9.0, 1.0, 3.0, 5.0, 7.0], [1.0, 2.0, 6.0, 8.0, 0.0]])

    means = rank_mean(values, RANK_IDS, TOKEN_MASK, 3)

    assert means.tolist() == [[9, 2, 2, 5, 7], [3, 3, 3, 8, 0]]


def test_padding_enters_no_mean_whatever_rank_is_noted_there():
    means = rank_mean(
        torch.tensor([[1.0, 3.0, 100.0]]), torch.tensor([[0, 0, 0]]), torch.tensor([[True, True, False]]), 1
    )

    assert means[0, :2].tolist() == [2, 2]


def test_the_gradient_of_a_rank_mean_is_shared_by_the_tokens_of_that_rank_alone():
    values = torch.zeros(2, 5, requires_grad=True)

    rank_mean(values, RANK_IDS, TOKEN_MASK, 3)[0, 1].backward()

    assert values.grad.tolist() == [[0, 0.5, 0.5, 0, 0], [0, 0, 0, 0, 0]]


def test_the_exponential_of_a_rank_mean_of_log_ratios_is_the_geometric_mean_of_the_ratios():
    ratios = torch.tensor([[0.5, 8.0]])

    mean = rank_mean(ratios.log(), torch.tensor([[0, 0]]), torch.ones(1, 2).bool(), 1).exp()

    assert mean.tolist() == [pytest.approx([2.0, 2.0])]


def test_weights_make_a_mean_over_tokens_a_sum_over_ranks_divided_by_k_and_one():
    weights = rank_weights(RANK_IDS, TOKEN_MASK, 3)

    # K + 1 = 4. Five tokens: 5 / (4 * 2) where two share a rank, 5 / 4 where a token is alone.
    assert weights[0].tolist() == pytest.approx([5 / 8, 5 / 8, 5 / 8, 5 / 4, 5 / 8])
    assert weights[1].tolist() == pytest.approx([4 / 12, 4 / 12, 4 / 12, 4 / 4, 0])


def test_the_tokens_of_no_rank_together_weigh_as_one_rank():
    values = spread(torch.tensor([[1.0, 10.0, 0.0]] * 2), torch.tensor([100.0] * 2), RANK_IDS)

    weighted = (values * rank_weights(RANK_IDS, TOKEN_MASK, 3)).sum(1) / TOKEN_MASK.sum(1)

    assert weighted.tolist() == pytest.approx([111 / 4, 100 / 4])


def test_a_title_of_a_short_list_weighs_what_a_title_of_a_full_list_weighs():
    full = torch.tensor([[0, 1, 2, NO]])
    short = torch.tensor([[0, NO, NO, NO]])
    masks = torch.ones(1, 4).bool(), torch.tensor([[True, True, False, False]])

    first = [
        rank_weights(rank_ids, mask, 3)[0, 0] / mask.sum()
        for rank_ids, mask in zip((full, short), masks, strict=True)
    ]

    assert first == pytest.approx([1 / 4, 1 / 4])


def test_a_completion_of_nothing_but_text_weighs_every_token_alike_and_all_as_one_rank():
    weights = rank_weights(torch.full((1, 3), NO), torch.ones(1, 3).bool(), 4)

    assert weights[0].tolist() == pytest.approx([1 / 5] * 3)


def test_a_completion_without_tokens_has_no_weights_instead_of_nan():
    weights = rank_weights(torch.full((1, 3), NO), torch.zeros(1, 3).bool(), 4)

    assert weights.tolist() == [[0, 0, 0]]
    assert not math.isnan(rank_mean(torch.zeros(1, 3), RANK_IDS[:1, :3], TOKEN_MASK[:1, :3] & False, 3).sum())


def test_a_ratio_that_underflowed_to_0_leaves_other_ranks_as_they_are():
    ratios = torch.tensor([[0.0, 4.0, 1.0, 0.0]])
    ids = torch.tensor([[NO, 0, 0, 1]])

    by_rank = rank_ratio(ratios, ids, torch.ones(1, 4).bool(), 2)

    assert by_rank[0, 1:3].tolist() == pytest.approx([2.0, 2.0])  # the geometric mean of 4 and 1
    assert torch.isfinite(by_rank).all()


@pytest.mark.parametrize(
    "call",
    [
        lambda: spread(torch.zeros(2, 3), torch.zeros(1), RANK_IDS),
        lambda: spread(torch.zeros(1, 3), torch.zeros(2), RANK_IDS),
        lambda: spread(torch.zeros(2, 3), torch.zeros(2), RANK_IDS.float()),
        lambda: rank_mean(torch.zeros(2, 4), RANK_IDS, TOKEN_MASK, 3),
        lambda: rank_weights(RANK_IDS, TOKEN_MASK.long(), 3),
    ],
    ids=["lists", "rows", "ids that are no integers", "tokens", "a mask that is not bool"],
)
def test_a_shape_or_type_other_than_annotated_is_refused_under_test(call):
    with pytest.raises(TypeCheckError):
        call()
