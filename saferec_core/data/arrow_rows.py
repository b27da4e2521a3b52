"""Tables of Parquet and Arrow files and of ``datasets`` folders, as values that JSON can hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, chain
from pathlib import Path
from typing import Any

from saferec_core.errors import DataError

__all__ = ["arrow_rows", "arrow_tables"]

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}

_SAVED = ("state.json", "dataset_dict.json")
"""Files of every folder that ``datasets`` wrote."""

_SHARDS = {".parquet": "parquet", ".arrow": "arrow", ".jsonl": "json", ".json": "json", ".csv": "csv"}
"""Parts of a dataset, by their names, with the loader of ``datasets`` that reads them."""


def arrow_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of `arrow_tables`."""
    for table in arrow_tables(path):
        yield from table.to_pylist()


def arrow_tables(path: Path, rows: int = 500) -> Iterator[Any]:
    """Yield a file or folder in tables of *rows* rows, one in memory at a time.

    Whole decimals come as integers or, in a column of more than 18 digits, as text; others as floats. Floats
    that are NaN come as missing values (as pandas writes them), durations as seconds, and bytes as the UTF-8
    text that they are.

    Raises:
        DataError: It cannot be read, a column occurs twice or holds bytes that are not text.
    """
    import pyarrow as pa

    try:
        for table in _tables(path, rows):
            yield _plain_table(table, path)
    except (FileNotFoundError, ValueError, OSError, pa.ArrowException) as error:
        raise DataError(f"{path} cannot be read as a dataset: {error}") from error


def _tables(path: Path, rows: int) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.is_dir():
        yield from _folder_tables(path, rows)
        return
    with path.open("rb") as file:
        mark = file.read(6)
    if mark[:4] == b"PAR1":
        with pq.ParquetFile(path) as parquet:
            for batch in parquet.iter_batches(batch_size=rows):
                yield pa.Table.from_batches([batch])
        return
    with pa.memory_map(str(path)) as source:
        reader = pa.ipc.open_file(source) if mark == b"ARROW1" else pa.ipc.open_stream(source)
        if b"saferec" in (reader.schema.metadata or {}):
            raise DataError(f"{path} is an oracle file, not a dataset; name it as the oracle")
        batches = map(reader.get_batch, range(reader.num_record_batches)) if mark == b"ARROW1" else reader
        for batch in batches:
            for start in range(0, len(batch), rows):
                yield pa.Table.from_batches([batch.slice(start, rows)])


def _folder_tables(path: Path, rows: int) -> Iterator[Any]:
    import datasets  # takes a second to import, and nothing else needs it

    if not any((path / name).exists() for name in _SAVED):
        raise DataError(_not_saved(path))
    loaded = datasets.load_from_disk(str(path))
    if isinstance(loaded, datasets.DatasetDict):
        splits = ", ".join(loaded)
        raise DataError(f"{path} holds several splits ({splits}); name the folder of one of them")
    plain = loaded.with_format("arrow")
    for start in range(0, len(plain), rows):
        yield plain[start : start + rows]


def _not_saved(path: Path) -> str:
    """Say what to do with a folder that is not a dataset, such as one of shards."""
    problem = f"{path} is not a folder that datasets wrote with save_to_disk; name a file"
    for suffix, kind in _SHARDS.items():
        if any(path.glob(f"*{suffix}")):
            files = str(path / f"*{suffix}")
            return (
                f"{problem}, or join its parts in Python: datasets.load_dataset({kind!r}, "
                f"data_files={files!r}, split='train').save_to_disk('joined')"
            )
    return problem


def _twice(fields: Sequence[Any]) -> str | None:
    """Return a name that two columns, or two fields of a struct in them, share."""
    names = Counter(field.name for field in fields)
    inside = (
        _twice([field.type.field(number) for number in range(field.type.num_fields)]) for field in fields
    )
    return next(chain((name for name in names if names[name] > 1), filter(None, inside)), None)


