"""Token ids to text and the places in it: token by token, or by way of the bytes of each token."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, chain, pairwise
from threading import Lock
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

from saferec_core.data.integers import int64_array

__all__ = ["NO_START", "ByteDecoder", "Decoded", "StreamDecoder", "TokenDecoder", "special_ids_of"]

NO_START = -1
"""The start of a token that writes nothing: a special token, or an id outside the vocabulary."""

_LOCK = Lock()
"""Held while a token is met; one for all, so that decoders can be copied."""

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

Decoded = tuple[str, NDArray[np.int64]]
"""A text, and for each of its T tokens the index of its first character (T,)."""


class TokenDecoder(Protocol):
    """One way to decode."""

    def decode_all(self, completions: Sequence[Sequence[int]]) -> list[Decoded]:
        """Decode the completions of a batch.

        Args:
            completions: The T token ids of each, as plain integers.

        Returns:
            For each the text without special tokens, and for each of its tokens (T,) the index of its first
            character, or NO_START if it writes nothing. Tokens that share a character start together. Bytes
            at the end that make no whole character are left out of the text.
        """
        ...


class StreamDecoder:
    """Decodes token by token, whatever the tokenizer does to its pieces."""

    def __init__(self, backend: Tokenizer) -> None:
        """Decode with *backend*."""
        self._backend = backend
        self._special_ids = special_ids_of(backend)

    def decode_all(self, completions: Sequence[Sequence[int]]) -> list[Decoded]:
        """Decode the completions of a batch; see `TokenDecoder`."""
        return [self._decoded(ids) for ids in completions]

    def _decoded(self, ids: Sequence[int]) -> Decoded:
        stream = DecodeStream(skip_special_tokens=True)
        starts = np.empty(len(ids), dtype=np.int64)
        chunks: list[str] = []
        length = 0
        for position, token_id in enumerate(ids):
            if self._is_silent(token_id):
                starts[position] = NO_START
                continue
            starts[position] = length
            try:
                chunk = stream.step(self._backend, token_id)
            except Exception:  # noqa: BLE001, it has no class of its own
                # An invalid byte behind a valid one (byte fallback) made the decoder take back
                # text that it gave before. That text stays, the invalid byte is left out.
                stream = DecodeStream(skip_special_tokens=True)
                chunk = stream.step(self._backend, token_id)
            if chunk:
                chunks.append(chunk)
                length += len(chunk)
        return "".join(chunks), starts

    def _is_silent(self, token_id: int) -> bool:
        return token_id in self._special_ids or token_id < 0 or self._backend.id_to_token(token_id) is None


class ByteDecoder:
    """Decodes a byte-level tokenizer, the text of which is its tokens' bytes one after another."""

    def __init__(self, backend: Tokenizer) -> None:
        """Decode with *backend*."""
        self._tokens = TokenBytes(backend)

    def decode_all(self, completions: Sequence[Sequence[int]]) -> list[Decoded]:
        """Decode the completions of a batch; see `TokenDecoder`.

        Their tokens are looked up together, as one array, and so are the characters that they begin in.
        """
        ends = [0, *accumulate(map(len, completions))]
        tokens = self._tokens
        ids = tokens.met(int64_array(list(chain.from_iterable(completions))))
        starts = character_starts(tokens.characters[ids], tokens.begins[ids])
        starts = starts - np.repeat(np.append(starts, 0)[ends[:-1]], np.diff(ends))
        silent = tokens.silent[ids]
        starts[silent] = NO_START
        pieces = tokens.pieces[ids].tolist()
        decoded: list[Decoded] = []
        for first, last in pairwise(ends):
            text, own = whole_characters(b"".join(pieces[first:last])), starts[first:last]
            if text is None:
                text, own = decode_stepwise(pieces[first:last])
                own[silent[first:last]] = NO_START
            decoded.append((text, own))
        return decoded


