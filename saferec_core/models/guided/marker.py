"""The text that ends a policy's free reasoning, recognized in whatever tokens it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

__all__ = ["Marker", "MarkerRows", "marker_of"]


@dataclass(frozen=True)
class Marker:
    """A marker such as ``<solution>``, and what each token does on the way to it."""

    text: str
    ids: tuple[int, ...]
    """The tokens by which it is written where it is forced."""
    pieces: Sequence[str]
    """The text of every token of the vocabulary."""
    end_ids: tuple[int, ...]
    """Tokens that would end the completion; forbidden before the marker."""

    @cached_property
    def tables(self) -> tuple[np.ndarray, np.ndarray]:
        """(M, V): where in the marker a token leads from each position, and whether it may be written there.

        A token that completes the marker may have white space behind it, and nothing else.
        """
        size = len(self.text)
        fallback = _borders(self.text)
        steps = np.zeros((size, len(self.pieces)), np.int64)
        allowed = np.ones((size, len(self.pieces)), np.bool_)
        relevant = [n for n, piece in enumerate(self.pieces) if set(piece) & set(self.text)]
        for start in range(size):
            for token in relevant:
                matched = start
                for offset, character in enumerate(self.pieces[token]):
                    while matched > 0 and self.text[matched] != character:
                        matched = fallback[matched - 1]
                    matched = matched + 1 if self.text[matched] == character else 0
                    if matched == size:
                        allowed[start, token] = not self.pieces[token][offset + 1 :].strip()
                        break
                steps[start, token] = matched
        silent = [n for n, piece in enumerate(self.pieces) if not piece]
        steps[:, silent] = np.arange(size)[:, None]
        allowed[:, list(self.end_ids)] = False
        return steps, allowed

    def rows(self, count: int, free_tokens: int, device: torch.device | str) -> MarkerRows:
        """Begin *count* rows of free text of at most *free_tokens* tokens."""
        return MarkerRows(self, count, free_tokens, device)


class MarkerRows:
    """How far each row is from having written the marker."""

    def __init__(self, marker: Marker, count: int, free_tokens: int, device: torch.device | str) -> None:
        """Begin free text in every row."""
        steps, allowed = marker.tables
        self._steps, self._allowed = (
            torch.as_tensor(steps, device=device),
            torch.as_tensor(allowed, device=device),
        )
        self._ids = torch.tensor(marker.ids, device=device)
        self._size = len(marker.text)
        self._left = torch.full((count,), free_tokens, device=device)
        self._matched = torch.zeros(count, dtype=torch.long, device=device)
        self._forced = torch.zeros(count, dtype=torch.long, device=device)

    @property
    def complete(self) -> Bool[Tensor, " N"]:
        """Whether the marker has been written."""
        return self._matched >= self._size

    def mask(self, width: int) -> Bool[Tensor, "N V"]:
        """Return which tokens may come next where the marker is not complete."""
        rows = self._allowed[self._matched.clamp(max=self._size - 1)]
        masks = torch.zeros((len(rows), width), dtype=torch.bool, device=rows.device)
        shared = min(width, rows.shape[1])
        masks[:, :shared] = rows[:, :shared]
        forced = torch.zeros_like(masks)
        forced.scatter_(1, self._ids[self._forced.clamp(max=len(self._ids) - 1)][:, None], value=True)
        return torch.where((self._left <= 0)[:, None], forced, masks)

    def advance(self, tokens: Int[Tensor, " N"]) -> None:
        """Take the token that was drawn in each row."""
        forced = (self._left <= 0) & ~self.complete
        self._forced = self._forced + forced
        done = forced & (self._forced >= len(self._ids))
        matched = self._steps[
            self._matched.clamp(max=self._size - 1), tokens.clamp(max=self._steps.shape[1] - 1)
        ]
        matched = torch.where(forced, torch.where(done, self._size, 0), matched)
        self._matched = torch.where(self.complete, self._matched, matched)
        self._left = self._left - 1


def _borders(text: str) -> list[int]:
    """Return the length of the longest proper border of each beginning of *text* (Knuth, Morris, Pratt)."""
    borders = [0] * len(text)
    length = 0
    for position in range(1, len(text)):
        while length and text[position] != text[length]:
            length = borders[length - 1]
        length += text[position] == text[length]
        borders[position] = length
    return borders


def marker_of(tokenizer: Any, text: str, end_ids: frozenset[int]) -> Marker:
    """Prepare to recognize *text* in what the policy of a fast *tokenizer* writes."""
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    return Marker(text, tuple(ids), _pieces(tokenizer), tuple(sorted(end_ids)))


def _pieces(tokenizer: Any) -> list[str]:
    """Return the text that each token writes in the middle of a text; special tokens write none."""
    anchor = tokenizer("a", add_special_tokens=False)["input_ids"]
    settings = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
    head = tokenizer.decode(anchor, **settings)
    texts = tokenizer.batch_decode([[*anchor, token] for token in range(len(tokenizer))], **settings)
    return [text[len(head) :] for text in texts]
