"""Answers that have been paid for, kept in a file so that no question is paid for twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from saferec_core.endpoints.client import ModelAnswer
from saferec_core.errors import RunError

__all__ = ["ResponseCache", "Totals"]

_VERSION = 1
_CREATE = """
    CREATE TABLE answers (
        question TEXT PRIMARY KEY, configuration TEXT NOT NULL, content TEXT, refusal TEXT,
        finish_reason TEXT, tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL
    ) WITHOUT ROWID
"""
_GET = "SELECT content, refusal, finish_reason, tokens_in, tokens_out FROM answers WHERE question = ?"
_PUT = "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)"
_SUM = "SELECT COUNT(*), TOTAL(tokens_in), TOTAL(tokens_out) FROM answers WHERE configuration = ?"


class Totals(NamedTuple):
    """What the cache holds for one configuration, whichever run has paid for it."""

    answers: int
    tokens_in: int
    tokens_out: int


class ResponseCache:
    """An SQLite file of answers by question.

    Each answer is committed by itself, so a process that is killed loses only what was in flight;
    several processes may use one file. Questions are kept as hashes, and no key and no header at all.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, or make it.

        Raises:
            RunError: It is not a cache, is damaged, or cannot be opened.
        """
        self._path = path
        with self._named():
            path.parent.mkdir(parents=True, exist_ok=True)
            # Used by one thread at a time, which is not always the one that has opened it.
            self._file = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
            try:
                self._prepare()
            except BaseException:
                self._file.close()
                raise

    def close(self) -> None:
        """Close the file."""
        with self._named():
            self._file.close()

    def get(self, question: str) -> ModelAnswer | None:
        """Return the answer to a question, if it has been given."""
        with self._named():
            row = self._file.execute(_GET, (question,)).fetchone()
        return None if row is None else ModelAnswer(*row)

    def put(self, question: str, configuration: str, answer: ModelAnswer) -> None:
        """Keep an answer; it is on the disk when this returns, unless the machine loses its power."""
        values = (answer.content, answer.refusal, answer.finish_reason, answer.tokens_in, answer.tokens_out)
        with self._named():
            self._file.execute(_PUT, (question, configuration, *values))

    def totals(self, configuration: str) -> Totals:
        """Add up what has been asked with this configuration."""
        with self._named():
            row = self._file.execute(_SUM, (configuration,)).fetchone()
        return Totals(*map(int, row))

    def _prepare(self) -> None:
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = NORMAL")
        self._file.execute("BEGIN IMMEDIATE")  # another process may be making the table just now
        (version,) = self._file.execute("PRAGMA user_version").fetchone()
        (tables,) = self._file.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        if version == 0 and tables == 0:
            self._file.execute(_CREATE)
            self._file.execute(f"PRAGMA user_version = {_VERSION}")
        elif version != _VERSION:
            raise RunError(
                f"{self._path} is an SQLite file, but not a response cache of this version of saferec; name "
                "another file as cache_path"
            )
        self._file.execute("COMMIT")

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise RunError(
                f"response cache {self._path} cannot be used: {error}. If it is damaged, move it or name "
                "another file as cache_path; its questions are then asked again"
            ) from error
