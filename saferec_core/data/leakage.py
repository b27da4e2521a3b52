"""Signs that a model would be tested on what it was trained on: the same words, the same user."""

from __future__ import annotations

import hashlib
import re

from saferec_core.data.constraint_sentences import stated_in
from saferec_core.data.records import messages_of
from saferec_core.data.rows import Row

__all__ = ["conversation_key", "dialogue_of", "small_hash"]

_WORD = re.compile(r"[^\W_]+")

_ASCII_TO_WORDS = {code: chr(code).lower() if chr(code).isalnum() else " " for code in range(128)}

_LINKS = ("", "also ", "and ", "plus ", "one more thing ", "and one more thing ")
"""Words that may link the sentence of a constraint to the one in front of it."""


def conversation_key(row: Row) -> int:
    """Return a number that is the same for prompts with the same words.

    Case, punctuation, white space, system messages and the sentences that state constraints (column
    ``constraints_stated``) do not count: a conversation stays itself when other traits are put in. A
    turn without any word is compared by its signs.

    Raises:
        DataError: The prompt holds no messages.
    """
    sentences = (_words(sentence).lstrip() for _, sentence in stated_in(row))
    stated = sorted(filter(None, sentences), key=len, reverse=True)
    turns = []
    for message in messages_of(row):
        if message["role"] == "system":
            continue
        text = _words(message["content"])
        if not text.strip():  # of signs only, such as emoji
            text = " ".join(message["content"].split())
        for sentence in stated:
            if sentence in text:
                for link in _LINKS[::-1]:
                    text = text.replace(f" {link}{sentence}", " ")
        if text.strip():
            turns.append(f"{message['role']}:{text}")
    return small_hash("\n".join(turns))


def dialogue_of(id_of_sample: str) -> str:
    """Return the id of a sample's dialogue or history: the part before a ``#``."""
    return id_of_sample.partition("#")[0]


def small_hash(text: str) -> int:
    """Hash a text to 64 bits: millions fit into memory, and collisions are very rare."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _words(text: str) -> str:
    """Return the words with a space around each of them."""
    words = text.translate(_ASCII_TO_WORDS).split() if text.isascii() else _WORD.findall(text.casefold())
    return f" {' '.join(words)} "
