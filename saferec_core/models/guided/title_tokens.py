"""The tokens of many titles, as flat arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from saferec_core.models.decoding import backend_of

__all__ = ["TitleWriter", "TokenRows"]

Ints = npt.NDArray[np.int64]

_ENCODED_TOGETHER = 1 << 14
"""Texts; the lists of their tokens are in memory at once."""


@dataclass(frozen=True, eq=False)
class TokenRows:
    """N sequences of tokens, one behind the other."""

    ids: npt.NDArray[np.uint32]
    """(T,): the tokens of all rows."""
    lengths: Ints
    """(N,): tokens of each row."""

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]]) -> Self:
        """Put sequences one behind the other."""
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        return cls(np.fromiter(chain.from_iterable(rows), np.uint32, int(lengths.sum())), lengths)

    @classmethod
    def joined(cls, parts: Sequence[TokenRows]) -> Self:
        """Put the rows of all *parts* one behind the other."""
        return cls(
            np.concatenate([part.ids for part in parts]), np.concatenate([part.lengths for part in parts])
        )

    def __len__(self) -> int:
        return len(self.lengths)

    def chosen(self, rows: npt.NDArray[np.bool_]) -> TokenRows:
        """Return some of the rows."""
        return TokenRows(self.ids[np.repeat(rows, self.lengths)], self.lengths[rows])

    def ending_with(self, token: int) -> TokenRows:
        """Return the rows with one more token at the end of each."""
        return TokenRows(np.insert(self.ids, self.lengths.cumsum(), token), self.lengths + 1)

    def matrix(self) -> npt.NDArray[np.uint32]:
        """Return the rows (N, longest) as big-endian numbers, 1 more than the tokens, 0 behind the last."""
        filled = np.arange(int(self.lengths.max())) < self.lengths[:, None]
        matrix = np.zeros(filled.shape, ">u4")
        matrix[filled] = self.ids + 1
        return matrix


class TitleWriter:
    """Finds the tokens with which a tokenizer writes texts behind another text."""

    def __init__(self, tokenizer: Any) -> None:
        """Write with the fast *tokenizer*.

        Raises:
            SaferecError: It is a slow one.
        """
        self._backend = backend_of(tokenizer)
        self.size = len(tokenizer)
        """V, the tokens of the vocabulary."""
        if self._backend.truncation is not None:
            self._backend.no_truncation()
        if self._backend.padding is not None:
            self._backend.no_padding()

    def after(self, context: str, texts: Sequence[str]) -> TokenRows:
        """Return the tokens of each text behind *context*; none for one that cannot be written there.

        They are those that the tokenizer gives it there. Where these run into those of the context, as where
        it ends with a space that belongs to the next word's token, they are those behind a line break.
        """
        before = self._ids([context])[0] if context else []
        start = self._texts([before])[0]
        anchors = [(anchor, self._ids([anchor])[0] if anchor else []) for anchor in (context, "\n", "")]
        parts = [
            TokenRows.of(self._behind(before, start, anchors, texts[first : first + _ENCODED_TOGETHER]))
            for first in range(0, len(texts), _ENCODED_TOGETHER)
        ]
        return TokenRows.joined(parts) if parts else TokenRows.of([])

    def one_after(self, context: str, text: str) -> list[int]:
        """Return the tokens of one text behind *context*."""
        return self.after(context, [text]).ids.tolist() if text else []

    def _behind(
        self,
        before: list[int],
        start: str,
        anchors: Sequence[tuple[str, list[int]]],
        texts: Sequence[str],
    ) -> list[list[int]]:
        tokens: list[list[int]] = [[] for _ in texts]
        open_: Sequence[int] = range(len(texts))
        for anchor, anchored in anchors:
            whole = self._ids([anchor + texts[n] for n in open_])
            own = [ids[len(anchored) :] if ids[: len(anchored)] == anchored else [] for ids in whole]
            shown = self._texts([before + ids for ids in own])
            for n, ids, text in zip(open_, own, shown, strict=True):
                if text == start + texts[n]:
                    tokens[n] = ids
            open_ = [n for n in open_ if not tokens[n]]
            if not open_:
                break
        return tokens

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        encoded = self._backend.encode_batch_fast(texts, add_special_tokens=False)
        return [each.ids for each in encoded]

    def _texts(self, ids: Sequence[list[int]]) -> list[str]:
        texts: list[str] = self._backend.decode_batch(ids, skip_special_tokens=True)
        return texts
