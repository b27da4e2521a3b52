"""How far each row of a batch has come in its guided list, and which tokens may come next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from saferec_core.errors import ConfigError
from saferec_core.models.guided.allowed import Allowance
from saferec_core.models.guided.guide import Guide
from saferec_core.models.guided.title_trie import END, Ints
from saferec_core.models.guided.users import users_of

__all__ = ["GuidedRows"]

_CLOSED = float("-inf")


class GuidedRows:
    """How far each row of a batch has come; vectorized over rows.

    The automaton is followed on the processor, where a step is a few dozen operations on short arrays; the
    logits stay on their device. Of these only the tokens that may come next are copied, into a buffer that
    is minus infinity everywhere else: a few per row, thousands where a title begins.
    """

    def __init__(
        self, guide: Guide, allowances: Sequence[Allowance], device: torch.device | str = "cpu"
    ) -> None:
        """Begin a list in every row.

        Args:
            guide: The automaton.
            allowances: What the user of each row may be shown; N rows.
            device: Where the logits are.
        """
        self._guide, self._edges, self._device = guide, guide.edges, device
        self._leaves = len(guide.edges.entry)
        users = users_of(guide, allowances)
        self._sums, self._which = users.sums, users.which
        self.wanted = np.minimum(users.left, guide.num_ranks)
        """(N,): titles that each list will have: K, or all that are allowed if they are fewer."""
        self.written = np.zeros_like(self.wanted)
        """(N,): titles that are complete."""
        self._offset = np.arange(len(allowances)) * (self._leaves + 1)
        self._seen = np.sort((self._offset[:, None] + users.seen).ravel())
        self._listed_from = users.seen.shape[1]
        room = np.full((len(allowances), 2 * guide.num_ranks), self._leaves)
        self._taken = np.concatenate([users.seen, room], axis=1)  # (N, R) leaves; L where there is none
        self._node = np.where(self.wanted > 0, self._next_title(), guide.empty)
        self._beginnings = self._first_tokens()
        self._open = self._closed = torch.empty(0)
        self._touched = torch.empty(0, dtype=torch.long)

    def restrict(self, scores: Float[Tensor, "N V"]) -> Float[Tensor, "N V"]:
        """Return *scores* with minus infinity for every token that cannot come next.

        Returns:
            A buffer that the next call overwrites.

        Raises:
            ConfigError: There are fewer logits than tokens that titles are written with.
        """
        open_ = self._emptied(scores)
        width = scores.shape[1]
        at_root = self._node[:, None] == self._guide.roots  # (N, 2)
        begins = at_root.any(1)
        row = np.flatnonzero(begins)
        beginnings = zip(
            row.tolist(), self._which[row].tolist(), at_root[row].argmax(1).tolist(), strict=True
        )
        tokens = [start * width + self._beginnings[which][root] for start, which, root in beginnings]
        tokens.append(self._next_tokens(np.flatnonzero(~begins), width))
        self._touched = self._on_device(np.concatenate(tokens))
        open_.view(-1).scatter_(0, self._touched, scores.reshape(-1).index_select(0, self._touched))
        self._close_taken(open_)
        first, *others = self._guide.end_ids  # the first one stands for all so far
        if others:
            may_end = open_[:, first, None] > _CLOSED
            open_[:, others] = torch.where(may_end, scores[:, others], _CLOSED)
        return open_

    def _emptied(self, scores: Float[Tensor, "N V"]) -> Float[Tensor, "N V"]:
        """Return a buffer like *scores* that holds minus infinity alone."""
        if self._open.shape == scores.shape and self._open.dtype == scores.dtype:
            self._close(self._open, self._touched)
            return self._open
        if scores.shape[1] <= self._guide.largest_token:
            raise ConfigError(
                f"the policy has {scores.shape[1]:,} logits, but its tokenizer writes titles with tokens "
                f"up to {self._guide.largest_token:,}; model and tokenizer do not belong together"
            )
        self._open = torch.full_like(scores, _CLOSED, memory_format=torch.contiguous_format)
        self._closed = self._open.new_tensor(_CLOSED)
        return self._open

    def _next_tokens(self, rows: Ints, width: int) -> Ints:
        """Return where the tokens stand in flat logits that lead on inside a title, also to a seen one."""
        begin = self._edges.first[self._node[rows]]
        counts = self._edges.first[self._node[rows] + 1] - begin
        edge = np.arange(counts.sum()) + np.repeat(begin - (counts.cumsum() - counts), counts)
        row = np.repeat(rows, counts)
        low, high, left = self._left(row, edge)
        is_open = (left > 0) | (low == high)
        return self._positions(row[is_open], edge[is_open], width)

    def _close_taken(self, open_: Float[Tensor, "N V"]) -> None:
        """Close the edges below which every allowed title is seen or listed already."""
        low, high = self._edges.low[self._node, None], self._edges.high[self._node, None]
        row, column = np.nonzero((self._taken >= low) & (self._taken < high))
        if not len(row):
            return
        key = self._node[row] * (self._leaves + 1) + self._taken[row, column]
        edge = self._edges.by_leaf.searchsorted(key, side="right") - 1
        low, high, left = self._left(row, edge)
        listed = self._taken[row, self._listed_from :]
        left = left - ((listed >= low[:, None]) & (listed < high[:, None])).sum(1)
        offset = self._offset[row]
        left -= self._seen.searchsorted(offset + high) - self._seen.searchsorted(offset + low)
        closed = left <= 0
        positions = self._positions(row[closed], edge[closed], open_.shape[1])
        self._close(open_, self._on_device(positions))

    def _close(self, open_: Float[Tensor, "N V"], positions: Int[Tensor, " e"]) -> None:
        # This is four times as fast as filling them with one value.
        open_.view(-1).scatter_(0, positions, self._closed.expand(len(positions)))

    def _left(self, row: Ints, edge: Ints) -> tuple[Ints, Ints, Ints]:
        """Return the leaves below each edge, from and to, and how many of them the constraints allow."""
        target = self._edges.target[edge]
        low, high, which = self._edges.low[target], self._edges.high[target], self._which[row]
        return low, high, self._sums[which, high] - self._sums[which, low]

    def _positions(self, row: Ints, edge: Ints, width: int) -> Ints:
        """Return where the tokens of edges stand in flat logits; the first end token stands for all."""
        token = self._edges.token[edge]
        token = np.where(token == self._guide.vocabulary, self._guide.end_ids[0], token)
        return row * width + token

    def _on_device(self, values: Ints) -> Int[Tensor, " n"]:
        return torch.from_numpy(values).to(self._device)

    def advance(self, tokens: Int[Tensor, " N"], listing: Bool[Tensor, " N"] | None = None) -> None:
        """Take the token that was drawn in each row; rows that have ended stay where they are.

        Args:
            tokens: The tokens.
            listing: Where False, the row has not begun its list yet and stays where it is.

        Raises:
            ConfigError: A token was drawn that may not come next.
        """
        stays = self._node == END
        if listing is not None:
            stays |= ~listing.cpu().numpy()
        token = tokens.cpu().numpy()
        for end in self._guide.end_ids:
            token = np.where(token == end, self._guide.vocabulary, token)
        key = self._node * (self._guide.vocabulary + 1) + token
        edge = np.minimum(self._edges.by_token.searchsorted(key), len(self._edges.token) - 1)
        if not ((self._edges.by_token[edge] == key) | stays).all():
            raise ConfigError(
                "a token was drawn that guided decoding forbids; another logits processor overrides its mask"
            )
        self._node = np.where(stays, self._node, self._edges.target[edge])
        row = np.flatnonzero((self._edges.leaf[self._node] >= 0) & ~stays)
        if len(row):
            self._list(row, self._edges.entry[self._edges.leaf[self._node[row]]])

    def _list(self, row: Ints, title: Ints) -> None:
        """Count a title of some rows as listed, neither to be the last one nor any other one again."""
        column = self._listed_from + 2 * self.written[row]
        self._taken[row[:, None], column[:, None] + np.arange(2)] = self._guide.twins[title]
        self.written[row] += 1
        done = self.written[row] >= self.wanted[row]
        self._node[row] = np.where(done, END, self._next_title()[row])

    def _first_tokens(self) -> list[list[Ints]]:
        """Return the tokens with which an allowed title begins, also a seen one, by constraints and root."""
        chosen: list[list[Ints]] = []
        for sums in self._sums:
            chosen.append([])
            for root in self._guide.roots:
                edges = slice(self._edges.first[root], self._edges.first[root + 1])
                target = self._edges.target[edges]
                is_open = sums[self._edges.high[target]] > sums[self._edges.low[target]]
                chosen[-1].append(self._edges.token[edges][is_open])
        return chosen

    def _next_title(self) -> Ints:
        """Return the node at which the next title of each row begins."""
        rank = np.minimum(self.written, self._guide.num_ranks - 1)
        return self._guide.start[rank, (self.written >= self.wanted - 1).astype(np.int64)]
