"""Forked processes are what fresh ones are, and the tests never hang on the server that forks them."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import warm

pytestmark = pytest.mark.skipif(not warm.is_possible(), reason="not Linux, or a sandbox: no server")

STATE = """
import importlib, json, logging, multiprocessing, os, random, signal, sys, threading, warnings
for name in sys.argv[2:]:
    importlib.import_module(name)
import numpy, torch
inherited = sorted(os.listdir("/proc/self/fd"), key=int)
names = [open(f"/proc/self/task/{task}/comm").read() for task in os.listdir("/proc/self/task")]
names = [name for name in names if not name.startswith("jemalloc")]
print(json.dumps({
    "arguments": [os.path.basename(sys.argv[0]), *sys.argv[1:]],
    "folder": os.getcwd(),
    "path": sys.path,
    "environment": dict(os.environ),
    "main": __name__ == "__main__" and sys.modules["__main__"].__file__,
    "threads": [threading.active_count(), names, torch.get_num_threads()],
    "leads its session": os.getsid(0) == os.getpid() == os.getpgid(0),
    "signals": [str(signal.getsignal(number)) for number in (2, 13, 15, 17)],
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    "mask": os.umask(0o22),
    "input": sys.stdin.read(),
    "streams": [[s.encoding, s.errors, s.line_buffering, s.isatty()] for s in (sys.stdout, sys.stderr)],
    "descriptors": inherited,
    "torch": [str(torch.get_default_dtype()), torch.is_grad_enabled()],
    "warnings": [str(entry) for entry in warnings.filters],
    "handlers": [str(handler) for handler in logging.getLogger().handlers],
    "parent": str(multiprocessing.parent_process()),
    "drawn": [random.random(), float(numpy.random.random()), float(torch.rand(()))],
}))
"""


def shown(process, path):
    assert process.wait() == 0, path.read_text(encoding="utf-8")
    return json.loads(path.read_text(encoding="utf-8").splitlines()[-1])


def test_a_forked_process_is_in_the_state_of_a_fresh_one(tmp_path, monkeypatch):
    (tmp_path / "state.py").write_text(STATE, encoding="utf-8")
    settings = {"PYTHONPATH": str(tmp_path / "site"), "NEW": "1"}

    def state(name):
        process = warm.start(
            *("given", *warm.IMPORTED),
            folder=tmp_path,
            output=tmp_path / name,
            settings=settings,
            module="state",
        )
        return type(process), shown(process, tmp_path / name)

    (kind, forked), (_, another) = state("forked"), state("another")
    monkeypatch.setattr(warm, "server", lambda: None)
    other_kind, fresh = state("fresh")

    assert (kind, other_kind) == (warm.Forked, subprocess.Popen)
    drawn = [state.pop("drawn") for state in (forked, another, fresh)]
    assert all(one != other for one, other in zip(*drawn[:2], strict=True))
    assert forked == another == fresh


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """Start code in a process forked by a server that has imported nothing; it has the server as well."""
    server = warm.Server(())
    monkeypatch.setattr(warm, "server", lambda: server)
    numbers = itertools.count()

    def start(code, **options):
        module = f"script_{next(numbers)}"
        (tmp_path / f"{module}.py").write_text(code, encoding="utf-8")
        return warm.start(folder=tmp_path, output=tmp_path / "output", module=module, **options)

    start.server = server
    yield start
    server.close()


@pytest.mark.parametrize(
    ("code", "status", "output"),
    [
        ("import atexit; atexit.register(print, 'last'); print('first')", 0, "first\nlast\n"),
        ("raise SystemExit(3)", 3, ""),
        ("raise SystemExit('why')", 1, "why\n"),
        ("import os; os.kill(os.getpid(), 9)", -9, ""),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -15, ""),
    ],
    ids=["end", "status", "message", "kill", "term"],
)
def test_a_process_ends_as_a_fresh_one_does(quick, tmp_path, code, status, output):
    process = quick(code)

    assert process.wait() == process.wait() == process.poll() == status
    assert (tmp_path / "output").read_text() == output
    process.send_signal(signal.SIGKILL)  # to nobody


def test_an_error_is_printed_to_the_file_of_errors(quick, tmp_path):
    assert quick("print(1)\n1 / 0", errors=tmp_path / "errors").wait() == 1
    assert (tmp_path / "output").read_text() == "1\n"
    assert (tmp_path / "errors").read_text().endswith("ZeroDivisionError: division by zero\n")


def test_processes_run_side_by_side_and_are_told_apart(quick):
    waiting = [quick("import time\ntime.sleep(1000)") for _ in range(2)]

    assert [quick(f"raise SystemExit({status})").wait() for status in (5, 6)] == [5, 6]
    assert [process.poll() for process in waiting] == [None, None]
    waiting[0].send_signal(signal.SIGTERM)
    waiting[1].send_signal(signal.SIGKILL)
    assert [process.wait() for process in waiting] == [-signal.SIGTERM, -signal.SIGKILL]


def test_without_its_server_a_process_is_a_fresh_one(quick, tmp_path):
    quick.server.process.kill()
    quick.server.process.wait()
    process = quick("print('fresh')")

    assert isinstance(process, subprocess.Popen)
    assert process.wait() == 0
    assert (tmp_path / "output").read_text() == "fresh\n"


def test_whoever_waits_is_told_that_the_server_has_gone(quick):
    process = quick("import time\ntime.sleep(1000)")
    quick.server.process.kill()
    quick.server.process.wait()

    with pytest.raises(EOFError, match="the server that forks processes for the tests has ended"):
        process.wait()
    with pytest.raises(EOFError):
        process.poll()
    warm.os.kill(process.pid, signal.SIGKILL)


def test_a_server_ends_with_the_tests():
    code = "from tests import warm\nserver = warm.Server(())\nprint(server.process.pid, flush=True)\ninput()"
    tests = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    server = Path("/proc", tests.stdout.readline().strip())
    assert server.exists()
    tests.kill()
    tests.communicate()

    def ended():
        try:
            return "State:\tZ" in (server / "status").read_text()  # or nobody has taken note of its end
        except (FileNotFoundError, ProcessLookupError):
            return True

    assert any(ended() or time.sleep(0.01) for _ in range(10_000))


def test_of_processes_that_work_together_the_others_are_ended_when_one_fails(quick, tmp_path):
    (tmp_path / "rank.py").write_text(
        "import os, sys, time\n"
        "assert os.environ['WORLD_SIZE'] == '2' and int(os.environ['MASTER_PORT'])\n"
        "sys.exit(7) if os.environ['RANK'] == '1' else time.sleep(1000)"
    )
    together = warm.Together(2, folder=tmp_path, output=tmp_path / "output", module="rank")

    assert together.wait() == together.poll() == 7, (tmp_path / "output").read_text()
