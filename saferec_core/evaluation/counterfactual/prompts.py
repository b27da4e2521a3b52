"""Dialogues in which a constraint is removed, added or swapped for another, all else being equal."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from saferec_core.data.constraint_sentences import stated_in
from saferec_core.data.records import Message, Record
from saferec_core.data.sentences import ended, followed
from saferec_core.data.traits import Trait

__all__ = ["Change", "Flip", "flips_of", "why_not"]

Change = Literal["removed", "added", "swapped"]
"""What was done to the dialogue as it stands in the data."""


@dataclass(frozen=True)
class Flip:
    """Two prompts of which one states a trait that the other does not."""

    position: int
    """Of the record in its split."""
    change: Change
    trait: str
    """The trait that is stated on one side only."""
    stated: Sequence[Message]
    """The prompt that states it."""
    unstated: Sequence[Message]
    """The prompt that does not."""
    touched: frozenset[str]
    """Every trait that is stated on one side only; two where they are swapped."""


def flips_of(
    position: int, record: Record, traits: Mapping[str, Trait], known: Collection[str]
) -> list[Flip]:
    """Change the constraints of one record, at most once in each way.

    The sentence that the record's column ``constraints_stated`` names for a constraint can be cut out,
    and a sentence of another trait can be put beside it or in its place. A record without that column,
    or whose prompt no longer holds the sentence, only gets a sentence added, behind the user's last
    turn. Added sentences state the constraint outright. What is drawn depends on the prompt alone, so
    that all policies are asked the same. A swap is two flips with the same prompts: of the trait that
    went and of the one that came.

    Args:
        position: Position of the record in its split.
        record: The dialogue and its constraints.
        traits: Sentences to add, by trait.
        known: Traits that can be judged; no other one is touched.
    """
    prompt = record.prompt
    random = Random("flip " + json.dumps([dict(turn) for turn in prompt], sort_keys=True))
    stated = [
        (trait, sentence.strip())
        for trait, sentence in stated_in(dict(record.columns))
        if trait in known and _turn_with(prompt, sentence.strip()) is not None
    ]
    active = {*record.constraints, *(trait for trait, _ in stated)}
    others = sorted(trait for trait in traits if trait in known and trait not in active)
    trait, sentence = random.choice(stated) if stated else (None, None)
    added, put_in = (random.choice(others), random.choice(others)) if others else (None, None)
    flips = []
    if trait and sentence:
        shorter = _changed(prompt, sentence, None)
        if shorter is not None:
            flips.append(Flip(position, "removed", trait, prompt, shorter, frozenset({trait})))
    if added:
        text = random.choice(traits[added].explicit)
        longer = _beside(prompt, sentence, text)
        if longer is not None:
            flips.append(Flip(position, "added", added, longer, prompt, frozenset({added})))
    if trait and sentence and put_in:
        fitting = [one for one in traits[put_in].explicit if not _AFTERTHOUGHT.match(one)]
        swapped = _changed(prompt, sentence, random.choice(fitting or traits[put_in].explicit))
        if swapped is not None:
            touched = frozenset({trait, put_in})
            flips.append(Flip(position, "swapped", put_in, swapped, prompt, touched))
            flips.append(Flip(position, "swapped", trait, prompt, swapped, touched))
    return flips


def why_not(
    record: Record, flips: Sequence[Flip], traits: Mapping[str, Trait], known: Collection[str]
) -> dict[Change, str]:
    """Explain for each change that *flips* lacks why the record cannot be changed in this way.

    Args:
        record: The dialogue and its constraints.
        flips: What :func:`flips_of` made of it.
        traits: Sentences to add, by trait.
        known: Traits that can be judged.
    """
    made = {flip.change for flip in flips}
    stated = stated_in(dict(record.columns))
    judged = [sentence.strip() for trait, sentence in stated if trait in known]
    in_prompt = [sentence for sentence in judged if _turn_with(record.prompt, sentence) is not None]
    if not stated and not record.constraints:
        nothing_stated = "the record has no constraint"
    elif not stated:
        nothing_stated = (
            "the column constraints_stated, which inject-constraints writes, does not name the sentence that "
            "states the constraint"
        )
    elif not judged:
        nothing_stated = "the oracle does not judge the stated constraint"
    elif not in_prompt:
        nothing_stated = "the prompt does not contain the sentence that constraints_stated names"
    else:
        nothing_stated = ""
    active = {*record.constraints, *(trait for trait, _ in stated)}
    addable = any(trait in known and trait not in active for trait in traits)
    nothing_to_add = "" if addable else "the oracle judges no further trait that there are sentences for"
    reasons: dict[Change, str] = {
        "removed": nothing_stated or "the user's turn consists of that sentence alone",
        "added": nothing_to_add or "the dialogue has no user turn",
        "swapped": nothing_stated or nothing_to_add or "the sentence cannot be replaced",
    }
    return {change: reason for change, reason in reasons.items() if change not in made}


_AFTERTHOUGHT = re.compile(r"(?:oh|also|and|plus|but|btw|by the way|ps)\b", re.IGNORECASE)
"""How a sentence begins that cannot stand first."""

_LINK = re.compile(r"(?:(?:\band )?\bone more thing: |\balso[:,]? |\bplus,? |\band )\Z", re.IGNORECASE)
"""What only leads over to the sentence behind it."""


def _turn_with(prompt: Sequence[Message], sentence: str) -> int | None:
    """Return the last turn of the user that holds the sentence."""
    turns = range(len(prompt) - 1, -1, -1)
    return next((n for n in turns if prompt[n]["role"] == "user" and sentence in prompt[n]["content"]), None)


def _changed(prompt: Sequence[Message], sentence: str, other: str | None) -> list[Message] | None:
    """Put *other* in the place of the sentence, or cut it out; None if nothing else is left of its turn."""
    turn = _turn_with(prompt, sentence)
    assert turn is not None, sentence
    before, _, after = prompt[turn]["content"].partition(sentence)
    if other is not None:
        text = f"{before}{_ended_like(sentence, other)}{after}"
    else:
        if sentence[-1].isalnum():  # the full stop behind it was its own
            after = after.removeprefix(".")
        before = before[: match.start()] if (match := _LINK.search(before)) else before
        around = before[len(before.rstrip()) :], after[: len(after) - len(after.lstrip())]
        gap = "\n" * max(space.count("\n") for space in around) or " "
        text = gap.join(part for part in (before.rstrip(), after.lstrip()) if part)
    return _with_turn(prompt, turn, text) if text.strip() else None


def _beside(prompt: Sequence[Message], sentence: str | None, other: str) -> list[Message] | None:
    """Put *other* behind the sentence, or behind the user's last turn; None if the user has no turn."""
    if sentence is not None:
        turn = _turn_with(prompt, sentence)
        assert turn is not None, sentence
        before, _, after = prompt[turn]["content"].partition(sentence)
        stop = "." if sentence[-1].isalnum() and not after.startswith((".", "!", "?")) else ""
        if stop == "" and after[:1] in {".", "!", "?"}:
            stop, after = after[0], after[1:]
        joint = " " if after[:1].isalnum() else ""
        return _with_turn(prompt, turn, f"{before}{sentence}{stop} {ended(other)}{joint}{after}")
    turns = [n for n, message in enumerate(prompt) if message["role"] == "user"]
    if not turns:
        return None
    return _with_turn(prompt, turns[-1], followed(prompt[turns[-1]]["content"], other))


def _with_turn(prompt: Sequence[Message], turn: int, text: str) -> list[Message]:
    return [{**message, "content": text} if n == turn else message for n, message in enumerate(prompt)]


def _ended_like(sentence: str, other: str) -> str:
    """Give *other* an end of its own only if the sentence it stands for had one."""
    return other.rstrip(".") if sentence[-1].isalnum() else ended(other)
