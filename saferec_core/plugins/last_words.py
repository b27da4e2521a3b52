"""Say which plugin was at work when the process died.

A crash in a C extension, or a signal that nobody can catch, leaves no moment to say anything. A small process
therefore waits for the end of this one. What is at work stands in a file that both of them map, so that
noting it costs no system call; that process prints the note if there is one when this process has ended.
"""

from __future__ import annotations

import mmap
import os
import re
import tempfile
from _thread import get_ident
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from threading import main_thread

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["at_work", "continues_with", "is_built_in", "say_at_a_crash"]

_SIZE = 4096
"""Bytes of the note."""

_WAITING = """
cat > /dev/null
IFS= read -r words < "$1"
rm -f "$1"
if [ -n "$words" ]; then printf '%s\\n' "$words" >&2; fi
"""
"""Reads from a pipe that the kernel closes when the other process ends."""


@dataclass
class _Note:
    """What is said if the process dies now."""

    output: int | None = None
    """Descriptor of standard error; None: nothing is said."""
    pipe: int | None = None
    content: mmap.mmap | None = None
    what: str = ""
    command: str = ""

    def write(self) -> None:
        """Write what is at work, and begin to wait for the end before the first of it."""
        if self.output is not None and self.content is None and self.what:
            self._begin()
        if self.content is not None:
            line = _line(self.what, self.command)
            self.content[: len(line)] = line

    def _begin(self) -> None:
        """Start the process that waits; without one nothing is said."""
        assert self.output is not None
        number, path = -1, ""
        reading, self.pipe = os.pipe()
        try:
            number, path = tempfile.mkstemp(prefix="saferec-at-work-")
            os.write(number, b"\n" * _SIZE)
            content = mmap.mmap(number, _SIZE)
            ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (reading, self.output)]
            try:
                os.posix_spawn(
                    "/bin/sh",
                    ["sh", "-c", _WAITING, "sh", path],
                    os.environ,
                    file_actions=[
                        (os.POSIX_SPAWN_DUP2, ends[0], 0),
                        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                        (os.POSIX_SPAWN_DUP2, ends[1], 2),
                    ],
                    setpgroup=0,  # Ctrl-C is for the command, not for whoever waits for its end
                )
            finally:
                for end in ends:
                    os.close(end)
            self.content = content
        except (OSError, ValueError, NotImplementedError):  # a full disk may take a part of the file only
            self.output = None
            with suppress(OSError):
                os.unlink(path)  # noqa: PTH108 - a plugin may have changed the working folder
        finally:
            os.close(reading)
            if number >= 0:
                os.close(number)

    def forget(self) -> None:
        """Leave the note to the process that this one was forked from."""
        if self.pipe is not None:
            with suppress(OSError):
                os.close(self.pipe)
        self.output = self.pipe = self.content = None


@lru_cache(maxsize=64)
def _line(what: str, command: str) -> bytes:
    text = f"error: the process died while {what} was at work" if what else ""
    if what and command:
        text += f"; continue from the last checkpoint with: {command}"
    return " ".join(text.split()).encode(errors="replace")[: _SIZE - 1] + b"\n"


_note = _Note()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note.forget)


def say_at_a_crash(output: int) -> None:
    """Have this process's death in a plugin's code explained.

    Args:
        output: Descriptor of standard error, open as long as the process.
    """
    if fcntl is not None and hasattr(os, "posix_spawn"):
        _note.output = output


def continues_with(command: str) -> None:
    """Say as well how to go on; an empty command takes that back."""
    _note.command = command


_BUILT_IN = re.compile(r"\w+ '[^' ]+' of saferec \S+?(, being \w+,)?")


@lru_cache(maxsize=256)
def is_built_in(what: str) -> bool:
    """Whether a component is one of saferec itself.

    Args:
        what: The component, as `saferec_core.plugins.calls.named` returns it.
    """
    return _BUILT_IN.fullmatch(what) is not None


@dataclass(slots=True)
class at_work(AbstractContextManager[None]):  # noqa: N801 - read as a function, and too hot to be a generator
    """Note that a plugin is at work in the main thread; what is built in is not noted.

    A process that is killed while a built-in component computes was killed for another reason.

    Args:
        what: The plugin, as `saferec_core.plugins.calls.named` returns it.
    """

    what: str
    before: str = field(default="", init=False)

    def __enter__(self) -> None:
        """Note it."""
        self.before = _note.what
        if not is_built_in(self.what):
            self._write(self.what)

    def __exit__(self, *_: object) -> None:
        """Note what was at work before."""
        if _note.what != self.before:
            self._write(self.before)

    @staticmethod
    def _write(what: str) -> None:
        if _note.output is not None and get_ident() == main_thread().ident:
            _note.what = what
            _note.write()
