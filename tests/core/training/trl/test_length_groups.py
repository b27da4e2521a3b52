"""The order of training samples that puts those of one length into a batch."""

from __future__ import annotations

import pytest

from saferec_core.training.trl.length_groups import LengthGroups

LENGTHS = [number * 37 % 100 + 1 for number in range(1003)]


def batches(order, size=8):
    return [order[start : start + size] for start in range(0, len(order), size)]


@pytest.mark.parametrize("number", [1, 7, 8, 1003])
def test_every_sample_comes_once(number):
    order = list(LengthGroups(LENGTHS[:number], 8, seed=0))

    assert sorted(order) == list(range(number))


def test_the_samples_of_a_batch_are_about_as_long_as_each_other():
    order = list(LengthGroups(LENGTHS, 8, seed=0))

    padded = sum(max(LENGTHS[sample] for sample in batch) * len(batch) for batch in batches(order))
    assert padded < 1.04 * sum(LENGTHS)  # in the order of the file: 1.8 times as many tokens
    assert sum(max(LENGTHS[s] for s in batch) * 8 for batch in batches(range(1003))) > 1.7 * sum(LENGTHS)


def test_seed_and_epoch_alone_decide_the_order():
    first, again, other = (LengthGroups(LENGTHS, 8, seed=seed) for seed in (0, 0, 1))
    begun = list(first)
    first.set_epoch(1)

    assert begun == list(again) != list(other)
    assert list(first) != begun
    again.set_epoch(1)
    assert list(again) == list(first)
