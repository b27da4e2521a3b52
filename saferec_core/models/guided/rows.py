"""How far each row of a batch has come in its guided list, and which tokens may come next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from saferec_core.errors import ConfigError
from saferec_core.models.guided.allowed import Allowance
from saferec_core.models.guided.guide import Guide
from saferec_core.models.guided.title_trie import END

__all__ = ["GuidedRows"]


class GuidedRows:
    """How far each row of a batch has come; vectorized over rows, on the device of the logits."""

    def __init__(
        self, guide: Guide, allowances: Sequence[Allowance], device: torch.device | str = "cpu"
    ) -> None:
        """Begin a list in every row.

        Args:
            guide: The automaton.
            allowances: What the user of each row may be shown; N rows.
            device: Where the logits are.
        """
        placed = _placed(guide, torch.device(device))
        self._first, self._token, self._target = placed.first, placed.token, placed.target
        self._leaf, self._low, self._high = placed.leaf, placed.low, placed.high
        self._by_token, self._by_leaf, self._twins = placed.by_token, placed.by_leaf, placed.twins
        self._start, self._roots, self._end_ids = placed.start, placed.roots, placed.end_ids
        self._leaves, self._stop = len(guide.edges.entry), guide.vocabulary

        def on_device(values: Any) -> Int[Tensor, " ..."]:
            return torch.as_tensor(values, device=device)

        removed = [_removed(guide, allowance) for allowance in allowances]
        self._sums, self._which = _prefix_sums(guide, allowances, device)
        self.wanted = on_device(
            [
                min(guide.num_ranks, int((allowance.safe & guide.writable).sum()) - len(leaves) // 2)
                for allowance, leaves in zip(allowances, removed, strict=True)
            ]
        )
        """(N,): titles that each list will have: K, or all that are allowed if they are fewer."""
        self.written = torch.zeros_like(self.wanted)
        """(N,): titles that are complete."""
        seen = max(map(len, removed))
        self._taken = torch.full((len(allowances), seen + 2 * guide.num_ranks), -1, device=device)
        for row, leaves in enumerate(removed):
            self._taken[row, : len(leaves)] = on_device(leaves)
        self._seen = seen
        self._node = torch.where(self.wanted > 0, self._next_title(), guide.empty)
        self._root_masks = self._masks_of_roots()

    def mask(self, width: int) -> Bool[Tensor, "N V"]:
        """Return which of *width* tokens may come next in each row."""
        allowed = self._open_tokens()
        self._close_taken(allowed)
        may_end = allowed[:, self._stop] | (self._node == END)
        allowed[:, self._stop] = False
        allowed[:, self._end_ids] |= may_end[:, None]
        if width <= self._stop:
            return allowed[:, :width]
        return torch.nn.functional.pad(allowed, (0, width - self._stop - 1))

    def _open_tokens(self) -> Bool[Tensor, "N W"]:
        """Return the tokens below which a title is left that the constraints allow, seen ones included.

        A root has thousands of edges, and nearly every row is at one of the two roots now and then; their
        masks are laid out once. W = V + 1, the last for the end of a list.
        """
        roots = self._node[:, None] == self._roots  # (N, 2)
        at_root = roots.any(1)
        allowed = torch.zeros((len(roots), self._stop + 1), dtype=torch.bool, device=roots.device)
        row = at_root.nonzero()[:, 0]
        allowed[row] = self._root_masks[self._which[row], roots[row].long().argmax(1)]
        elsewhere = (~at_root).nonzero()[:, 0]
        node = self._node[elsewhere]
        counts = self._first[node + 1] - self._first[node]
        which = torch.repeat_interleave(counts)
        before = counts.cumsum(0) - counts
        edge = torch.arange(len(which), device=which.device) + (self._first[node] - before)[which]
        rows = elsewhere[which]
        target = self._target[edge]
        low, high = self._low[target], self._high[target]
        constraints = self._which[rows]
        left = self._sums[constraints, high] - self._sums[constraints, low]
        allowed[rows, self._token[edge]] = (low == high) | (left > 0)
        return allowed

    def _close_taken(self, allowed: Bool[Tensor, "N W"]) -> None:
        """Close the edges below which every allowed title is seen or listed already."""
        low, high = self._low[self._node], self._high[self._node]
        inside = (self._taken >= low[:, None]) & (self._taken < high[:, None])  # (N, R)
        row, column = inside.nonzero(as_tuple=True)
        key = self._node[row] * (self._leaves + 1) + self._taken[row, column]
        edge = torch.searchsorted(self._by_leaf, key, right=True) - 1
        pairs, taken = torch.unique(row * len(self._token) + edge, return_counts=True)
        row, edge = pairs // len(self._token), pairs % len(self._token)
        target, which = self._target[edge], self._which[row]
        left = self._sums[which, self._high[target]] - self._sums[which, self._low[target]] - taken
        closed = left <= 0
        allowed[row[closed], self._token[edge[closed]]] = False

    def advance(self, tokens: Int[Tensor, " N"], listing: Bool[Tensor, " N"] | None = None) -> None:
        """Take the token that was drawn in each row; rows that have ended stay where they are.

        Args:
            tokens: The tokens.
            listing: Where False, the row has not begun its list yet and stays where it is.

        Raises:
            ConfigError: A token was drawn that the mask forbids.
        """
        waiting = torch.zeros_like(tokens, dtype=torch.bool) if listing is None else ~listing
        ended = (self._node == END) | waiting
        token = torch.where(torch.isin(tokens, self._end_ids), self._stop, tokens)
        key = self._node * (self._stop + 1) + token
        edge = torch.searchsorted(self._by_token, key).clamp(max=len(self._by_token) - 1)
        if not bool(((self._by_token[edge] == key) | ended).all()):
            raise ConfigError(
                "a token was drawn that guided decoding forbids; another logits processor overrides its mask"
            )
        target = torch.where(ended, self._node, self._target[edge])
        leaf = self._leaf[target]
        listed = (leaf >= 0) & ~ended
        row = listed.nonzero()[:, 0]
        column = self._seen + 2 * self.written[row]
        for twin in range(2):  # taken neither as the last title nor as any other one
            self._taken[row, column + twin] = self._twins[leaf[row], twin]
        self.written = self.written + listed
        done = listed & (self.written >= self.wanted)
        self._node = torch.where(listed, torch.where(done, END, self._next_title()), target)

    def _masks_of_roots(self) -> Bool[Tensor, "U 2 W"]:
        """Return the tokens with which an allowed title begins, by constraints and root."""
        masks = torch.zeros((len(self._sums), 2, self._stop + 1), dtype=torch.bool, device=self._token.device)
        for number, root in enumerate(self._roots.tolist()):
            edges = slice(int(self._first[root]), int(self._first[root + 1]))
            target = self._target[edges]
            masks[:, number, self._token[edges]] = (
                self._sums[:, self._high[target]] > self._sums[:, self._low[target]]
            )
        return masks

    def _next_title(self) -> Int[Tensor, " N"]:
        """Return the node at which the next title of each row begins."""
        rank = self.written.clamp(max=len(self._start) - 1)
        return self._start[rank, (self.written >= self.wanted - 1).long()]


@dataclass(frozen=True)
class _Placed:
    """The arrays of an automaton on a device; see `saferec_core.models.guided.title_trie.Edges`."""

    first: Int[Tensor, " M1"]
    token: Int[Tensor, " E"]
    target: Int[Tensor, " E"]
    leaf: Int[Tensor, " M"]
    low: Int[Tensor, " M"]
    high: Int[Tensor, " M"]
    by_token: Int[Tensor, " E"]
    """Node and token of each edge in one number, rising."""
    by_leaf: Int[Tensor, " E"]
    """Node and first leaf below each edge in one number, rising."""
    twins: Int[Tensor, "L 2"]
    """For each leaf, both leaves of its title."""
    start: Int[Tensor, "K 2"]
    roots: Int[Tensor, " 2"]
    end_ids: Int[Tensor, " I"]


_PLACED: WeakKeyDictionary[Guide, dict[torch.device, _Placed]] = WeakKeyDictionary()
"""So that an automaton of millions of edges is laid out once, not for every batch."""


def _placed(guide: Guide, device: torch.device) -> _Placed:
    by_device = _PLACED.setdefault(guide, {})
    if device not in by_device:
        by_device[device] = _place(guide, device)
    return by_device[device]


def _place(guide: Guide, device: torch.device) -> _Placed:
    edges = guide.edges

    def on_device(values: Any) -> Int[Tensor, " ..."]:
        return torch.as_tensor(values, device=device)

    source = np.repeat(np.arange(len(edges.first) - 1), np.diff(edges.first))
    return _Placed(
        first=on_device(edges.first),
        token=on_device(edges.token),
        target=on_device(edges.target),
        leaf=on_device(edges.leaf),
        low=on_device(edges.low),
        high=on_device(edges.high),
        by_token=on_device(source * (guide.vocabulary + 1) + edges.token),
        by_leaf=on_device(source * (len(edges.entry) + 1) + edges.low[edges.target]),
        twins=on_device(guide.leaves[edges.entry]),
        start=on_device(guide.start),
        roots=on_device(guide.roots),
        end_ids=on_device(guide.end_ids),
    )


def _removed(guide: Guide, allowance: Allowance) -> list[int]:
    """Return both leaves of every title that is allowed by its risk, but was seen."""
    return [
        int(leaf)
        for position in allowance.seen
        if allowance.safe[position] and guide.writable[position]
        for leaf in guide.leaves[position]
    ]


def _prefix_sums(
    guide: Guide, allowances: Sequence[Allowance], device: torch.device | str
) -> tuple[Int[Tensor, "U L"], Int[Tensor, " N"]]:
    """Count the allowed leaves up to each leaf, once for all users with the same constraints."""
    numbers: dict[int, int] = {}
    masks: list[np.ndarray[Any, np.dtype[np.bool_]]] = []
    which = []
    for allowance in allowances:
        if id(allowance.safe) not in numbers:
            numbers[id(allowance.safe)] = len(masks)
            masks.append(allowance.safe)
        which.append(numbers[id(allowance.safe)])
    sums = np.zeros((len(masks), len(guide.edges.entry) + 1), np.int64)
    for row, mask in enumerate(masks):
        np.cumsum(mask[guide.edges.entry], out=sums[row, 1:])
    return torch.as_tensor(sums, device=device), torch.as_tensor(which, device=device)
