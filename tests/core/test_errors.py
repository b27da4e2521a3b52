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
