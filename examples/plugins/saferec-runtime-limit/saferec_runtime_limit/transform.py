"""The transform that reads limits out of prompts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import ClassVar

from saferec_core.data.records import constraints_of, messages_of
from saferec_core.data.rows import Row
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.transform import Counted, Outcome, Transform
from saferec_runtime_limit.limits import MAX_RUNTIME, MIN_YEAR

__all__ = ["StatedLimits"]

_MINUTES = re.compile(
    r"\b(?:at most|no (?:longer|more) than|nothing longer than|under|below|up to|max(?:imum)?\.?(?: of)?)"
    r"\s+(\d{2,3})\s*(?:min(?:ute)?s?\b|')",
    re.IGNORECASE,
)
_HOURS = re.compile(
    r"\b(?:at most|no (?:longer|more) than|nothing longer than|under|up to)\s+"
    r"(one|two|three|\d)(\s+and a half|\.5)?\s*h(?:ou)?rs?\b",
    re.IGNORECASE,
)
_SINCE = re.compile(
    r"\b(?:nothing|none|no (?:film|movie)s?|not(?: from)?)\s+(?:(?:from|made)\s+)?before\s+((?:19|20)\d\d)\b",
    re.IGNORECASE,
)
_NUMBERS = {"one": 1, "two": 2, "three": 3}


@component
class StatedLimits(Transform):
    """Adds what the user's turns say of running time and release year to the constraints of the record."""

    columns: ClassVar[tuple[str, ...]] = ("prompt",)

    def __call__(self, rows: Iterable[Row]) -> Iterator[Outcome]:
        """Yield each row with the limits that it states."""
        for row in rows:
            words = " ".join(turn["content"] for turn in messages_of(row) if turn["role"] == "user")
            limits = sorted(_limits_in(words))
            yield from (Counted("limits stated", example=limit) for limit in limits)
            yield {**row, "constraints": sorted({*constraints_of(row), *limits})} if limits else row


def _limits_in(words: str) -> set[str]:
    minutes = [int(match[1]) for match in _MINUTES.finditer(words)]
    minutes += [
        60 * (_NUMBERS.get(match[1].lower()) or int(match[1])) + (30 if match[2] else 0)
        for match in _HOURS.finditer(words)
    ]
    years = [int(match[1]) for match in _SINCE.finditer(words)]
    strictest = {MAX_RUNTIME.constraint(min(minutes))} if minutes else set()
    return strictest | ({MIN_YEAR.constraint(max(years))} if years else set())