def _plain_table(table: Any, path: Path) -> Any:
    import pyarrow as pa

    if twice := _twice(list(table.schema)):
        raise DataError(f"{path}: column {twice!r} occurs more than once; rename or remove all but one")
    for number, field in enumerate(table.schema):
        if not _is_plain(field.type):
            try:
                column = pa.chunked_array([_plain(chunk) for chunk in table.column(number).chunks])
            except pa.ArrowInvalid as error:
                raise DataError(
                    f"{path}: column {field.name!r} holds bytes that are not UTF-8 text; remove "
                    "the column, or write it as text (such as base64)"
                ) from error
            table = table.set_column(number, field.name, column)
    return table


def _is_plain(kind: Any) -> bool:
    """Return whether values of a type are valid JSON as they are."""
    import pyarrow as pa

    types = pa.types
    if types.is_list(kind) or types.is_large_list(kind):
        return _is_plain(kind.value_type)
    if types.is_struct(kind):
        return all(_is_plain(field.type) for field in kind)
    return bool(
        types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_integer(kind)
        or types.is_boolean(kind)
        or types.is_date(kind)
        or types.is_null(kind)
    )


def _plain(array: Any) -> Any:
    """Return the array with values that JSON can hold."""
    types = _types()
    if types.is_list(array.type) or types.is_large_list(array.type):
        return _plain_list(array)
    if types.is_struct(array.type):
        fields = [_plain(inside) for inside in array.flatten()]
        return _pa().StructArray.from_arrays(
            fields, [field.name for field in array.type], mask=array.is_null()
        )
    for is_kind, converted in _CONVERSIONS:
        if getattr(types, is_kind)(array.type):
            return converted(array)
    return array


def _plain_list(array: Any) -> Any:
    pa = _pa()
    is_large = pa.types.is_large_list(array.type)
    lengths = [length or 0 for length in pa.compute.list_value_length(array).to_pylist()]
    offsets = pa.array(list(accumulate(lengths, initial=0)), type=pa.int64() if is_large else pa.int32())
    form = pa.LargeListArray if is_large else pa.ListArray
    return form.from_arrays(offsets, _plain(array.flatten()), mask=array.is_null())


def _without_nan(array: Any) -> Any:
    pa = _pa()
    floats = array.cast(pa.float64())
    return pa.compute.if_else(pa.compute.is_nan(floats), pa.scalar(None, pa.float64()), floats)


def _decimals(array: Any) -> Any:
    """Return whole decimals, by which databases write ids, with every digit; the column decides how."""
    pa = _pa()
    if array.type.scale > 0:
        return _without_nan(array)
    return array.cast(pa.int64() if array.type.precision <= _DIGITS else pa.string())


_DIGITS = 18
"""Digits of which every whole number fits into 64 bits."""


def _seconds(array: Any) -> Any:
    pa = _pa()
    return pa.compute.divide(array.cast(pa.int64()).cast(pa.float64()), float(_PER_SECOND[array.type.unit]))


def _pairs(array: Any) -> Any:
    pa = _pa()
    pair = pa.struct([("key", array.type.key_type), ("value", array.type.item_type)])
    return _plain(array.cast(pa.list_(pair)))


_CONVERSIONS: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("is_dictionary", lambda array: _plain(array.dictionary_decode())),
    ("is_floating", _without_nan),
    ("is_decimal", _decimals),
    ("is_duration", _seconds),
    ("is_time", lambda array: array.cast(_pa().string())),
    ("is_timestamp", lambda array: array.cast(_pa().timestamp("us", tz=array.type.tz), safe=False)),
    ("is_fixed_size_binary", lambda array: array.cast(_pa().binary()).cast(_pa().string())),
    ("is_large_binary", lambda array: array.cast(_pa().large_string())),
    ("is_binary", lambda array: array.cast(_pa().string())),
    ("is_fixed_size_list", lambda array: _plain(array.cast(_pa().list_(array.type.value_type)))),
    ("is_map", _pairs),
)
"""Conversions to plain values, by the test in ``pyarrow.types`` for the original type."""


def _pa() -> Any:
    import pyarrow.compute

    return pyarrow


def _types() -> Any:
    return _pa().types
