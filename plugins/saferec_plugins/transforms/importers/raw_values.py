"""Values as raw files have them: texts, names of users, moments, and titles written "Title (Year)"."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from saferec_core.data.rows import Row, whole_year
from saferec_core.errors import DataError

__all__ = ["RawTitle", "finite", "is_nothing", "moment", "name_of", "text_of", "title_and_year", "titles_in"]

RawTitle = tuple[str, int | None]
"""A title and its year, if known."""

_TITLE_WITH_YEAR = re.compile(
    r"""
    (?P<name>.*\S)\s*
    \((?P<year>(?:1[89]|20)[0-9]{2})(?:\ (?:\w+\ )?(?:film|movie|series))?
    (?:\s*[-–—]\s*(?:[0-9]{2,4})?\s*)?    # a series: (1999-2004), (2019-)
    \)\s*
    """,
    re.VERBOSE | re.DOTALL,
)

_RESOURCE = re.compile(
    r"<?https?://(?:\w+\.)*(?:dbpedia|wikipedia)\.org/(?:resource|page|wiki)/(?P<name>[^\s>]+)>?"
)
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")

_DIGITS_OF_A_DATE = re.compile(r"(?P<year>(?:19|20)[0-9]{2})(?:[0-9]{4})?")
"""2019 or 20191231, which as seconds would be in the year 1970."""

_MILLISECONDS = 10**11
"""Seconds reach this number in the year 5138; milliseconds did in 1973."""


def is_nothing(value: Any) -> bool:
    """Return whether *value* is None, NaN, or a string of nothing but spaces."""
    return value is None or value != value or (isinstance(value, str) and not value.strip())


def text_of(row: Row, column: str) -> str:
    """Return the text in a column, without spaces around it.

    Raises:
        DataError: There is none.
    """
    value = row.get(column)
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{column}: expected text, but got {_shown(row, column)}")
    return value.strip()


def name_of(row: Row, column: str) -> str:
    """Return an identifier of a user, dialogue or film: text or a whole number, as text.

    Raises:
        DataError: It is neither.
    """
    value = row.get(column)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int) or is_nothing(value):
        raise DataError(f"{column}: expected a name or a number, but got {_shown(row, column)}")
    return str(value).strip()


def moment(value: Any, what: str) -> int:
    """Read a time as whole seconds since 1970: a number of seconds, or a date as ISO 8601 has it.

    A date without a time zone is in UTC; a year alone, such as 2019, means its beginning.

    Raises:
        DataError: It is neither; *what* names it in the message.
    """
    seconds = _seconds(value)
    if seconds is None:
        raise DataError(f"{what} must be seconds since 1970 or a date such as 2019-12-01, but is {value!r}")
    if abs(seconds) > _MILLISECONDS:
        raise DataError(f"{what} must be in seconds since 1970, but is {value!r}; milliseconds?")
    return seconds


def _seconds(value: Any) -> int | None:
    if isinstance(value, bool) or is_nothing(value):
        return None
    text = str(value).strip()
    digits = _DIGITS_OF_A_DATE.fullmatch(text)
    try:
        if not digits:
            return int(float(text))
    except (ValueError, OverflowError):
        pass
    try:
        date = datetime.fromisoformat(f"{text}0101" if digits and digits["year"] == text else text)
    except ValueError:
        return None
    return int((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp())


def title_and_year(written: str) -> RawTitle:
    """Split "Title (Year)"; of the years of a series, as in "(1999-2004)", the first one counts.

    Encodings of the web are decoded: ``%3F``, ``&quot;`` and addresses such as
    ``http://dbpedia.org/resource/Water_(1985_film)``.
    """
    plain = _undone(written).strip()
    match = _TITLE_WITH_YEAR.fullmatch(plain)
    return (match["name"], int(match["year"])) if match else (plain, None)


def _undone(written: str) -> str:
    """Decode percent-encodings, entities and addresses of a knowledge base."""
    if address := _RESOURCE.fullmatch(written.strip()):
        written = address["name"].replace("_", " ")
    if "%" in written and _PERCENT.search(written):
        decoded = unquote(written, errors="replace")
        written = written if "\ufffd" in decoded else decoded
    return html.unescape(written) if "&" in written else written


def titles_in(value: Any, what: str, *, separator: str | None = None) -> list[RawTitle]:
    """Read titles: a list of "Title (Year)", of ``[title, year]`` or of ``{title, year}``.

    Args:
        value: The list; with a *separator*, it may be one text.
        what: Its name in messages.
        separator: Separator of titles in a text, such as "|".

    Raises:
        DataError: It is not a list, an entry is not a title, or a year is not a number.
    """
    if is_nothing(value):
        return []
    if isinstance(value, str) and separator is not None:
        value = [part for part in value.split(separator) if part.strip()]
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise DataError(f"{what}: expected a list of titles, but got {value!r}")
    return list(_titles(value, what))


def _titles(entries: Sequence[Any], what: str) -> Iterator[RawTitle]:
    for entry in entries:
        pair = (entry.get("title"), entry.get("year")) if isinstance(entry, Mapping) else entry
        if isinstance(pair, str):
            pair = title_and_year(pair)
        if not isinstance(pair, Sequence) or len(pair) != 2:
            raise DataError(f'{what}: expected [title, year] or "Title (Year)", but got {entry!r}')
        name, year = pair
        if not isinstance(name, str) or not name.strip():
            raise DataError(f"{what}: expected a title, but got {name!r} in {entry!r}")
        known = None if is_nothing(year) else whole_year(year, f"{what}: the year of {name!r}")
        yield name.strip(), known


def finite(value: Any) -> Any:
    """Return *value* with None for every number that JSON cannot represent."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite(part) for key, part in value.items()}
    return [finite(part) for part in value] if isinstance(value, list) else value


def _shown(row: Row, column: str) -> str:
    return repr(row[column]) if column in row else "no such column"
