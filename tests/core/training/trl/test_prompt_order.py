"""The order of prompts."""

from __future__ import annotations

import pytest
from accelerate.data_loader import SeedableRandomSampler
from trl.trainer.utils import RepeatSampler

from saferec_core.training.trl.prompt_order import SampleOrder, TensorSampler


@pytest.mark.parametrize("shuffle", [True, False], ids=["shuffled", "as they are"])
@pytest.mark.parametrize("records", [0, 2, 7, 12])
def test_prompts_come_in_the_order_of_trl_in_every_epoch(records, shuffle):
    settings = {"mini_repeat_count": 2, "batch_size": 3, "repeat_count": 4, "shuffle": shuffle, "seed": 5}
    ours, theirs = (kind(range(records), **settings) for kind in (TensorSampler, RepeatSampler))

    assert [list(ours), list(ours)] == [list(theirs), list(theirs)]
    assert len(ours) == len(theirs)


@pytest.mark.parametrize("records", [0, 7, 3000])
def test_samples_come_in_the_order_that_accelerate_draws_in_every_epoch(records):
    ours = SampleOrder(records, seed=5)
    theirs = SeedableRandomSampler(range(max(records, 1)), data_seed=5)
    for epoch in range(3):
        for order in (ours, theirs):
            order.set_epoch(epoch)
        assert list(ours) == (list(theirs) if records else [])
    assert len(ours) == records