def whole_characters(raw: bytes) -> str | None:
    """Decode bytes that are whole characters; None where streaming would take any for unfinished ones."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return None
    return None if REPLACEMENT in text else text


class TokenBytes:
    """The bytes that each token id writes, worked out when an id is first met."""

    def __init__(self, backend: Tokenizer) -> None:
        """Take the vocabulary and the added tokens of *backend*."""
        self._backend = backend
        self._added = backend.get_added_tokens_decoder()
        self._outside = 1 + max([*backend.get_vocab().values(), *self._added])
        size = self._outside + 1  # the last one is for ids outside the vocabulary
        self._is_met = np.zeros(size, np.bool_)
        self.pieces = np.full(size, b"", np.object_)
        """The bytes of each id."""
        self.silent = np.ones(size, np.bool_)
        """Whether it writes nothing."""
        self.characters = np.zeros(size, np.int64)
        """How many characters begin in it."""
        self.begins = np.ones(size, np.bool_)
        """Whether its first byte begins a character; not if it has none, as within a character."""

    def met(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where to look T ids up (T,); what they write is known from then on."""
        ids = np.where((ids >= 0) & (ids < self._outside), ids, self._outside)
        if not self._is_met[ids].all():
            with _LOCK:
                for token_id in np.unique(ids[~self._is_met[ids]]).tolist():
                    self._meet(token_id)
        return ids

    def _meet(self, token_id: int) -> None:
        piece = self._written(token_id)
        begin_characters = [byte & 0xC0 != 0x80 for byte in piece]
        self.pieces[token_id] = piece
        self.silent[token_id] = not piece
        self.characters[token_id] = sum(begin_characters)
        self.begins[token_id] = any(begin_characters[:1])
        self._is_met[token_id] = True

    def _written(self, token_id: int) -> bytes:
        """Translate the vocabulary's spelling of *token_id*; an unknown id writes nothing."""
        piece = self._backend.id_to_token(token_id)
        added = self._added.get(token_id)
        if piece is None or (added is not None and added.special):
            return b""
        written = bytes_of_piece(piece)
        # An added token is never part of a character. Decoded as bytes, "Amélie" is "Am\ufffdlie".
        if added is not None and REPLACEMENT in written.decode(errors="replace"):
            written = piece.encode()
        return written


def bytes_of_piece(piece: str) -> bytes:
    """Translate *piece* from the alphabet of bytes, or if it has others, from its characters."""
    if BYTE_OF_CHARACTER.keys() >= set(piece):
        return bytes(BYTE_OF_CHARACTER[character] for character in piece)
    return piece.encode()


def byte_alphabet() -> dict[str, int]:
    """Return the characters by which byte-level vocabularies spell bytes, as GPT-2 does.

    Printable Latin-1 characters stand for themselves; the other bytes, in order, for the
    characters from U+0100 on.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(0x100) if byte not in printable]
    alphabet = {chr(byte): byte for byte in printable}
    return alphabet | {chr(0x100 + index): byte for index, byte in enumerate(others)}


BYTE_OF_CHARACTER = byte_alphabet()


def character_starts(characters: NDArray[np.int64], begins: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the index of the character that each of T tokens begins in (T,).

    A token that starts within a character starts where the token that began the character does.

    Args:
        characters: How many characters begin in each token (T,).
        begins: Whether its first byte begins one (T,).
    """
    before = characters.cumsum() - characters
    return before if begins.all() else np.maximum.accumulate(np.where(begins, before, 0))


def decode_stepwise(pieces: Sequence[bytes]) -> Decoded:
    """Decode *pieces* whose bytes are not all whole characters, as `DecodeStream` does.

    Bytes are held back while what they spell so far ends in the replacement character.
    """
    starts = np.empty(len(pieces), dtype=np.int64)
    chunks: list[str] = []
    length = 0
    held_back = b""
    for position, piece in enumerate(pieces):
        starts[position] = length
        held_back += piece
        chunk = held_back.decode(errors="replace")
        if chunk and not chunk.endswith(REPLACEMENT):
            chunks.append(chunk)
            length += len(chunk)
            held_back = b""
    return "".join(chunks), starts


def special_ids_of(backend: Tokenizer) -> frozenset[int]:
    """Return the ids that *backend* leaves out of a decoded text."""
    added = backend.get_added_tokens_decoder()
    return frozenset(token_id for token_id, token in added.items() if token.special)
