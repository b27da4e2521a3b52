"""Integers become an array that is like any other."""

import numpy as np
import pytest
import torch

from saferec_core.data.integers import int64_array


@pytest.mark.parametrize("values", [[3, -1, 2**62], (7,), []], ids=["list", "tuple", "none"])
def test_integers_become_an_array_of_their_own(values):
    array = int64_array(values)

    assert array.dtype == np.int64
    assert array.tolist() == list(values)
    assert torch.from_numpy(array).numel() == len(values)  # of a read-only array torch would warn


def test_it_can_be_written_to():
    array = int64_array([1, 2])
    array[0] = 5

    assert array.tolist() == [5, 2]
