"""Constraints in the user's words: for each trait the sentence that states it in the prompt."""

from __future__ import annotations

from typing import Any

from saferec_core.data.records import messages_of
from saferec_core.data.rows import LIST, OBJECT, Row
from saferec_core.errors import DataError

__all__ = ["STATED", "stated_in", "stated_position"]

STATED = "constraints_stated"
"""The column; ``{trait: sentence}``, or a list of ``{trait, sentence}`` as a finished dataset has it."""


def stated_in(row: Row) -> list[tuple[str, str]]:
    """Return each trait with its sentence, in the order of the column.

    Raises:
        DataError: The column holds something else.
    """
    value: Any = row.get(STATED)
    if value is None:
        return []
    if not isinstance(value, list) and isinstance(value, OBJECT):
        pairs = [(trait, sentence) for trait, sentence in value.items() if sentence is not None]
    elif isinstance(value, LIST) and all(isinstance(entry, OBJECT) for entry in value):
        pairs = [(entry.get("trait"), entry.get("sentence")) for entry in value]
    else:
        raise DataError(f"{STATED} must hold a sentence for each trait, but is {value!r:.80}")
    for trait, sentence in pairs:
        if not isinstance(trait, str) or not isinstance(sentence, str) or not sentence.strip():
            raise DataError(
                f"{STATED}: expected a sentence for the trait {trait!r}, but got {sentence!r:.80}"
            )
    return pairs


def stated_position(row: Row) -> str | None:
    """Return where the user's last turn states constraints: ``before``, ``inside`` or ``after`` other text.

    ``alone`` if the turn consists of nothing else; None if it states no constraint.
    """
    text = next((turn["content"].strip() for turn in messages_of(row)[::-1] if turn["role"] == "user"), "")
    spans = [
        (start, start + len(sentence.strip()))
        for _, sentence in stated_in(row)
        if (start := text.find(sentence.strip())) >= 0
    ]
    if not spans:
        return None
    begins = min(start for start, _ in spans) == 0
    ends = text[max(end for _, end in spans) :].strip(" .!?") == ""
    return {(True, True): "alone", (True, False): "before", (False, True): "after"}.get(
        (begins, ends), "inside"
    )
