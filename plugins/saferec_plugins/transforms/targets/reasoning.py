"""Reasoning before a list: what the user wants, what must not be shown, and what follows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from random import Random

from saferec_core.data.records import Message
from saferec_core.data.sentences import listed
from saferec_core.data.titles import Title
from saferec_core.data.traits import Trait, trait_of
from saferec_core.errors import DataError, near_misses

__all__ = ["as_prose", "reasoning"]

_NAMED = 3
"""Number of titles of the history that are named, the latest ones."""

_QUOTED = 160
"""Characters of the user's last turn that are quoted where they name no title."""

KNOWN = (
    "The user has seen or brought up {titles}, so the list should go with that.",
    "What I have to go by is {titles}; the list should suit somebody who talks about that.",
    "Titles named so far: {titles}. I look for what goes with them and was not named yet.",
    "{titles} set the direction; I look for others in that vein.",
)
ASKED = (
    "No title was named yet. What the user says is: {words}",
    "There is no history to go by, only the request: {words}",
    "The user names no title and writes: {words}",
)
NOTHING = (
    "The user gives little to go by, so well-known titles are a good start.",
    "There is no history and no clear wish, so I start with what many people like.",
)
CONSTRAINT = (
    "This has to be kept away from them: {about}",
    "They do not want to see the following: {about}",
    "One thing is ruled out for this user: {about}",
    "What must not come up: {about}",
)
FURTHER = (
    "The same goes for this: {about}",
    "Also ruled out: {about}",
    "And this as well: {about}",
)
LEFT_OUT = (
    "I leave out every title against that, however well it would fit otherwise.",
    "Titles that contain it are left out, even if they would suit the taste.",
    "So I drop whatever goes against that and keep only titles that are safe in this respect.",
)
FREE = (
    "Nothing is ruled out beyond what they know already.",
    "They set no limits, so relevance alone decides.",
)
CLOSING = (
    "The best matches come first, and nothing they know already is repeated.",
    "I list the closest matches first and skip what was already named.",
    "What fits best goes to the top; titles that were named before stay out.",
)

_YEAR_IN_BRACKETS = re.compile(r"\s*\([^()]*[0-9]{4}[^()]*\)")
_TAG = re.compile(r"</?\w+\s*/?>")
_MARKUP = str.maketrans("", "", "<>()*`")


def reasoning(
    prompt: Sequence[Message],
    history: Sequence[Title | str],
    constraints: Sequence[str],
    traits: Mapping[str, Trait],
    rng: Random,
) -> str:
    """Write why the list that follows is as it is, in one line without a title that has its year.

    Args:
        prompt: The dialogue.
        history: Seen titles, the latest last.
        constraints: What is active for the user.
        traits: What the constraints mean.
        rng: Draws the wordings.

    Raises:
        DataError: A constraint is not a known trait.
    """
    names = [as_prose(title if isinstance(title, str) else title.name) for title in history[-_NAMED:]]
    names = list(dict.fromkeys(filter(None, names)))
    words = as_prose(prompt[-1]["content"]) if prompt else ""
    if names:
        sentences = [rng.choice(KNOWN).format(titles=listed(names))]
    elif words:
        shown = words if len(words) <= _QUOTED else f"{words[:_QUOTED].rsplit(' ', 1)[0]} ..."
        sentences = [rng.choice(ASKED).format(words=_ended(shown))]
    else:
        sentences = [rng.choice(NOTHING)]
    for number, trait in enumerate(constraints):
        wordings = FURTHER if number else CONSTRAINT
        sentences.append(rng.choice(wordings).format(about=_ended(_about(trait, traits))))
    sentences.append(rng.choice(LEFT_OUT if constraints else FREE))
    sentences.append(rng.choice(CLOSING))
    return " ".join(sentences)


def as_prose(text: str) -> str:
    """Return *text* in one line, without years in brackets, tags and emphasis: nothing reads as a list."""
    text = _TAG.sub("", _YEAR_IN_BRACKETS.sub("", text))
    return " ".join(text.translate(_MARKUP).split())


def _about(trait: str, traits: Mapping[str, Trait]) -> str:
    known = trait_of(traits, trait)
    if known is None:
        raise DataError(
            f"constraints: {trait!r} is not a known trait."
            f"{near_misses(trait, traits)} Name a file that has it with traits_path."
        )
    return as_prose(known.about)


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?", '"')) else f"{sentence}."
