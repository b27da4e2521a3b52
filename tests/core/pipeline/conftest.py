"""Transforms of the kind that plugins offer, in a module that worker processes can import."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

MODULE = '''
import ctypes, os, pathlib, signal, time
from dataclasses import dataclass
from itertools import groupby
from saferec_core.errors import DataError
from saferec_core.plugins.contracts.transform import Counted, Rejected, Removed, Surveying, Transform


@dataclass(frozen=True)
class Halve(Transform):
    """Halves n; odd rows are removed, negative ones rejected."""
    columns = ("n",)
    log: str = ""

    def __call__(self, rows):
        for row in rows:
            if self.log:
                with open(self.log, "a") as file:
                    file.write(f"{row['n']}\\n")
            if row["n"] < 0:
                raise DataError(f"n must not be negative, but is {row['n']}")
            if row["n"] % 2:
                yield Removed(row, "odd", {"n": row["n"]})
            else:
                yield Counted("halved", example=str(row["n"]))
                yield {**row, "half": row["n"] // 2}


@dataclass(frozen=True)
class Endless(Transform):
    """Yields its first row again and again."""

    def __call__(self, rows):
        for row in rows:
            while True:
                yield row


@dataclass(frozen=True)
class Slow(Halve):
    """Halves, and takes its time, so that it can be killed on the way."""
    seconds: float = 0.001

    def __call__(self, rows):
        for outcome in super().__call__(rows):
            time.sleep(self.seconds)
            yield outcome


@dataclass(frozen=True)
class Share(Surveying):
    """Divides n by the sum of all n."""
    columns = ("n",)

    def survey(self, rows):
        return Divide(sum(row["n"] for row in rows))


@dataclass(frozen=True)
class Divide(Transform):
    total: int
    columns = ("n",)

    def __call__(self, rows):
        for row in rows:
            yield {"share": row["n"] / self.total}


class Sums(Transform):
    """One row per group of neighbors."""
    columns = ("group", "n")
    group_column = "group"

    def __call__(self, rows):
        for group, members in groupby(rows, key=lambda row: row["group"]):
            yield {"group": group, "sum": sum(row["n"] for row in members)}


class Lazy(Transform):
    def __call__(self, rows):
        yield next(iter(rows))


class Raises(Transform):
    def __call__(self, rows):
        for row in rows:
            raise KeyError("what?")
            yield


class Yields(Transform):
    def __init__(self, value):
        self.value = value
    def __call__(self, rows):
        for row in rows:
            yield self.value


class Ahead(Transform):
    """Reads all rows before it says what is wrong with one."""
    def __call__(self, rows):
        for row in list(rows):
            yield Rejected(row, "not two") if row["n"] == 2 else row


class Named(Transform):
    """Makes new rows, one of each."""
    def __call__(self, rows):
        for row in rows:
            yield Counted("named")
            yield {"name": f"n{row['n']}", **row}


class Together(Transform):
    """Makes new rows of all that it has read, the last one first."""
    def __call__(self, rows):
        for row in reversed(list(rows)):
            yield dict(row)


class Picky(Transform):
    def __call__(self, rows):
        for row in rows:
            if row["n"] == 12:
                raise DataError("12 is too much")
            yield row


class Quits(Transform):
    def __call__(self, rows):
        for row in rows:
            raise SystemExit(0)
            yield


class Eager(Transform):
    def __call__(self, rows):
        raise KeyError("at once")


class NoSurvey(Surveying):
    def survey(self, rows):
        return None


class BadSurvey(Surveying):
    def survey(self, rows):
        raise OSError("no such source")


class Dies(Transform):
    def __call__(self, rows):
        for row in rows:
            ctypes.CDLL(None).kill(os.getpid(), signal.SIGKILL)  # nothing in Python can catch it
            yield
'''


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module; spawned processes find it, since they get this process's path."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "made_up_steps.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.delitem(sys.modules, "made_up_steps", raising=False)
    return importlib.import_module("made_up_steps")


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    """A file of 1,700 rows {"n": 0} ... {"n": 1699}: four parts."""
    path = tmp_path / "numbers.jsonl"
    path.write_text("".join(json.dumps({"n": n}) + "\n" for n in range(1700)), encoding="utf-8")
    return path
