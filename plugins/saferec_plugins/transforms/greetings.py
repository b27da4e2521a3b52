"""Whether a user has said anything beyond a greeting."""

from __future__ import annotations

import re
from collections.abc import Sequence

from saferec_core.data.records import Message

__all__ = ["GREETING_WORDS", "only_greets"]

GREETING_WORDS = frozenset(
    """
    hi hiya hello hey howdy hola yo greetings sup good morning afternoon evening day there everyone friend
    how are is it going r u you ya your yourself doing do today tonight i am i'm im fine great well ok okay
    pretty very so and too also thanks thank what's whats what up nice to meet welcome hope all
    merry happy christmas holidays new year lol man dude buddy guys folks how's hows it's im not bad much
    """.split()  # noqa: SIM905 - as a list it would fill a screen
)
"""Words of which greetings and "how are you" consist. Answers to a question, such as "yes", are none."""

_WORD = re.compile(r"[\w'’]+")
_REPEATED = re.compile(r"(.)\1+")


def _short(word: str) -> str:
    """Return a word with each repeated letter once: people write "heyyy" and "helloo"."""
    return _REPEATED.sub(r"\1", word.replace("’", "'").lower())


_SHORT_WORDS = frozenset(map(_short, GREETING_WORDS))


def only_greets(prompt: Sequence[Message]) -> bool:
    """Return whether all of the user's words consist of `GREETING_WORDS`, as in "Hello, how are you?".

    An empty text is not a greeting.
    """
    words = [word for turn in prompt if turn["role"] == "user" for word in _WORD.findall(turn["content"])]
    return bool(words) and all(_short(word) in _SHORT_WORDS for word in words)
