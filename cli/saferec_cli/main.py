"""The command ``saferec``.

Listing the plugins, as completion and scripts do all the time, goes without typer: importing it takes longer
than finding them.
"""

from __future__ import annotations

import errno
import faulthandler
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import NoReturn

from saferec_cli.everywhere import with_common_options_first
from saferec_core.errors import SaferecError
from saferec_core.plugins.last_words import say_at_a_crash
from saferec_core.plugins.plain_text import plain
from saferec_core.plugins.selection import FILES, LEFT_OUT, STRICT
from saferec_core.plugins.time_limits import CALL_LIMITS
from saferec_core.runs.stopping import RunStopped

__all__ = ["main"]

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_LIST = ["plugins", "list"]
_FIRST_SPEAKS_WITHIN = 10.0  # seconds


def main() -> None:
    """Run a command; an error that the user can fix is one message and exit status 2."""
    # Without this, threads of torch that wait for one another spin, which costs up to tenfold on a
    # busy machine. It has to be set before torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TQDM_DISABLE", "1")  # the engines' own progress bars
    _open_what_is_closed()
    _show_where_it_crashes()
    with _logging(), _selection_kept():
        _run()


def _open_what_is_closed() -> None:
    """Write to nowhere where standard output or error is closed, and to no file that takes its number."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115


def _show_where_it_crashes() -> None:
    """Have a crash in a C extension print the lines of Python that led to it, and the plugin at work."""
    by_user = "PYTHONFAULTHANDLER" in os.environ or "faulthandler" in sys._xoptions or sys.flags.dev_mode
    if by_user or not faulthandler.is_enabled():
        with suppress(OSError, ValueError):
            output = os.dup(2)  # since the output of plugins is captured while they load
            faulthandler.enable(open(output, "w"))  # noqa: PTH123, SIM115 - open as long as the process
            say_at_a_crash(output)


def _run() -> None:
    try:
        arguments = with_common_options_first(sys.argv[1:])
        if arguments in (_LIST, [*_LIST, "--json"]):
            _list_plugins(as_json=len(arguments) > len(_LIST))
        else:
            from saferec_cli.commands import app_for
            from saferec_cli.printing import only_json_printed

            with only_json_printed() if "--json" in arguments else nullcontext():
                app_for(arguments)(arguments, prog_name="saferec")
    except SaferecError as error:
        _exit("\n".join([f"error: {error}", *getattr(error, "__notes__", ())]), 2)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        with suppress(OSError, ValueError):  # what is left must not fail at the end of the process
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        place = error.filename or "where output or a file was being written"
        _exit(f"error: {error.strerror} ({place}): make room, and run the command again", 2)
    except RunStopped as stopped:
        _exit(str(stopped), stopped.status)
    except KeyboardInterrupt:  # while the command and what it needs are imported: nothing has been done
        sys.stderr.write("\ninterrupted\n")
        sys.exit(128 + signal.SIGINT)


def _list_plugins(*, as_json: bool) -> None:
    """List the plugins as ``saferec plugins list`` does; whoever reads may stop before the end."""
    from saferec_cli.plugin_list import list_plugins

    try:
        list_plugins(as_json=as_json)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)


class _PlainFormatter(logging.Formatter):
    """Writes records without what a terminal would act on: they quote plugins."""

    def format(self, record: logging.LogRecord) -> str:
        return plain(super().format(record), lines=True)


@contextmanager
def _logging() -> Iterator[None]:
    """Print what saferec logs, warnings and above unless ``--verbose`` is given."""
    logger, handler = logging.getLogger("saferec"), logging.StreamHandler(sys.stderr)
    handler.setFormatter(_PlainFormatter("%(levelname)s: %(message)s"))
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


@contextmanager
def _selection_kept() -> Iterator[None]:
    """Put the choice of plugins in the environment back, for whoever calls :func:`main` again."""
    before = {name: os.environ.get(name) for name in (FILES, LEFT_OUT, STRICT, CALL_LIMITS)}
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _exit(message: str, status: int) -> NoReturn:
    """Write to standard error and exit; of several processes, the first speaks for all that meet the same.

    A launcher ends all processes as soon as one has exited. The others therefore leave the first one time
    to speak, and speak up if it has nothing to say.
    """
    rank = int(os.environ.get("RANK", "0"))
    if rank:
        with suppress(KeyboardInterrupt):
            time.sleep(_FIRST_SPEAKS_WITHIN + int(os.environ.get("LOCAL_RANK", "0")))
        message = f"process {rank}: {message}"
    sys.stderr.write(f"{plain(message, lines=True)}\n")
    sys.exit(status)
