"""What surrounds the scoring of a batch."""

import gc

import pytest

from saferec_core.rl.rollouts import collected_later


def test_garbage_is_collected_again_once_a_batch_is_scored():
    with pytest.raises(ValueError, match="of a reward"), collected_later():
        assert not gc.isenabled()
        raise ValueError("of a reward")

    assert gc.isenabled()


def test_whoever_collects_no_garbage_collects_none_after_a_batch_either():
    gc.disable()
    try:
        with collected_later():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
