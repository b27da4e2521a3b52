"""ReDial: dialogues of paid workers about films, with a form on every mentioned film."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import unquote

from saferec_core.data.rows import Row
from saferec_core.errors import DataError
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.transform import Outcome, Transform
from saferec_plugins.transforms.importers.converted import read_converted
from saferec_plugins.transforms.importers.dialogues import Cut, Dialogue, Film, Turn, cut_into_samples, merged
from saferec_plugins.transforms.importers.raw_values import RawTitle, is_nothing, name_of, title_and_year

__all__ = ["FromRedial"]

_MENTION = re.compile(r"@([0-9]+)")


@component
class FromRedial(Transform):
    """Imports ReDial: the official JSONL, or the plain form with ``turns`` and ``movies``.

    The initiator of a dialogue is the user, the respondent the assistant. A dialogue is cut before
    each turn in which the recommender suggests a film with a year for the first time. The ground
    truth is what the recommender suggests from there on: neither disliked, by the seeker's form or else the
    recommender's, nor mentioned before.

    A film without an entry in the forms counts as suggested if the recommender mentions it. The official data
    write a question mark in titles as ``%3F`` and quotes in texts as ``&quot;``; both are decoded. Titles
    without a year, such as series, stay in the text and are counted.
    """

    cut: Cut = "every"
    """``every`` recommending turn gives a sample, or the ``first`` only."""

    def __call__(self, rows: Iterable[Row]) -> Iterator[Outcome]:
        """Yield the samples of every dialogue, or the reason why there are none."""
        for row in rows:
            yield from cut_into_samples(_dialogue(row), row, self.cut)


def _dialogue(row: Row) -> Dialogue:
    if "messages" in row:
        return _official(row)
    if "turns" in row:
        return read_converted(row)
    raise DataError(
        f"expected messages, as ReDial has, or turns; columns: {', '.join(sorted(row)) or 'none'}"
    )


def _official(row: Row) -> Dialogue:
    seeker, recommender = name_of(row, "initiatorWorkerId"), name_of(row, "respondentWorkerId")
    if seeker == recommender:
        raise DataError(f"worker {seeker} both seeks and recommends; expected two workers")
    titles = _titles(row)
    forms = [dict(_by_film(row, form, None)) for form in ("initiatorQuestions", "respondentQuestions")]
    films = {key: _film(title, [form.get(key) for form in forms]) for key, title in titles.items()}
    messages = row["messages"]
    if not isinstance(messages, Sequence) or isinstance(messages, str):
        raise DataError(f"messages: expected a list, but got {messages!r}")
    turns = [
        _turn(message, f"messages[{number}]", {seeker: "user", recommender: "assistant"}, titles)
        for number, message in enumerate(messages)
    ]
    mentioned = {key for message in messages for key in _MENTION.findall(message["text"])}
    return Dialogue(
        id=f"redial-{name_of(row, 'conversationId')}",
        user=f"redial-worker-{seeker}",
        turns=merged(turns),
        films=films,
        unnamed=tuple(sorted(mentioned - titles.keys())),
    )


def _titles(row: Row) -> dict[str, RawTitle]:
    """Read ``movieMentions``; films without a name stay ``@id`` in the text."""
    return {
        key: title_and_year(unquote(html.unescape(name)))
        for key, name in _by_film(row, "movieMentions", "movieName")
        if isinstance(name, str) and name.strip()
    }


def _by_film(row: Row, column: str, value: str | None) -> Iterator[tuple[str, Any]]:
    """Yield entries by film: an object, or a list of objects with ``movieId``; ``[]`` if empty."""
    entries = row.get(column)
    if is_nothing(entries):
        return
    if isinstance(entries, Mapping):
        yield from entries.items()
        return
    if isinstance(entries, str) or not isinstance(entries, Sequence):
        raise DataError(f"{column}: expected an object with entries by film, but got {entries!r}")
    for entry in entries:
        if not isinstance(entry, Mapping) or "movieId" not in entry:
            raise DataError(f"{column}: expected an object with movieId, but got {entry!r}")
        yield str(entry["movieId"]), entry.get(value) if value else entry


def _film(title: RawTitle, answers: Sequence[Any]) -> Film:
    answer: Mapping[str, Any] = next((given for given in answers if isinstance(given, Mapping)), {})
    return Film(title, suggested=answer.get("suggested") != 0, liked=answer.get("liked") != 0)


def _turn(
    message: Any,
    where: str,
    roles: Mapping[str, Literal["user", "assistant"]],
    titles: Mapping[str, RawTitle],
) -> Turn:
    if not isinstance(message, Mapping):
        raise DataError(f"{where}: expected an object, but got {message!r}")
    text = message.get("text")
    if not isinstance(text, str):
        raise DataError(f"{where}: text must be text, but is {text!r}")
    try:
        sender = name_of(message if isinstance(message, dict) else dict(message), "senderWorkerId")
    except DataError as error:
        raise DataError(f"{where}: {error}") from error
    if sender not in roles:
        raise DataError(f"{where}: worker {sender} is neither initiator nor respondent ({', '.join(roles)})")
    keys = [key for key in _MENTION.findall(text) if key in titles]
    written = _MENTION.sub(lambda match: _written(titles.get(match[1]), match[0]), html.unescape(text))
    return Turn(roles[sender], " ".join(written.split()), tuple(dict.fromkeys(keys)))


def _written(title: RawTitle | None, otherwise: str) -> str:
    if title is None:
        return otherwise
    name, year = title
    return name if year is None else f"{name} ({year})"
