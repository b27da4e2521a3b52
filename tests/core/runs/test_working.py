"""Two commands and one run."""

import errno
import os
import subprocess
import sys

import pytest

from saferec_core.errors import RunError
from saferec_core.runs.layout import RunLayout
from saferec_core.runs.working import working_on

HOLDS = """
import sys
from pathlib import Path
from saferec_core.runs.layout import RunLayout
from saferec_core.runs.working import working_on
with working_on(RunLayout(Path(sys.argv[1]))):
    print("working", flush=True)
    sys.stdin.read()
"""


def test_a_run_that_another_process_works_on_is_refused_until_that_is_dead(tmp_path):
    run = RunLayout(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "working\n"
        with (
            pytest.raises(RunError, match=r"another process works on run .*heartbeat\.json names it"),
            working_on(run),
        ):
            pytest.fail("two at a time")
        other.kill()
        other.wait()

    with working_on(run):
        pass


def test_a_run_can_be_worked_on_again_after_a_failure(tmp_path):
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), working_on(RunLayout(tmp_path)):
            _ = 1 / 0


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_where_the_file_system_has_no_locks_nothing_is_refused_nor_left_behind(tmp_path, monkeypatch, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refuse)
    for _ in range(2):
        with working_on(RunLayout(tmp_path)), working_on(RunLayout(tmp_path)):
            pass


def test_a_run_folder_that_cannot_be_written_is_named(tmp_path):
    with (
        pytest.raises(RunError, match=r"run folder .*gone cannot be written"),
        working_on(RunLayout(tmp_path / "gone")),
    ):
        pytest.fail("there is no such folder")
