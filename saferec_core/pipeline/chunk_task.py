"""One step applied to one part of a file, in any process."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from saferec_core.data.json_lines import as_line
from saferec_core.data.rows import Row
from saferec_core.errors import DataError, PluginError
from saferec_core.files import write_text
from saferec_core.pipeline.chunks import Part
from saferec_core.pipeline.origins import first_file_of, origin_line, origins_of
from saferec_core.pipeline.step_report import StepAccount
from saferec_core.plugins.calls import calling, named, undisturbed
from saferec_core.plugins.contracts.transform import (
    Counted,
    Outcome,
    Rejected,
    Removed,
    Transform,
    fault_of,
)
from saferec_core.plugins.endless import check_end
from saferec_core.plugins.registry import entry_of
from saferec_core.plugins.time_limits import still_working

__all__ = ["KINDS", "do_part", "part_account", "part_file", "read_account"]

KINDS = ("rows", "origins", "removed", "rejects")
"""Outputs of a part, a JSONL file of each; ``origins`` has a line for each row."""


def part_file(folder: Path, index: int, kind: str) -> Path:
    """Return the path of an output of a part."""
    return folder / f"{index:06d}.{kind}.jsonl"


def part_account(folder: Path, index: int) -> StepAccount | None:
    """Return the account of a part that is done, None if it is not or its files were damaged."""
    files = {kind: part_file(folder, index, kind) for kind in KINDS}
    return read_account(folder / f"{index:06d}.json", files)


def read_account(path: Path, files: Mapping[str, Path]) -> StepAccount | None:
    """Read an account; None if it is missing, or its *files* do not have the sizes that it states."""
    try:
        account = StepAccount.from_json(json.loads(path.read_text(encoding="utf-8")))
        whole = all(file.stat().st_size == account.sizes.get(kind) for kind, file in files.items())
    except (FileNotFoundError, ValueError, TypeError, LookupError):
        return None  # a power failure may leave a file empty
    return account if whole else None


def do_part(step: str, transform: Transform, part: Part, folder: Path) -> StepAccount:
    """Transform a part and write its outputs into *folder*, its account last.

    Raises:
        PluginError: The transform failed; the message names the step.
        SaferecError: The transform stopped for a reason of its own.
    """
    account = StepAccount(step)
    # A worker that was given up for lost may still be writing the same part: each has a draft of its own.
    with TemporaryDirectory(dir=folder, prefix=f"{part.index:06d}.") as name:
        draft = Path(name)
        with ExitStack() as stack:
            files: dict[str, IO[bytes]] = {
                kind: stack.enter_context(part_file(draft, part.index, kind).open("wb", buffering=1 << 18))
                for kind in KINDS
            }
            with undisturbed(named("step", transform, step)):
                _transform(transform, _Reader(part, transform.columns, account, files), account, files)
            account.sizes = {kind: file.tell() for kind, file in files.items()}
        for kind in KINDS:
            part_file(draft, part.index, kind).replace(part_file(folder, part.index, kind))
    write_text(folder / f"{part.index:06d}.json", json.dumps(account.as_json()))
    return account


class _Reader:
    """Passes the valid rows of a part to the transform, and records the others."""

    def __init__(
        self, part: Part, columns: Iterable[str], account: StepAccount, files: dict[str, IO[bytes]]
    ) -> None:
        self._part = part
        self._columns = tuple(columns)
        self._account = account
        self._files = files
        self._rows = part.rows()
        self._origins = origins_of(part.source, part.unit, part.numbers())
        self._first = first_file_of(part.source, part.unit)
        self._numbers: dict[int, tuple[Row, int]] = {}
        """By identity, which is unique while the row is held here."""
        self._named: dict[Any, int] = {}
        self._since_answer: list[int] = []
        self._is_answered = False
        self.last: Row | None = None

    def __iter__(self) -> Iterator[Row]:
        return self

    def __next__(self) -> Row:
        while True:
            number, row = next(self._rows)
            still_working()
            self._account.read += 1
            problem = row if isinstance(row, DataError) else self._missing(row)
            if isinstance(row, dict) and problem is None:
                self._numbers[id(row)] = row, number
                if self._is_answered:
                    self._since_answer.clear()
                self._since_answer.append(number)
                self._is_answered = False
                if isinstance(name := row.get("id"), str | int):
                    self._named[name] = number
                self.last = row
                return row
            self._note(number, row if isinstance(row, dict) else self._part.raw().get(number), str(problem))

    def reject(self, row: Row | None, reason: str) -> None:
        """Record a row that the transform cannot use."""
        self._note(self._number_of(row), row, reason)
        self.answered()

    def keep(self, row: Row) -> None:
        """Write an output row and its origin."""
        self._files["rows"].write(as_line(row))
        number = self._number_of(row)
        self._files["origins"].write(
            origin_line(None if number is None else self._origins[number], self._first)
        )

    def answered(self) -> None:
        """Note that the transform has yielded something; the next outcome may belong to the same rows."""
        self._is_answered = True

    def _number_of(self, row: Row | None) -> int | None:
        """Return the number of the row that *row* is, was made from, or shares its ``id`` with."""
        if id(row) in self._numbers:
            return self._numbers[id(row)][1]
        if row is not None and isinstance(name := row.get("id"), str | int) and name in self._named:
            return self._named[name]
        return self._since_answer[0] if len(self._since_answer) == 1 else None  # else any of them

    def _missing(self, row: Row) -> DataError | None:
        for column in self._columns:
            if row.get(column) is None:
                has = ", ".join(sorted(key for key, value in row.items() if value is not None))
                return DataError(f"column {column!r} is missing; columns: {has}")
        return None

    def _note(self, number: int | None, row: Any, reason: str) -> None:
        self._account.rejected += 1
        origin = None if number is None else self._origins[number]
        file, unit, line = origin or (self._part.source, self._part.unit, None)
        self._account.rejections.append(f"{origin or file}: {reason}")
        del self._account.rejections[_KEPT:]
        self._files["rejects"].write(_as_note({"file": file, unit: line, "reason": reason, "content": row}))


_KEPT = 12


def _transform(
    transform: Transform, reader: _Reader, account: StepAccount, files: dict[str, IO[bytes]]
) -> None:
    outcomes: Iterator[Outcome] | None = None
    entry = entry_of(transform)
    of = f" of {entry.origin.supplier}" if entry is not None and not entry.origin.is_built_in else ""
    step = f"step {account.step!r}{of}"
    with calling(named("step", transform, account.step)):  # what it yields may act too, when it is looked at
        for yielded in count(1):
            check_end(step, yielded, account.read)
            still_working()
            try:
                if outcomes is None:  # a generator ends when it raises; a new one takes the rest
                    outcomes = iter(transform(reader))
                outcome = next(outcomes, _END)
            except DataError as error:
                if reader.last is None:
                    raise DataError(f"{step}: {error}") from error
                reader.reject(reader.last, str(error))
                reader.last = outcomes = None
                continue
            if outcome is _END:
                break
            try:
                _keep(outcome, reader, account, files)
                reader.answered()
            except (TypeError, ValueError) as error:
                raise PluginError(f"{step} yielded a value that JSON cannot represent: {error}") from error
    if next(reader, None) is not None:
        raise PluginError(f"{step} stopped before it had read all its rows")


_END: Any = object()
"""Marks the end of the outcomes."""


def _keep(outcome: Outcome, reader: _Reader, account: StepAccount, files: dict[str, IO[bytes]]) -> None:
    if isinstance(outcome, dict):
        reader.keep(outcome)
        account.written += 1
    elif isinstance(outcome, Removed | Rejected | Counted) and (fault := fault_of(outcome)):
        raise PluginError(f"step {account.step!r} yielded {type(outcome).__name__}, but {fault}")
    elif isinstance(outcome, Removed):
        account.removed[outcome.reason] += 1
        note = {"reason": outcome.reason, "evidence": outcome.evidence, "row": outcome.row}
        files["removed"].write(_as_note(note))
    elif isinstance(outcome, Rejected):
        reader.reject(outcome.row, outcome.reason)
    elif isinstance(outcome, Counted):
        account.count(outcome.what, outcome.times, outcome.example, outcome.group)
    else:
        raise TypeError(f"expected a row or another outcome, but it yielded {outcome!r:.80}")


def _as_note(note: dict[str, Any]) -> bytes:
    """Write a note; values that JSON cannot represent are written as Python shows them."""
    try:
        return as_line(note)
    except (TypeError, ValueError):
        return as_line(
            {name: value if _can_be_written(value) else ascii(value) for name, value in note.items()}
        )


def _can_be_written(value: Any) -> bool:
    try:
        as_line(value)
    except (TypeError, ValueError):
        return False
    return True
