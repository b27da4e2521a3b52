"""Stopping a run from outside."""

import os
import signal
from functools import partial

import pytest

from saferec_core.runs.stopping import OUT_OF_TIME, RunStopped, Stop


def test_between_steps_a_signal_ends_the_run_at_once_with_status_and_command():
    stop = Stop("saferec train --resume-from runs/x")
    with (
        pytest.raises(
            RunStopped, match=r"SIGTERM; continue with: saferec train --resume-from runs/x"
        ) as stopped,
        stop.listening(),
    ):
        os.kill(os.getpid(), signal.SIGTERM)

    assert stopped.value.status == 143


def step(stop, *signals):
    """Take a step during which signals arrive; return what the step's end is told."""
    with stop.listening(), stop.after_the_step():
        for number in signals:
            os.kill(os.getpid(), number)
        REACHED.append(stop.step_ended())


REACHED: list[int] = []


@pytest.fixture(autouse=True)
def nothing_reached():
    REACHED.clear()


def test_within_a_step_a_signal_waits_for_its_end():
    with pytest.raises(RunStopped) as stopped:
        step(Stop("again"), signal.SIGINT)

    assert (REACHED, stopped.value.status) == ([130], 130)


@pytest.fixture
def of_the_terminal():
    """Set what a closed terminal does, whatever the tests were started with."""
    before = signal.getsignal(signal.SIGHUP)
    yield partial(signal.signal, signal.SIGHUP)
    signal.signal(signal.SIGHUP, before)


def test_a_closed_terminal_waits_for_the_end_of_a_step_too(of_the_terminal):
    of_the_terminal(signal.SIG_DFL)
    with pytest.raises(RunStopped, match="SIGHUP; continue with: again") as stopped:
        step(Stop("again"), signal.SIGHUP)

    assert (REACHED, stopped.value.status) == ([129], 129)


def test_a_run_that_was_told_to_ignore_its_terminal_goes_on(of_the_terminal):
    of_the_terminal(signal.SIG_IGN)  # as nohup does
    step(Stop("again"), signal.SIGHUP)

    assert REACHED == [0]


def test_where_terminals_send_no_signal_the_others_are_heard(monkeypatch):
    monkeypatch.delattr(signal, "SIGHUP")  # as on Windows
    with pytest.raises(RunStopped):
        step(Stop("again"), signal.SIGTERM)

    assert REACHED == [143]


def test_a_second_interrupt_does_not_wait():
    with pytest.raises(RunStopped):
        step(Stop("again"), signal.SIGINT, signal.SIGINT)

    assert REACHED == []


def test_the_handlers_are_those_of_before_afterwards():
    before = signal.getsignal(signal.SIGTERM)
    with Stop("again").listening():
        assert signal.getsignal(signal.SIGTERM) != before

    assert signal.getsignal(signal.SIGTERM) == before


def test_a_step_that_would_exceed_the_time_is_not_begun():
    with pytest.raises(RunStopped, match="--max-time is up") as stopped:
        step(Stop("again", max_seconds=0))

    assert stopped.value.status == OUT_OF_TIME
    assert Stop("again", max_seconds=1e6).step_ended() == 0


def test_a_failure_is_not_hidden_by_a_request_to_stop():
    stop = Stop("again")

    def fail():
        with stop.listening(), stop.after_the_step():
            os.kill(os.getpid(), signal.SIGTERM)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
