"""What surrounds the scoring of a batch."""

import gc
from contextlib import nullcontext

import pytest

from saferec_core.rl.rollouts import collected_later


@pytest.mark.parametrize("fails", [False, True], ids=["scored", "failed"])
def test_garbage_is_collected_again_once_a_batch_has_been_scored(fails):
    def score():
        with collected_later():
            assert not gc.isenabled()
            if fails:
                raise ValueError

    with pytest.raises(ValueError) if fails else nullcontext():  # noqa: PT011
        score()

    assert gc.isenabled()


def test_whoever_collects_no_garbage_collects_none_after_a_batch_either():
    gc.disable()
    try:
        with collected_later():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
