"""The contract of alarms: the built-in ones hold it, and each property alone finds who breaks it."""

import pytest

from saferec_core import load_plugins
from saferec_core.plugins.build import build
from saferec_core.plugins.contracts.alarm import Alarm
from saferec_core.testing import AlarmContract, check_alarm
from saferec_core.testing.contract import failures_of
from tests.core.testing.kinds import only, own_properties

LOG = tuple({"step": float(step), "kl": float(step)} for step in range(1, 6))


@pytest.mark.parametrize("entry", list(load_plugins().alarms), ids=lambda entry: entry.name)
def test_every_built_in_alarm_holds_its_contract(entry):
    check_alarm(build(entry, {}))


class Sound(Alarm):
    """The KL is above 4."""

    figures = ("kl",)

    def __call__(self, log):
        return "the KL is above 4" if log[-1].get("kl", 0.0) > 4 else None


class Raises(Sound):
    def __call__(self, log):
        raise LookupError


class SaysYes(Sound):
    def __call__(self, log):
        return True


class NeverRaised(Sound):
    def __call__(self, log):
        return None


class NeedsItsFigure(Sound):
    def __call__(self, log):
        return "the KL is above 4" if log[-1]["kl"] + log[1]["kl"] > 6 else None


class RoundsFigures(Sound):
    def __call__(self, log):
        return "the KL is above 4" if round(log[-1].get("kl", 0.0)) > 4 else None


class ReadsMore(Sound):
    def __call__(self, log):
        log[0].get("entropy")
        return super().__call__(log)


BROKEN = {
    "test_it_answers": Raises(),
    "test_it_returns_a_sentence_or_nothing": SaysYes(),
    "test_it_is_raised_by_the_log_that_it_is_made_for": NeverRaised(),
    "test_it_takes_a_log_of_one_row_and_figures_that_are_missing": NeedsItsFigure(),
    "test_it_takes_figures_that_are_not_finite": RoundsFigures(),
    "test_it_declares_the_figures_that_it_reads": ReadsMore(),
}


def test_a_sound_alarm_holds_every_property():
    assert failures_of(AlarmContract, Sound(), log=LOG) == {}


@pytest.mark.parametrize("name", BROKEN)
def test_each_property_alone_finds_who_breaks_it(name):
    assert only(AlarmContract, BROKEN[name], log=LOG) == name


def test_every_property_has_an_alarm_that_breaks_it():
    assert set(own_properties(AlarmContract)) == BROKEN.keys() - {"test_it_answers"}
