"""Samples in the form that all importers emit and later steps expect."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import xxhash

from saferec_core.data.records import Message
from saferec_core.data.rows import Row
from saferec_core.data.titles import Title, normal_form
from saferec_core.errors import DataError
from saferec_core.plugins.contracts.transform import Counted, Outcome, Removed
from saferec_plugins.transforms.importers.raw_values import RawTitle, finite

__all__ = ["content_id", "ending_with_the_user", "sample"]

ROLES = ("system", "user", "assistant")


def sample(
    raw: Row,
    *,
    name: str,
    user: str,
    prompt: Sequence[Message],
    seen: Iterable[RawTitle],
    truth: Iterable[RawTitle],
    time: int | None = None,
    further: Row | None = None,
    undated: bool = False,
) -> Iterator[Outcome]:
    """Yield a sample, and count the titles that cannot be ground truth.

    Ground truth must not have been seen, since a seen title is never a hit. A seen title without a year
    matches every film of that name, as in a record.

    Args:
        raw: The row it was made from, kept if no ground truth is left.
        name: Its ``id``.
        user: Its user.
        prompt: Messages, the last one from the user.
        seen: Titles that the user knows.
        truth: Relevant titles.
        time: Time of the request, in seconds since 1970.
        further: Columns that are added; a NaN among them becomes None.
        undated: Whether ground truth may lack a year: that of the catalog, or none, is found later.
    """
    history = list(dict.fromkeys(seen))
    known = {(normal_form(title), year) for title, year in history}
    relevant: list[RawTitle] = []
    for title, year in dict.fromkeys(truth):
        form = normal_form(title)
        if year is None and not undated:
            yield Counted("ground truth without a year", example=title)
        elif (form, year) in known or (form, None) in known:
            yield Counted("ground truth among the seen titles", example=str(Title(title, year)))
        else:
            relevant.append((title, year))
    if not relevant:
        yield Removed(raw, f"no ground truth that {'' if undated else 'has a year and '}was not seen")
        return
    row: Row = {"id": name, "user": user}
    if time is not None:
        row["time"] = time
    row["prompt"] = [dict(message) for message in prompt]
    row["seen_titles"] = [list(pair) for pair in history]
    row["groundtruth_with_release_year"] = [list(pair) for pair in relevant]
    yield {**row, **finite(further or {})}


def ending_with_the_user(prompt: Sequence[Message]) -> Sequence[Message]:
    """Return *prompt* if it can be answered.

    Raises:
        DataError: A role is unknown, a text is empty, or the last turn is not the user's.
    """
    for message in prompt:
        _check(message, ROLES)
    if prompt[-1]["role"] != "user":
        raise DataError(f"prompt must end with a turn of the user, but ends with {dict(prompt[-1])!r}")
    return prompt


def _check(message: Message, roles: Collection[str]) -> None:
    if message["role"] not in roles:
        raise DataError(f"prompt: a role must be {', '.join(roles)}, but is {message['role']!r}")
    if not message["content"].strip():
        raise DataError(f"prompt: expected text, but the content of {message['role']} is empty")


def content_id(*parts: Any) -> str:
    """Name a sample after its content, for data without ids; equal content gives equal names."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return xxhash.xxh3_128_hexdigest(text.encode("utf-8", errors="surrogatepass"))
