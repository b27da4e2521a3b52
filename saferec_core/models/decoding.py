"""Which token belongs to which rank: token ids to text, and places in the text back to tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tokenizers import Tokenizer, decoders

from saferec_core.errors import SaferecError
from saferec_core.models.token_decoders import (
    NO_START,
    ByteDecoder,
    Decoded,
    StreamDecoder,
    TokenDecoder,
    special_ids_of,
)

__all__ = ["NO_RANK", "TokenAligner", "backend_of", "check_line_breaks"]

NO_RANK = -1
"""The rank index of a token that belongs to no rank."""


class TokenAligner:
    """Decodes token ids and finds where in the text each token begins.

    Nothing is tokenized again: a text may have been sampled in other tokens than its tokenizer
    would choose. Text and starts are those of decoding token by token (`DecodeStream` with special
    tokens skipped), for any fast tokenizer. Byte-level ones (Qwen, Llama 3, SmolLM, GPT) go a much
    shorter way to the same outcome.

    Example:
        >>> aligner = TokenAligner(tokenizer)
        >>> text, starts = aligner.decode(completion_ids)
        >>> (ranks,) = assign_ranks([starts], [parser(text)], num_ranks=20)
    """

    def __init__(self, tokenizer: Any) -> None:
        """Prepare to decode what *tokenizer* encodes; tokens added to it later are not known.

        Args:
            tokenizer: A fast tokenizer of `transformers`, or a `tokenizers.Tokenizer`.

        Raises:
            SaferecError: If it is a slow tokenizer, which cannot say where a token begins.
        """
        backend = backend_of(tokenizer)
        byte_level = isinstance(backend.decoder, decoders.ByteLevel)
        self._decoder: TokenDecoder = ByteDecoder(backend) if byte_level else StreamDecoder(backend)
        special_ids = frozenset(getattr(tokenizer, "all_special_ids", ()))
        self._special_ids = special_ids - special_ids_of(backend)  # those are left out by the decoder

    def decode(self, ids: Sequence[int]) -> Decoded:
        """Decode one completion; see `TokenDecoder.decode_all`."""
        return self.decode_all([ids])[0]

    def decode_all(self, completions: Sequence[Sequence[int]]) -> list[Decoded]:
        """Decode the completions of a batch; see `TokenDecoder.decode_all`."""
        decoded = self._decoder.decode_all(completions)
        if self._special_ids:
            for ids, (_, starts) in zip(completions, decoded, strict=True):
                is_special = map(self._special_ids.__contains__, ids)
                starts[np.fromiter(is_special, np.bool_, len(ids))] = NO_START
        return decoded


def backend_of(tokenizer: Any) -> Tokenizer:
    """Return the Rust tokenizer within *tokenizer*."""
    backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if not isinstance(backend, Tokenizer):
        raise SaferecError(
            f"a fast tokenizer is needed to trace titles back to their tokens, but "
            f"{type(tokenizer).__name__} is a slow one. Load it with use_fast=True, or convert it "
            "to a tokenizer.json."
        )
    return backend


def check_line_breaks(tokenizer: Any) -> None:
    """Refuse a tokenizer that drops line breaks: no list of one title a line survives it.

    Raises:
        SaferecError: It drops them, as BERT's WordPiece tokenizers do.
    """
    backend = backend_of(tokenizer)
    ids = backend.encode("Saw (2004)\nUp (2009)", add_special_tokens=False).ids
    if "\n" not in TokenAligner(tokenizer).decode(ids)[0]:
        raise SaferecError(
            f"the tokenizer {type(tokenizer).__name__} drops line breaks, so that a list of one title a "
            "line cannot be written with it; choose a model with a byte-level or SentencePiece tokenizer"
        )
