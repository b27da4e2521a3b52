"""The order of prompts."""

from __future__ import annotations

import pytest
from trl.trainer.utils import RepeatSampler

from saferec_core.training.trl.prompt_order import TensorSampler


@pytest.mark.parametrize("shuffle", [True, False], ids=["shuffled", "as they are"])
@pytest.mark.parametrize("records", [0, 2, 7, 12])
def test_prompts_come_in_the_order_of_trl_in_every_epoch(records, shuffle):
    settings = {"mini_repeat_count": 2, "batch_size": 3, "repeat_count": 4, "shuffle": shuffle, "seed": 5}
    ours, theirs = (kind(range(records), **settings) for kind in (TensorSampler, RepeatSampler))

    assert [list(ours), list(ours)] == [list(theirs), list(theirs)]
    assert len(ours) == len(theirs)
