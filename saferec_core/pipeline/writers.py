"""The finished dataset: final rows, written to one file or folder per split."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from saferec_core.data.dataset_rows import SPLITS, plain_record, split_of
from saferec_core.data.json_lines import as_line
from saferec_core.data.rows import Row, numbered_rows, row_name
from saferec_core.errors import DataError
from saferec_core.pipeline.arrow_schema import ArrowForm

__all__ = ["Form", "Published", "publish", "published_files"]

Form = Literal["jsonl", "parquet", "datasets"]
"""How a dataset is written."""

_FORMS: tuple[Form, ...] = ("jsonl", "parquet", "datasets")


_BATCH_ROWS, _BATCH_BYTES = 1024, 1 << 23
"""Rows, and bytes of JSON, that are gathered for one Arrow batch or Parquet row group."""


@dataclass(frozen=True)
class Published:
    """What was written."""

    form: Form
    rows: dict[str, int]
    """Rows per split."""
    files: dict[str, str]
    """Per split the file or folder, within the folder of the dataset, that a run reads."""
    json_columns: tuple[str, ...] = ()
    """Paths of values that are stored as JSON text, since no Arrow type fits, such as ``keep.evidence``."""


def publish(rows: Path, out: Path, *, form: Form) -> Published:
    """Write final rows as a dataset; the same rows give the same bytes.

    A row belongs to the split that its column ``split`` names, without one to ``train``; a split
    without rows is not written. All rows are checked and brought into one form, the same for every
    file format. Memory is bounded by a batch of rows for each split.

    - ``jsonl``: ``train.jsonl`` and so on.
    - ``parquet``: ``train.parquet`` and so on; types as `ArrowForm` finds them.
    - ``datasets``: a folder that ``datasets.load_from_disk`` reads, with a folder for each split,
      which ``saferec train --train-path`` reads.

    Args:
        rows: The rows (JSONL), read twice for Arrow formats.
        out: An empty folder, created if missing. Its content after an error is unusable.
        form: How the dataset is written.

    Raises:
        DataError: There are no rows, or a row is malformed; its line is named.
    """
    out.mkdir(parents=True, exist_ok=True)
    arrow = ArrowForm()
    if form != "jsonl":
        for _, row in numbered_rows(rows):
            arrow.look_at(row)
    counts = dict.fromkeys(SPLITS, 0)
    writers: dict[str, _Writer] = {}
    with ExitStack() as stack:
        for number, row in _records(rows):
            split = split_of(row)
            if split not in writers:
                writers[split] = _writer(form, out, split, arrow)
                stack.callback(writers[split].close)
            writers[split].write(_json_line(row, rows, number), row)
            counts[split] += 1
        for writer in writers.values():
            writer.finish()
    if not writers:
        raise DataError(f"{rows} holds no rows; expected at least one to make a dataset of")
    written = [split for split in SPLITS if counts[split]]
    if form == "datasets":
        _write_json(out / "dataset_dict.json", {"splits": written})
    return Published(
        form=form,
        rows={split: counts[split] for split in written},
        files={split: _file_name(form, split) for split in written},
        json_columns=arrow.json_columns,
    )


def published_files(folder: Path) -> tuple[Form, dict[str, Path]]:
    """Find the splits of a published dataset, and how they are written.

    Raises:
        DataError: The folder holds none.
    """
    for form in _FORMS:
        files = {split: folder / _file_name(form, split) for split in SPLITS}
        if existing := {split: path for split, path in files.items() if path.exists()}:
            return form, existing
    raise DataError(
        f"{folder} does not hold a dataset; expected train.jsonl, train.parquet or the folder train"
    )


def _records(rows: Path) -> Iterator[tuple[int, Row]]:
    for number, row in numbered_rows(rows):
        try:
            split_of(row)
            yield number, plain_record(row)
        except DataError as error:
            raise DataError(f"{rows}, {row_name(rows)} {number}: {error}") from error


class _Writer(Protocol):
    def write(self, line: bytes, row: Row, /) -> None:
        """Add a row, which is also given as a line of JSON."""

    def finish(self) -> None:
        """Write the remaining rows, and close."""

    def close(self) -> None:
        """Close, also after an error; may be called twice."""


def _json_line(row: Row, rows: Path, number: int) -> bytes:
    try:
        return as_line(row)
    except (TypeError, ValueError) as error:  # half a surrogate pair, or a number that JSON does not have
        raise DataError(f"{rows}, {row_name(rows)} {number}: the row cannot be written: {error}") from error


def _file_name(form: Form, split: str) -> str:
    return split if form == "datasets" else f"{split}.{form}"


def _writer(form: Form, out: Path, split: str, arrow: ArrowForm) -> _Writer:
    path = out / _file_name(form, split)
    if form == "jsonl":
        return _JsonLines(path)
    return _Arrow(path, arrow) if form == "parquet" else _DatasetsFolder(path, arrow)


class _JsonLines:
    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def write(self, line: bytes, _row: Row) -> None:
        self._file.write(line)

    def finish(self) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()


class _Arrow:
    """Collects rows into batches for a Parquet file."""

    def __init__(self, path: Path, form: ArrowForm) -> None:
        self._form = form
        self._schema = form.schema()
        self._rows: list[Row] = []
        self._size = 0
        self._writer = self._opened(path)

    def write(self, line: bytes, row: Row) -> None:
        self._rows.append(self._form.converted(row))
        self._size += len(line)
        if len(self._rows) == _BATCH_ROWS or self._size >= _BATCH_BYTES:
            self._flush()

    def finish(self) -> None:
        self._flush()
        self.close()

    def close(self) -> None:
        self._writer.close()

    def _opened(self, path: Path) -> Any:
        import pyarrow.parquet as pq

        return pq.ParquetWriter(path, self._schema, compression="zstd")

    def _flush(self) -> None:
        import pyarrow as pa

        if self._rows:
            self._writer.write_batch(pa.RecordBatch.from_pylist(self._rows, schema=self._schema))
        self._rows, self._size = [], 0


class _DatasetsFolder(_Arrow):
    """Writes what ``datasets`` saves: an Arrow stream, and what describes it.

    ``datasets`` itself would write the rows twice and number the dataset by chance.
    """

    def write(self, line: bytes, row: Row) -> None:
        super().write(line, row)
        self._hash.update(line)

    def finish(self) -> None:
        super().finish()
        state: dict[str, Any] = {
            "_data_files": [{"filename": self._data.name}],
            "_fingerprint": self._hash.hexdigest(),
            "_format_columns": None,
            "_format_kwargs": {},
            "_format_type": None,
            "_output_all_columns": False,
            "_split": self._data.parent.name,
        }
        _write_json(self._data.parent / "state.json", state)
        _write_json(self._data.parent / "dataset_info.json", {})

    def close(self) -> None:
        if not self._file.closed:
            super().close()
            self._file.close()

    def _opened(self, path: Path) -> Any:
        import pyarrow as pa

        path.mkdir()
        self._data = path / "data-00000-of-00001.arrow"
        self._hash = hashlib.blake2b(str(self._schema).encode(), digest_size=8)
        self._file = self._data.open("wb")
        return pa.ipc.new_stream(self._file, self._schema)


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
