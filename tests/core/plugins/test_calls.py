"""A plugin that fails is named."""

import pytest

from saferec_core.errors import DataError, PluginError, RewardError
from saferec_core.plugins.calls import calling


def test_whatever_a_plugin_raises_names_it_and_keeps_the_cause():
    for failure in (ZeroDivisionError("x"), SystemExit(3)):
        with (
            pytest.raises(RewardError, match=r"reward 'mood' at 5 failed to add: \w+: [x3]") as error,
            calling("reward", "mood", where=" at 5", doing=" to add", error=RewardError),
        ):
            raise failure
        assert error.value.__cause__ is failure


def test_an_error_for_the_user_and_an_interrupt_pass_through():
    for failure in (DataError("no table"), KeyboardInterrupt()):
        with pytest.raises(type(failure)), calling("oracle", "table"):
            raise failure


def test_what_names_a_plugin_is_entered_again_for_every_call():
    named = calling("step", "scale")
    with named:
        pass
    with pytest.raises(PluginError, match="step 'scale' failed: KeyError: 'n'"), named:
        raise KeyError("n")
