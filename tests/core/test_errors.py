"""Errors for the user."""

import pickle

import pytest

from saferec_core.errors import (
    ConfigError,
    DataError,
    NameTakenError,
    PluginError,
    RewardError,
    RunError,
    SaferecError,
    UnknownNameError,
    near_misses,
)


@pytest.mark.parametrize(
    "error",
    [
        *(kind("what was wanted") for kind in (SaferecError, ConfigError, DataError, PluginError)),
        *(kind("what came") for kind in (NameTakenError, RewardError, RunError)),
        UnknownNameError("reward", "cuont", ["count", "safety"], hint="See there."),
    ],
)
def test_every_error_comes_whole_out_of_a_worker(error):
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301

    assert type(copy) is type(error)
    assert str(copy) == str(error)


def test_the_beginning_or_a_word_of_a_long_name_is_a_near_miss():
    known = ["Anti-gore / squeamish", "Horror avoider (avoids scares)", "vegan"]

    assert near_misses("Anti-gor", known) == " Did you mean 'Anti-gore / squeamish'?"
    assert near_misses("gore", known) == " Did you mean 'Anti-gore / squeamish'?"
    assert near_misses("squemish", known) == " Did you mean 'Anti-gore / squeamish'?"
    assert near_misses("horror", known) == " Did you mean 'Horror avoider (avoids scares)'?"
    assert near_misses("or", known) == ""
    assert near_misses("something else", known) == ""
