"""What a run is doing at the moment, and stacks where it does nothing."""

from __future__ import annotations

import json
import threading
import time

import pytest

from saferec_core.runs import heartbeat
from saferec_core.runs.heartbeat import phase, watched
from saferec_core.runs.layout import RunLayout


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(heartbeat, "INTERVAL", 0.01)


def read_until(read, wanted):
    """Wait for the other thread, however slow the machine is."""
    for _ in range(3000):
        if wanted(value := read()):
            return value
        time.sleep(0.01)
    raise AssertionError(value)


def test_the_innermost_phase_is_written_while_it_lasts_and_nothing_afterwards(tmp_path):
    run = RunLayout(tmp_path)

    def written():
        file = run.heartbeat(0)
        return json.loads(file.read_text()) if file.exists() else {"phase": None}

    with watched(run, process=0, stall_seconds=None, report=print):
        with phase("forward and backward"):
            with phase("reward safety"):
                assert read_until(written, lambda facts: facts["phase"] == "reward safety")
            assert read_until(written, lambda facts: facts["phase"] == "forward and backward")
        assert read_until(written, lambda facts: facts["phase"] == "set-up")

    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_of_a_run_that_was_stopped_in_time(tmp_path):
    with (
        pytest.raises(KeyboardInterrupt),
        watched(RunLayout(tmp_path), process=0, stall_seconds=9, report=print),
    ):
        raise KeyboardInterrupt

    assert list(tmp_path.iterdir()) == []


def wait_for_a_message_that_never_comes(released):
    released.wait(60)


def test_a_phase_without_progress_leaves_the_stacks_of_all_threads_and_is_reported_once(tmp_path):
    run, reports, released = RunLayout(tmp_path), [], threading.Event()
    waiting = threading.Thread(target=wait_for_a_message_that_never_comes, args=(released,))
    waiting.start()
    with watched(run, process=1, stall_seconds=0.05, report=reports.append), phase("weight sync"):
        stacks = read_until(lambda: run.stacks(1).read_text(), bool)
        read_until(lambda: reports, bool)
        released.set()
        waiting.join()

    assert "wait_for_a_message_that_never_comes" in stacks
    assert len(reports) == 1
    assert "in the phase 'weight sync' (process 1)" in reports[0]
    assert str(tmp_path / "stacks-1.txt") in reports[0]


def test_a_phase_outside_of_a_watched_run_does_nothing(tmp_path):
    with phase("generate"):
        pass

    assert list(tmp_path.iterdir()) == []
