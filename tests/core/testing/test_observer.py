"""The contract of observers: each property alone finds who breaks it."""

import pytest

from saferec_core import hookimpl
from saferec_core.testing import ObserverContract, check_observer
from saferec_core.testing.contract import failures_of
from tests.core.testing.kinds import only, own_properties


class Sound:
    """Keeps the best recall."""

    @hookimpl
    def saferec_evaluation_finished(self, event):
        value = event.metrics.get("recall@10")
        self.best = value and value[0]

    @hookimpl
    def saferec_run_finished(self):
        """Needs no event."""


class Raises(Sound):
    @hookimpl
    def saferec_run_started(self, event):
        raise ConnectionError


class Unmarked(Sound):
    def saferec_checkpoint_saved(self, event):
        """Is never called."""


class WantsMore(Sound):
    @hookimpl
    def saferec_checkpoint_saved(self, event, policy=None):
        """Cannot be called."""


class NeedsValues(Sound):
    @hookimpl
    def saferec_evaluation_finished(self, event):
        self.best = event.metrics["recall@10"][0]


class ChangesSettings(Sound):
    @hookimpl
    def saferec_run_started(self, event):
        event.settings["seed"] = 1


BROKEN = {
    "test_it_answers": Raises(),
    "test_what_it_is_given_stays_as_it_was": ChangesSettings(),
    "test_it_observes_something": Unmarked(),
    "test_its_hooks_take_the_event_and_nothing_else": WantsMore(),
    "test_it_takes_events_that_say_little": NeedsValues(),
}


def test_a_sound_observer_holds_every_property():
    check_observer(Sound())


@pytest.mark.parametrize("name", BROKEN)
def test_each_property_alone_finds_who_breaks_it(name):
    assert only(ObserverContract, BROKEN[name]) == name


def test_what_observes_nothing_is_found():
    assert list(failures_of(ObserverContract, object())) == ["test_it_observes_something"]


def test_every_property_has_an_observer_that_breaks_it():
    assert set(own_properties(ObserverContract)) <= BROKEN.keys()
