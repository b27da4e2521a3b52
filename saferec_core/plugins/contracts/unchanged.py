"""A guard around components that are all given the same lists."""

from __future__ import annotations

import marshal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from saferec_core.data.records import Record
from saferec_core.errors import PluginError
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.last_words import is_built_in
from saferec_core.plugins.sealing import changed, fingerprint

__all__ = ["unchanged"]


@contextmanager
def unchanged(lists: JudgedLists, what: str) -> Iterator[None]:
    """Refuse a component that changes the lists it is given: every reward and metric reads the same.

    One of saferec's own is not watched; it is tested.

    Args:
        lists: What the component is called with.
        what: The component, as errors name it.

    Raises:
        PluginError: It changed them; the message says what.
    """
    if is_built_in(what):
        yield
        return
    before = vars(lists).pop(_LAST, None) or _fingerprint(lists)
    yield
    try:
        after = _fingerprint(lists)
        parts = [name for name, was, now in zip(_INPUTS, before, after, strict=True) if was != now]
        names = [*parts, *changed(lists)]
    except Exception:  # noqa: BLE001 - what it left can no longer be read
        names = ["so much that it can no longer be read"]
    if names:
        raise PluginError(
            f"{what} changed what it was given: {', '.join(names)}. Others read the same lists; it must "
            "compute with tensors of its own, such as lists.violations.clone()"
        )
    vars(lists)[_LAST] = after


_LAST = "_last_fingerprint"
"""Where the fingerprint after a call is kept, with which the next call begins.

What is changed between two calls, by a thread of the first, is thus noticed in the second.
"""


_INPUTS = (
    *("lists", "records", "the contents of records", "the judge", "the popularity of titles"),
    "the context",
)
"""The parts of a fingerprint."""


def _fingerprint(lists: JudgedLists) -> tuple[object, ...]:
    """Return a fingerprint of what the lists were made of, to be compared with an earlier one."""
    judge = lists.judge
    ids = list(map(id, lists.records))
    records = dict(zip(ids, lists.records, strict=True)).values()
    return (
        [(parsed.items, parsed.events) for parsed in lists.lists],
        ids,
        [_content(record) for record in records],
        (lists.num_ranks, id(judge.oracle), id(judge.catalog), len(judge.catalog.titles), judge._changes),
        0 if judge.popularity is None else fingerprint(judge.popularity),
        (lists.context.step, lists.context.steps, lists.context.phase),
    )


def _content(record: Record) -> tuple[object, ...]:
    """Return what tells whether a record is as it was: what it holds, and the bytes of its columns."""
    return (
        tuple((message["role"], message["content"]) for message in record.prompt),
        (record.groundtruth, record.seen_titles, record.constraints),
        tuple((name, _bytes_of(value)) for name, value in record.columns.items()),
    )


def _bytes_of(value: Any) -> object:
    """Return bytes that differ where a value from a row of data differs; text and numbers as they are."""
    if value is None or isinstance(value, str | int | float):
        return value if value == value else "NaN"
    try:
        return marshal.dumps(value, 2)  # of version 2, which does not depend on who else holds a text
    except ValueError:  # a date, an array
        return fingerprint(value)
