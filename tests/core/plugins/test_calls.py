"""A plugin that fails is named."""

import os
import signal
import time

import pytest

from saferec_core.errors import DataError, PluginError, RewardError
from saferec_core.plugins.calls import calling


def test_whatever_a_plugin_raises_names_it_and_keeps_the_cause():
    for failure in (ZeroDivisionError("x"), SystemExit(3), KeyboardInterrupt(), BaseException("x")):
        with (
            pytest.raises(RewardError, match=r"reward 'mood' failed to add: \w+: ?[x3]?") as error,
            calling("reward 'mood'", doing=" to add", error=RewardError),
        ):
            raise failure
        assert error.value.__cause__ is failure


def test_an_error_for_the_user_and_an_interrupt_pass_through():
    with pytest.raises(DataError), calling("oracle 'table'"):
        raise DataError("no table")
    with pytest.raises(KeyboardInterrupt), calling("oracle 'table'"):
        press_ctrl_c()


def press_ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(5)


def test_what_names_a_plugin_is_entered_again_for_every_call():
    named = calling("step 'scale'")
    with named:
        pass
    with pytest.raises(PluginError, match="step 'scale' failed: KeyError: 'n'"), named:
        raise KeyError("n")
