"""Records of files: few as objects, many mapped from a file that all processes of a machine share."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

from saferec_core.data import mapped_rows
from saferec_core.data.machine_cache import find_derived, is_worth_keeping, make_derived
from saferec_core.data.mapped_rows import MappedRows, row_texts
from saferec_core.data.records import Record, record_of
from saferec_core.data.rows import Row, read_rows
from saferec_core.data.sealed_tables import write_sealed
from saferec_core.errors import DataError

__all__ = ["MappedRecords", "Stage", "read_records", "traits_of"]

Stage = Callable[[Callable[[], Iterable[Row]]], Iterable[Row]]
"""Turns rows into rows. It is given a function that starts reading them, which it may call twice."""

_KIND = "records"


class MappedRecords(MappedRows[Record]):
    """Records of a mapped file."""

    traits: Collection[str]
    """Every trait that is a constraint of a record."""

    def __init__(self, path: Path) -> None:
        """Map a file that `read_records` has written."""
        import pyarrow as pa  # not for those who keep their records in memory

        source = pa.memory_map(str(path))
        rows, traits = (pa.ipc.open_stream(source).read_all().column(0) for _ in range(2))
        super().__init__(rows, partial(record_of, needs={}))
        self.traits = frozenset(traits.to_pylist())


def read_records(
    path: Path,
    *,
    needs: Mapping[str, str],
    stages: Sequence[Stage] = (),
    limit: int | None = None,
) -> Sequence[Record]:
    """Read a split: JSONL, Parquet, or a folder written by ``datasets``.

    Every row that is read is checked. More rows than `saferec_core.data.mapped_rows.IN_MEMORY` are written to
    a file, from which a record is read whenever it is asked for. Without stages the file stays on the machine
    (`saferec_core.data.machine_cache`): other processes, and later runs on the same data, map it without
    reading the split again. With stages it is temporary.

    Args:
        path: The file or folder.
        needs: Required columns, each with what needs it, such as ``{"constraints": "reward 'safety'"}``.
        stages: Applied to the rows in order, before anything is checked.
        limit: Reading ends after this many records; None: all are read.

    Raises:
        DataError: The file is missing or empty, or a row is malformed; the message names
            the row, the column and what needs it.
    """
    options = {"needs": sorted(needs), "limit": limit}
    stays = not stages and is_worth_keeping(path)
    if stays and (earlier := find_derived(_KIND, path, options)):
        return MappedRecords(earlier)
    checked = islice(_checked(path, needs, stages), limit)
    first = list(islice(checked, mapped_rows.IN_MEMORY + 1))
    if not first:
        nothing = "no records are left by its transforms" if stages else "holds no records"
        raise DataError(f"{path}{':' if stages else ''} {nothing}; expected at least one")
    if len(first) <= mapped_rows.IN_MEMORY:
        return [record for _, record in first]
    write = partial(_write, rows=chain(first, checked))
    del first  # which would be kept as long as the file is written
    return MappedRecords(make_derived(_KIND, path, options, write)) if stays else _temporary(write)


def traits_of(records: Sequence[Record]) -> Collection[str]:
    """Return every trait that is a constraint of a record; of mapped records none is read for it."""
    if isinstance(records, MappedRecords):
        return records.traits
    return {trait for record in records for trait in record.constraints}


def _checked(path: Path, needs: Mapping[str, str], stages: Sequence[Stage]) -> Iterator[tuple[Row, Record]]:
    """Yield the rows that *stages* make of a split, each with its record."""

    def rows(depth: int = len(stages)) -> Iterable[Row]:
        if depth == 0:
            return read_rows(path)
        return stages[depth - 1](lambda: rows(depth - 1))

    for number, row in enumerate(rows(), start=1):
        try:
            record = record_of(row, needs=needs)
        except DataError as error:
            after = " after its transforms" if stages else ""
            raise DataError(f"{path}, row {number}{after}: {error}") from error
        yield row, record


def _write(path: Path, *, rows: Iterable[tuple[Row, Record]]) -> None:
    """Write the tables that `MappedRecords` maps; the second is known once the first is written."""
    traits: set[str] = set()

    def noted() -> Iterator[Row]:
        for row, record in rows:
            traits.update(record.constraints)
            yield row

    def tables() -> Iterator[Any]:
        import pyarrow as pa

        yield row_texts(noted())
        yield pa.table({"trait": pa.array(sorted(traits), pa.large_utf8())})

    write_sealed(path, tables())


def _temporary(write: Callable[[Path], None]) -> MappedRecords:
    """Map a file in ``TMPDIR``, which is removed when nothing maps it any more."""
    handle, name = tempfile.mkstemp(prefix="saferec-rows-", suffix=".arrow")
    os.close(handle)
    path = Path(name)
    try:
        write(path)
        return MappedRecords(path)
    except OSError as error:
        raise DataError(
            f"the rows cannot be kept in {path}: {error.strerror or error}. Set TMPDIR to a folder with "
            "more space"
        ) from error
    finally:
        path.unlink(missing_ok=True)  # what is mapped stays until it is closed
