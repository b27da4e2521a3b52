"""JSON: one value per line, or values over several lines. Malformed ones come as errors."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from saferec_core.data.byte_lines import lines_of, open_bytes
from saferec_core.errors import DataError

__all__ = ["json_values", "parsed"]

_DIGITS_TO_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
_DIGITS_OF_64_BITS = b"0" * 19
_BETWEEN = " \t\r\n"
_BEGINS_AS_JSON = re.compile(r"\s*([\[{\"'\-0-9/#]|true|false|null|NaN|Infinity)")
_PYTHON_WORDS = ("True", "False", "None")


def parsed(line: bytes) -> Any:
    """Return the JSON value of a line, or a DataError with the reason why there is none.

    orjson parses. The standard library handles what orjson refuses, integers that it would turn into floats,
    and objects in which a key may occur twice.
    """
    if _DIGITS_OF_64_BITS not in line.translate(_DIGITS_TO_ZEROS) and rb"\u0022" not in line:
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            pass  # NaN, a mark in front, half a surrogate pair, or not JSON at all
        else:
            # Written again it has as many quotation marks, unless a key occurred twice.
            if orjson.dumps(value).count(b'"') == line.count(b'"'):
                return value
    return _parsed_carefully(line)


def _parsed_carefully(line: bytes) -> Any:
    try:
        text = line.decode("utf-8-sig")  # spreadsheets write a mark in front
    except UnicodeDecodeError as error:
        return DataError(not_utf8(error))
    try:
        value = _DECODER.decode(text)
        if b"\\u" in line:
            json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is not text
    except json.JSONDecodeError as error:
        return DataError(f"not a JSON object: {_cause(text, error)}")
    except DataError as error:
        return error
    except (ValueError, RecursionError) as error:
        return DataError(f"not a JSON object: {error}")
    return value


_FOREIGN = re.compile(rb"[\x80-\xff][\x40-\xff]?[\x80-\xff][\x40-\xff]?[\x80-\xff]")
"""Bytes of an alphabet other than the Latin one: in that, letters with accents stand alone."""


def not_utf8(error: UnicodeDecodeError) -> str:
    """Describe why a text is not UTF-8, and which encoding it may have."""
    byte = error.object[error.start : error.start + 1]
    if _FOREIGN.search(error.object):
        return (
            f"not UTF-8 text: byte 0x{byte.hex().upper()} at position {error.start + 1}; convert the file "
            "from its encoding (such as GBK, Shift_JIS or Windows-1251) with 'iconv -f ENCODING -t UTF-8'"
        )
    char = byte.decode("cp1252", errors="replace")
    likely = "" if char == "\ufffd" else f", which is {char!r} in Windows-1252"
    return (
        f"not UTF-8 text: byte 0x{byte.hex().upper()} at position {error.start + 1}{likely}; convert the "
        "file, for example with 'iconv -f WINDOWS-1252 -t UTF-8'"
    )


def _cause(text: str, error: json.JSONDecodeError) -> str:
    """Name the usual causes; the parser itself reports only what it expected."""
    before, rest = text[: error.pos].rstrip(), text[error.pos :].lstrip()
    known = {
        "it holds NUL bytes, so the file is damaged or binary": "\x00" in text,
        "JSON does not have comments": rest.startswith(("//", "/*", "#")),
        "JSON requires double quotes, not single ones": rest.startswith("'"),
        "JSON writes true, false and null, not True, False and None": rest.startswith(_PYTHON_WORDS),
        "a comma stands before the closing bracket": rest.startswith(("}", "]")) and before.endswith(","),
        "a comma follows the value, where JSON Lines has nothing between its lines": (
            error.msg == "Extra data" and rest.startswith(",")
        ),
        "something follows the value": error.msg == "Extra data",
        f"{error.msg}; a table needs a name that ends in .csv or .tsv": not _BEGINS_AS_JSON.match(text),
    }
    cause = next((cause for cause, applies in known.items() if applies), error.msg)
    return f"{cause} (character {error.pos + 1})"


def _finite(text: str) -> float:
    """Read a finite number."""
    if math.isfinite(number := float(text)):
        return number
    raise DataError(f"a number that is not finite: {text:.40}; write null for a missing value")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object from its pairs; a repeated key is an error."""
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in value if keys.count(key) > 1)
        raise DataError(f"the key {repeated!r} occurs more than once in one object")
    return value


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_finite, object_pairs_hook=_without_repeats)


def json_values(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield the elements of a JSON array, or values one after the other, with the lines on which they begin.

    The whole text is held in memory. Nothing is read after text that cannot be parsed.

    Raises:
        DataError: The file cannot be read.
    """
    with open_bytes(path) as file:
        raw = b"".join(lines_of(file, path))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is {not_utf8(error)}") from error
    yield from _Values(text)


class _Values:
    """A text of JSON values, read one by one."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._line, self._counted = 1, 0

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        self._skip_blanks()
        if self._here() == "[" and not self._is_pair():
            self._position += 1
            yield from self._elements()
            self._skip_blanks()
            if self._here():
                yield self._number(), DataError("something follows the end of the JSON array")
            return
        while self._here():
            yield self._value()
            self._skip_blanks()

    def _elements(self) -> Iterator[tuple[int, Any]]:
        self._skip_blanks()
        while self._here() != "]":
            yield self._value()
            self._skip_blanks()
            if self._here() == ",":
                self._position += 1
                self._skip_blanks()
                if self._here() == "]":
                    yield self._number(), DataError("a comma stands before the end of the JSON array")
            elif self._here() != "]":
                if self._position <= len(self._text):
                    wanted = "a comma or the end of the JSON array"
                    had = (
                        repr(self._text[self._position : self._position + 20])
                        if self._here()
                        else "the file ends"
                    )
                    yield self._number(), DataError(f"expected {wanted}, but {had}")
                self._position = len(self._text) + 1
                return
        self._position += 1

    def _value(self) -> tuple[int, Any]:
        number, start = self._number(), self._position
        try:
            value, self._position = _DECODER.raw_decode(self._text, self._position)
        except json.JSONDecodeError as error:
            self._position = len(self._text) + 1
            cause = _cause(self._text[start : error.pos + 20], _moved(error, start))
            self._line = number
            return number + self._text.count("\n", start, error.pos), DataError(f"not valid JSON: {cause}")
        except DataError as error:  # well-formed, but not a row; the next one may be
            _, self._position = json.JSONDecoder().raw_decode(self._text, self._position)
            return number, error
        except (ValueError, RecursionError) as error:
            self._position = len(self._text) + 1
            return number, DataError(f"not valid JSON: {error}")
        return number, value

    def _is_pair(self) -> bool:
        """Distinguish a row that is ``[title, year]``, one of several, from an array of rows."""
        try:
            value, end = json.JSONDecoder().raw_decode(self._text, self._position)
        except (ValueError, RecursionError):
            return False
        return bool(self._text[end:].strip(_BETWEEN)) and not any(isinstance(part, dict) for part in value)

    def _here(self) -> str:
        return self._text[self._position : self._position + 1]

    def _skip_blanks(self) -> None:
        while self._here() and self._here() in _BETWEEN:
            self._position += 1

    def _number(self) -> int:
        """Return the number of the line that is being read."""
        self._line += self._text.count("\n", self._counted, self._position)
        self._counted = self._position
        return self._line


def _moved(error: json.JSONDecodeError, start: int) -> json.JSONDecodeError:
    return json.JSONDecodeError(error.msg, error.doc[start : error.pos + 20], error.pos - start)
