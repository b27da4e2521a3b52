"""The kind of a file, by its content, and by its name only where the content is ambiguous."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable
from enum import Enum
from functools import lru_cache
from itertools import islice
from pathlib import Path

from saferec_core.data.byte_lines import HEAD_BYTES, lines_of, open_bytes
from saferec_core.data.json_tables import table_in
from saferec_core.data.typed_heads import is_typed_head
from saferec_core.data.unheaded_tables import unheaded_table
from saferec_core.errors import DataError

__all__ = ["Kind", "kind_of"]


class Kind(Enum):
    """How the rows of a file are read."""

    LINES = "one JSON value per line"
    VALUES = "JSON: an array, or values one after the other, over any number of lines"
    TABLE = "a table as text, with a head"
    UNHEADED = "a table as text without a head, in a known form"
    ARROW = "Parquet, Arrow, or a datasets folder"
    PICKLE = "a pickle"


_CONVERT = "save or export it as CSV (UTF-8) or JSON Lines"
_DECOMPRESS = "decompress it, or compress it with gzip, bzip2, xz or zstd"

_ARROW_MARKS = (b"PAR1", b"ARROW1\x00\x00", b"\xff\xff\xff\xff")
"""Parquet, Arrow file (Feather), Arrow stream."""

_REFUSED: tuple[tuple[bytes, str], ...] = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", f"an old Excel workbook (.xls) or other Office file; {_CONVERT}"),
    (b"SQLite format 3\x00", f"an SQLite database; {_CONVERT}"),
    (b"\x89HDF\r\n\x1a\n", f"an HDF5 file; {_CONVERT}"),
    (b"\x93NUMPY", f"a NumPy array; {_CONVERT}"),
    (b"FEA1", "a Feather file of version 1; write it as Parquet, or as Feather version 2"),
    (b"ORC", "an ORC file; write it as Parquet"),
    (b"Obj\x01", "an Avro file; write it as Parquet or JSON Lines"),
    (b"%PDF-", f"a PDF document; {_CONVERT}"),
    (b"{\\rtf", f"a rich text document (RTF); {_CONVERT}"),
    (b"RDX", f"an R workspace (.RData); {_CONVERT}"),
    (b"X\n\x00\x00\x00", f"an R object (.rds); {_CONVERT}"),
    (b"$FL2", f"an SPSS file; {_CONVERT}"),
    (b"<stata_dta>", f"a Stata file; {_CONVERT}"),
    (b"MATLAB 5.0 MAT-file", f"a MATLAB file; {_CONVERT}"),
    (b"\x04\x22\x4d\x18", f"compressed with LZ4; {_DECOMPRESS}"),
    (b"\x1f\x9d", f"compressed with compress (.Z); {_DECOMPRESS}"),
    (b"\xff\x06\x00\x00sNaPpY", f"compressed with Snappy; {_DECOMPRESS}"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it and name the file inside"),
    (b"Rar!\x1a\x07", "a RAR archive; unpack it and name the file inside"),
    (
        b"version https://git-lfs.github.com/spec/",
        "a Git LFS pointer, not the data; fetch the file with 'git lfs pull'",
    ),
)
"""First bytes of files that are refused, and what those are."""

_REFUSED_PATTERNS = (
    (re.compile(rb".{257}ustar", re.DOTALL), "a tar archive; unpack it and name the file inside"),
    (
        re.compile(
            rb"(\xef\xbb\xbf)?\s*(<!--.*?-->\s*)?<(!doctype\s+html|html|head|body|script|meta|title|div)\b",
            re.IGNORECASE | re.DOTALL,
        ),
        "an HTML page, not data (possibly an error page of the download); download the file again",
    ),
    (re.compile(rb"(\xef\xbb\xbf)?\s*<\?xml\b", re.IGNORECASE), f"an XML file; {_CONVERT}"),
)

_JSON_BEGINS = re.compile(r"\s*[\[{]")
_PICKLE_BEGINS = re.compile(rb"\x80[\x02-\x05]")
_SAMPLED_LINES = 2


def kind_of(path: Path) -> Kind:
    """Return how the rows of a file or folder are read.

    Raises:
        DataError: It is a kind of file that is refused, such as an Excel workbook; the message names the
            kind and what to do.
    """
    if path.is_dir():
        return Kind.ARROW
    try:
        state = path.stat()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    return _kind(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=64)
def _kind(path: Path, _size: int, _changed: int) -> Kind:
    with open_bytes(path) as file:
        try:
            head = file.read(HEAD_BYTES)
        except (OSError, EOFError, ValueError):
            head = b""  # damaged, which is reported when the lines are read
    if head.startswith(_ARROW_MARKS):
        return Kind.ARROW
    if _suffix(path) in {".pkl", ".pickle"} or _PICKLE_BEGINS.match(head):
        return Kind.PICKLE
    if refusal := _refusal(path, head):
        raise DataError(f"{path} is {refusal}")
    return _text_kind(path)


def _refusal(path: Path, head: bytes) -> str | None:
    """Return what the file is and what to do about it, if it is refused."""
    if head.startswith(b"PK\x03\x04"):
        return _archive(path)
    for mark, what in _REFUSED:
        if head.startswith(mark):
            return what
    for pattern, what in _REFUSED_PATTERNS:
        if pattern.match(head):
            return what
    if _suffix(path) == ".parquet" and head:
        return "not a Parquet file (it does not begin with PAR1), or is damaged; write or download it again"
    return None


def _archive(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            mimetype = archive.read("mimetype")[:64] if "mimetype" in names else b""
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return "a damaged zip archive; download it again"
    if any(name.startswith("xl/") for name in names):
        return "an Excel workbook; save the sheet as CSV (UTF-8) and name that file"
    if b"opendocument.spreadsheet" in mimetype:
        return "an OpenDocument spreadsheet; save the sheet as CSV (UTF-8) and name that file"
    for has, what in _ARCHIVES:
        if any(has(name) for name in names):
            return f"{what}; {_CONVERT}"
    inside = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return f"a zip archive with {inside or 'nothing in it'}; unpack it and name the file inside"


_ARCHIVES: tuple[tuple[Callable[[str], bool], str], ...] = (
    (lambda name: name.startswith("word/"), "a Word document"),
    (lambda name: name.endswith(".iwa"), "a document of Apple Numbers or Pages"),
    (lambda name: name.endswith("/data.pkl"), "a file written by torch.save"),
    (lambda name: name.endswith(".npy"), "a NumPy archive (.npz)"),
)
"""What zip archives are by the names of the files in them."""


def _text_kind(path: Path) -> Kind:
    first = _first_lines(path)
    begin = first[0] if first else ""
    if unheaded_table(begin) is not None:
        return Kind.UNHEADED
    if is_typed_head(begin):
        return Kind.TABLE
    begins_as_json = _JSON_BEGINS.match(begin) is not None
    if _suffix(path) in {".csv", ".tsv"} and not (begins_as_json and _is_json(path, begin)):
        return Kind.TABLE
    return _json_kind(path, first)


def _json_kind(path: Path, first: list[str]) -> Kind:
    """Distinguish JSON Lines from JSON with values over several lines, or several values on a line."""
    if not first or not _JSON_BEGINS.match(first[0]):
        return Kind.LINES
    begin, alone = first[0], len(first) == 1
    try:
        value, end = json.JSONDecoder().raw_decode(begin.lstrip())
    except RecursionError:
        return Kind.LINES
    except json.JSONDecodeError as error:
        unfinished = error.pos >= len(begin.strip()) - 1
        if not unfinished or (values := _values_over_lines(path)) is None:
            return Kind.LINES
        if len(values) == 1:
            _refuse_table(path, values[0])
        return Kind.VALUES
    rest = begin.lstrip()[end:].strip()
    if alone and not rest:
        _refuse_table(path, value)
    if rest:  # {...}{...}; a comma or a comment behind it is an error of that line
        return Kind.VALUES if rest[0] in "{[" else Kind.LINES
    return Kind.VALUES if alone and isinstance(value, list) and _is_array_of_rows(value) else Kind.LINES


def _is_array_of_rows(values: list[object]) -> bool:
    """Distinguish an array of rows from one row that is ``[title, year]``."""
    pair = len(values) == 2 and isinstance(values[0], str) and not isinstance(values[1], str)
    return not pair


def _refuse_table(path: Path, value: object) -> None:
    """Refuse a file whose only JSON value is a whole table."""
    if isinstance(value, dict) and value and (table := table_in(value)):
        raise DataError(f"{path} is {table}")


def _values_over_lines(path: Path) -> list[object] | None:
    """Return the first two JSON values of a file that has them over several lines; None if it has none."""
    from saferec_core.data.json_values import json_values

    values = [value for _, value in islice(json_values(path), 2)]
    return None if not values or isinstance(values[0], DataError) else values


def _is_json(path: Path, first_line: str) -> bool:
    try:
        json.loads(first_line)
    except (ValueError, RecursionError):
        return _values_over_lines(path) is not None
    return True


def _first_lines(path: Path) -> list[str]:
    """Return the first lines that are not blank, without a byte order mark."""
    with open_bytes(path) as file:
        lines = (
            line.decode("utf-8", errors="replace").removeprefix("\ufeff") for line in lines_of(file, path)
        )
        return list(islice((line for line in lines if line.strip()), _SAMPLED_LINES))


def _suffix(path: Path) -> str:
    """Return the suffix in lower case, without that of a compression."""
    compressions = {".gz", ".bz2", ".xz", ".zst"}
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in compressions]
    return suffixes[-1] if suffixes else ""
