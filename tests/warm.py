"""The command line in processes of their own that need not import torch and TRL anew.

The two take ten seconds of processor time, longer than most runs of the tests. A server imports them once and
forks a process for every command, with a session, a working folder, an environment and output of its own and
free to be killed. The server runs nothing but imports, and the forked process leaves it for good: from there
on the interpreter does all that it does for ``python -m saferec_cli``, the exit status and whatever runs at
exit included. Only the seed of hashes is the server's, so that sets of strings have the same order in all
that it forks.

Tests of what a fresh interpreter does (what it imports, which plugins it sees, how launchers start it) start
one with :mod:`subprocess`; where a server cannot be had, so does :func:`start`.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple, Protocol

__all__ = ["Forked", "Server", "Started", "Together", "start"]

IMPORTED = (
    "saferec_core.training.rank_grpo",
    "saferec_core.training.trl.grpo_setup",
    "saferec_core.training.trl.sft_setup",
    "saferec_core.evaluation.run",
    "saferec_core.report",
    "altair",
)
"""What brings the libraries; nothing of the command line or of plugins, which read their environment."""

_SURROUNDINGS = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "TQDM_DISABLE": "1"}
"""What the libraries read when they are imported, as the command line sets it."""

_STATUS = 4  # bytes of a process id or an exit status
_READY = b"ready"
_LIMIT = 900.0  # seconds: far more than anything here takes; nothing waits for ever


class Started(Protocol):
    """What is needed of a process here: a part of :class:`subprocess.Popen`."""

    pid: int

    def poll(self) -> int | None:
        """Return the exit status, -N after signal N, and None as long as the process runs."""

    def wait(self) -> int:
        """Wait until the process ends, and return the exit status."""

    def send_signal(self, sig: int) -> None:
        """Send a signal."""


def start(
    *arguments: object,
    folder: Path,
    output: Path,
    errors: Path | None = None,
    columns: int = 200,
    settings: Mapping[str, str] | None = None,
    module: str = "saferec_cli",
) -> Started:
    """Start ``saferec`` with *arguments*; the process leads a session and a process group of its own.

    Args:
        arguments: Of the command line.
        folder: The working folder.
        output: The file that standard output is appended to.
        errors: The file that standard error is appended to; *output* unless given.
        columns: Width of the terminal.
        settings: Further environment.
        module: What to run instead of the command line.
    """
    environment = {
        **os.environ,
        **_SURROUNDINGS,
        "COLUMNS": str(columns),
        "NO_COLOR": "1",
        **(settings or {}),
    }
    command = [module, *map(str, arguments)]
    with ExitStack() as stack:
        out = stack.enter_context(output.open("ab"))
        err = stack.enter_context(errors.open("ab")) if errors else out
        if (forking := server()) and forking.is_ready:
            with suppress(OSError):  # it was killed
                return forking.fork(command, folder, environment, (out.fileno(), err.fileno()))
        return subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )


class Together:
    """``saferec`` in processes that work together, as torchrun starts them; one file has all output."""

    def __init__(
        self,
        number: int,
        *arguments: object,
        folder: Path,
        output: Path,
        settings: Mapping[str, str] | None = None,
        module: str = "saferec_cli",
    ) -> None:
        """Start them, each as :func:`start` does."""
        self._status: int | None = None
        # Bound and not listening, a socket keeps other processes from getting the port at which these meet,
        # and lets the first of them listen there.
        self._port = socket.socket()
        self._port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._port.bind(("127.0.0.1", 0))
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(self._port.getsockname()[1])}
        meeting |= {"WORLD_SIZE": str(number), "LOCAL_WORLD_SIZE": str(number)}
        self._started = [
            start(
                *arguments,
                folder=folder,
                output=output,
                settings={**(settings or {}), **meeting, "RANK": str(rank), "LOCAL_RANK": str(rank)},
                module=module,
            )
            for rank in range(number)
        ]

    def poll(self) -> int | None:
        """Return None as long as one runs, then the exit status of the first that failed, 0 if none did.

        As soon as one has failed, the others, who might wait for it, are killed.
        """
        if self._status is None:
            statuses = [process.poll() for process in self._started]
            if failed := next(filter(None, statuses), 0):
                self.send_signal(signal.SIGKILL)
            elif None in statuses:
                return None
            for process in self._started:
                process.wait()
            self._port.close()
            self._status = failed
        return self._status

    def wait(self) -> int:
        """Wait until all have ended, and return what :meth:`poll` does."""
        latest = time.monotonic() + _LIMIT
        while (status := self.poll()) is None:
            if time.monotonic() > latest:
                self.send_signal(signal.SIGKILL)
            time.sleep(0.01)
        return status

    def send_signal(self, sig: int) -> None:
        """Send a signal to each."""
        for process in self._started:
            process.send_signal(sig)


class Forked:
    """A process that the server has forked."""

    def __init__(self, answers: int) -> None:
        self._answers = answers
        self._status: int | None = None
        try:
            self.pid = _received(answers)
        except EOFError:
            os.close(answers)
            raise

    def poll(self) -> int | None:
        """Return the exit status, -N after signal N, and None as long as the process runs."""
        return self._ended(0)

    def wait(self) -> int:
        """Wait until the process ends, and return the exit status.

        Raises:
            EOFError: The server was killed meanwhile.
            TimeoutError: It has not ended after a quarter of an hour, and is killed.
        """
        status = self._ended(_LIMIT)
        if status is None:
            self.send_signal(signal.SIGKILL)
            raise TimeoutError(f"process {self.pid} had not ended after {_LIMIT:g} seconds")
        return status

    def send_signal(self, sig: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, sig)

    def _ended(self, seconds: float) -> int | None:
        if self._status is None and _readable(self._answers, seconds):
            self._status = _received(self._answers)
            os.close(self._answers)
        return self._status


class Server:
    """The server, as the tests see it."""

    def __init__(self, imported: Sequence[str]) -> None:
        """Start a server that imports some modules first."""
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno()), *imported],
                env={**os.environ, **_SURROUNDINGS, "PYTHONPATH": ""},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is for the tests, whose end it notices
            )

    @cached_property
    def is_ready(self) -> bool:
        """Whether it has imported what it should, and can fork."""
        if _readable(self._requests.fileno(), _LIMIT):
            with suppress(OSError):
                return self._requests.recv(len(_READY)) == _READY
        self.process.kill()
        return False

    def fork(
        self, command: list[str], folder: Path, environment: dict[str, str], streams: tuple[int, int]
    ) -> Forked:
        """Have a process forked.

        Raises:
            OSError: The server cannot be asked.
            RuntimeError: It has ended after it was asked, so that nobody knows whether the process runs.
        """
        request = json.dumps([command, str(folder), environment]).encode()
        answers, theirs = os.pipe()
        try:
            socket.send_fds(self._requests, [request], [*streams, theirs])
        except OSError:
            os.close(answers)
            raise
        finally:
            os.close(theirs)
        if not _readable(answers, _LIMIT):
            self.process.kill()
        try:
            return Forked(answers)
        except EOFError as error:
            raise RuntimeError(f"{error}, perhaps with a process that it had forked") from None

    def close(self) -> None:
        """End the server; the processes that it has forked go on."""
        with suppress(OSError):
            self._requests.shutdown(socket.SHUT_RDWR)  # also for whoever was forked and has it as well
        self._requests.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def is_possible() -> bool:
    """Return whether this is Linux, and not in a sandbox that forbids what the server needs."""
    try:
        os.close(os.pidfd_open(os.getpid()))
        return _threads() > 0
    except (AttributeError, OSError):
        return False


@cache
def server() -> Server | None:
    """Return the server of this process, started when it is first needed; None where there can be none."""
    if not is_possible():
        return None
    started = Server(IMPORTED)
    atexit.register(started.close)
    return started


def _readable(descriptor: int, seconds: float) -> bool:
    """Wait until there is something to read, or nobody any more to write."""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    return bool(waiting.poll(seconds * 1000))


def _received(answers: int) -> int:
    """Read a process id or an exit status.

    Raises:
        EOFError: There is nobody any more who could send one.
    """
    message = os.read(answers, _STATUS)
    if len(message) < _STATUS:
        raise EOFError("the server that forks processes for the tests has ended")
    return int.from_bytes(message, signed=True)


# --- in the server --------------------------------------------------------------------------------


class _Request(NamedTuple):
    """What a forked process is to become."""

    command: list[str]
    """A module and its arguments."""
    folder: str
    environment: dict[str, str]


def _serve(requests: socket.socket) -> _Request:
    """Fork a process per request until the tests end; in each, return what it is to become."""
    children: dict[int, tuple[int, int]] = {}
    """Process id and where to send answers, by the descriptor that tells when it ends."""
    poll = select.poll()
    poll.register(requests, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor in children:
                pid, answers = children.pop(descriptor)
                poll.unregister(descriptor)
                os.close(descriptor)
                _send(answers, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                os.close(answers)
                continue
            message, streams, _, _ = socket.recv_fds(requests, 1 << 20, 3)
            if not message:
                sys.exit()
            output, errors, answers = streams
            if not (pid := os.fork()):
                for number, stream in enumerate((output, errors), start=1):
                    os.dup2(stream, number)
                for unneeded in (*streams, *children, *(child[1] for child in children.values())):
                    os.close(unneeded)
                requests.close()
                return _Request(*json.loads(message))
            _send(answers, pid)
            os.close(output)
            os.close(errors)
            end = os.pidfd_open(pid)
            children[end] = (pid, answers)
            poll.register(end, select.POLLIN)


def _threads() -> int:
    """Count threads, but for that of jemalloc (pyarrow's allocator), which does without after a fork."""
    names = [task.joinpath("comm").read_text(encoding="utf-8") for task in Path("/proc/self/task").iterdir()]
    return sum(not name.startswith("jemalloc") for name in names)


def _send(answers: int, number: int) -> None:
    with suppress(BrokenPipeError):  # nobody waits
        os.write(answers, number.to_bytes(_STATUS, signed=True))


def _become(request: _Request, set_by_libraries: Mapping[str, str]) -> None:
    """Make of a forked process what ``python -m MODULE`` makes of a fresh one before it runs the module."""
    os.setsid()
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update({**set_by_libraries, **request.environment})
    path = [part for part in request.environment.get("PYTHONPATH", "").split(os.pathsep) if part]
    sys.path[:] = [request.folder, *path, *sys.path[1:]]
    sys.argv = request.command
    importlib.invalidate_caches()
    for module, seed in (("numpy.random", "seed"), ("torch", "seed")):  # random does so by itself
        if module in sys.modules:
            getattr(sys.modules[module], seed)()


if __name__ == "__main__":
    _before = dict(os.environ)
    for _name in sys.argv[2:]:
        importlib.import_module(_name)
    _added = {name: value for name, value in os.environ.items() if _before.get(name) != value}
    if _threads() > 1:  # which do not survive a fork
        sys.exit()
    gc.collect()
    gc.freeze()  # garbage collections of those that are forked pass over what they share, and copy none of it
    _requests = socket.socket(fileno=int(sys.argv[1]))
    _requests.send(_READY)
    _request = _serve(_requests)
    _become(_request, _added)
    runpy.run_module(_request.command[0], run_name="__main__", alter_sys=True)
