"""Open a file, compressed or not, and read its lines as UTF-8 bytes, with any line ending."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from saferec_core.errors import DataError

__all__ = ["HEAD_BYTES", "lines_of", "open_bytes"]

HEAD_BYTES = 1 << 16
"""Bytes at the beginning of a file that decide its encoding and line endings."""

_BUFFER_BYTES = 1 << 20

_COMPRESSED = (
    (b"\x1f\x8b", "gzip"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    *((b"BZh%d1AY&SY" % level, "bz2") for level in range(1, 10)),
)
"""First bytes of compressed files; names are not trusted."""

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

_MOSTLY = 0.4
"""Share of the bytes at even or odd positions that are NUL in UTF-16 text of a European language."""


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file for reading; gzip, bzip2, xz and zstd are decompressed, whatever the name of the file.

    Raises:
        DataError: It cannot be read.
    """
    try:
        file = io.BufferedReader(path.open("rb", buffering=0), _BUFFER_BYTES)
        start = file.peek(16)
        codec = _codec_of(start)
        if codec is None:
            return file
        file.close()
        inside = _decompressing(path, codec)
        again = _codec_of(_start_of(inside))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if again is not None:
        inside.close()
        raise DataError(f"{path} is compressed twice ({again} within {codec}); decompress it once")
    return inside


def _codec_of(start: bytes) -> str | None:
    return next((name for mark, name in _COMPRESSED if start.startswith(mark)), None)


def _start_of(file: IO[bytes]) -> bytes:
    """Return the first bytes of a file, without reading on; a damaged one fails later, when it is read."""
    with suppress(OSError, EOFError, zlib.error, lzma.LZMAError):
        return file.peek(16) if isinstance(file, io.BufferedReader) else b""
    return b""


def _decompressing(path: Path, codec: str) -> IO[bytes]:
    if codec == "gzip":
        return io.BufferedReader(gzip.open(path, "rb"), _BUFFER_BYTES)
    if codec == "bz2":
        return io.BufferedReader(bz2.open(path, "rb"), _BUFFER_BYTES)
    if codec == "xz":
        return io.BufferedReader(lzma.open(path, "rb"), _BUFFER_BYTES)
    import pyarrow as pa  # the standard library cannot read zstd

    return io.BufferedReader(pa.CompressedInputStream(pa.OSFile(str(path)), "zstd"), _BUFFER_BYTES)


def lines_of(file: IO[bytes], path: Path) -> Iterator[bytes]:
    r"""Yield the lines of an open file with their ends: ``\n``, ``\r\n`` or ``\r``, also mixed.

    Text in UTF-16 or UTF-32 comes as UTF-8; all other bytes are passed on as they are.

    Args:
        file: The file that `open_bytes` returned.
        path: Named in errors.

    Raises:
        DataError: The file is damaged.
    """
    try:
        yield from _lines(file)
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not valid {error.encoding} text: {error.reason}") from error
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise DataError(f"{path} cannot be read to its end: {error}") from error


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    head = file.peek(HEAD_BYTES)[:HEAD_BYTES] if isinstance(file, io.BufferedReader) else b""
    encoding = _wide_encoding(head)
    if encoding is not None:
        for text in _texts(file, encoding):
            yield text.encode(errors="surrogatepass")
    elif b"\r" in head and b"\n" not in head:  # for Python one line, which would be held in memory as a whole
        for text in _texts(file, "latin-1"):
            yield text.encode("latin-1")
    else:
        for line in file:
            if line.find(b"\r", 0, -2) < 0:
                yield line
            else:
                yield from line.splitlines(keepends=True)


def _texts(file: IO[bytes], encoding: str) -> Iterator[str]:
    """Yield the lines of a text with their ends as they are."""
    decoder = codecs.getincrementaldecoder(encoding)()
    rest = ""
    while chunk := file.read(HEAD_BYTES):
        *lines, rest = list(io.StringIO(rest + decoder.decode(chunk), newline="")) or [""]
        yield from lines  # the last line may be incomplete
    yield from io.StringIO(rest + decoder.decode(b"", final=True), newline="")


def _wide_encoding(head: bytes) -> str | None:
    """Return the encoding of UTF-16 or UTF-32 text, with or without a byte order mark."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return encoding
    if b"\x00" in head:
        even, odd = head[0::2], head[1::2]
        if even.count(0) <= _MOSTLY / 4 * len(even) and odd.count(0) > _MOSTLY * len(odd):
            return "utf-16-le"
        if odd.count(0) <= _MOSTLY / 4 * len(odd) and even.count(0) > _MOSTLY * len(even):
            return "utf-16-be"
    return None
