"""Whether a text names a film, for dialogues that do not mark which films their turns mention."""

from __future__ import annotations

import re

from saferec_core.data.titles import normal_form

__all__ = ["SHORTEST_NAME", "names_film"]

SHORTEST_NAME = 4
"""Shorter titles, such as "It" and "Us", cannot be told from ordinary words; letters and digits."""

_WORD = re.compile(r"[^\W_]+|&")


def names_film(text: str, name: str, *, capital: bool = False) -> bool:
    """Return whether whole words of *text*, joined, have the normal form of a title.

    So "Avengers End Game" names "Avengers: Endgame". Titles that are too short never match.

    Args:
        text: An utterance.
        name: A title without its year.
        capital: Whether a title of one word has to be written with a capital, since "Link" may be
            a film and "link" is not.
    """
    wanted = normal_form(name)
    if len(wanted) < SHORTEST_NAME:
        return False
    words = [(word, normal_form(word)) for word in _WORD.findall(text)]
    for start, (first, _) in enumerate(words):
        joined = ""
        for number, (_, letters) in enumerate(words[start:]):
            joined += letters
            if joined == wanted:
                if capital and number == 0 and not first[0].isupper() and not first[0].isdigit():
                    break
                return True
            if not wanted.startswith(joined):
                break
    return False
