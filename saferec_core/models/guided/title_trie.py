"""A trie of token ids as flat arrays, and the automaton that writes whole lists with it.

Every state of the automaton is a node; node 0 ends a list. Nodes below a root hold a contiguous range
of *leaves*, so whether anything allowed is left below a node is a difference of two prefix sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from saferec_core.errors import ConfigError
from saferec_core.models.guided.title_tokens import TokenRows

__all__ = ["END", "Edges", "Ints", "TrieBuilder"]

END = 0
"""The node after which a completion ends."""

Ints = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Edges:
    """The automaton: edges sorted by node, then by token.

    Shapes: ``M`` nodes, ``E`` edges. Leaves are numbered over all roots together, ``L`` of them.
    """

    first: Ints
    """(M + 1,): the edges of node m are ``first[m]:first[m + 1]``."""
    token: Ints
    """(E,): the token that an edge reads."""
    target: Ints
    """(E,): the node that it leads to."""
    low: Ints
    """(M,): the first leaf below a node."""
    high: Ints
    """(M,): the leaf after the last one below a node; ``low == high`` for a forced node, always open."""
    leaf: Ints
    """(M,): the leaf that a node is, -1 for any other node."""
    entry: Ints
    """(L,): the title that a leaf stands for."""
    by_token: Ints
    """(E,): node and token of each edge in one number, ``node * (V + 1) + token``, rising."""
    by_leaf: Ints
    """(E,): node and first leaf below each edge in one number, ``node * (L + 1) + leaf``, rising."""


class TrieBuilder:
    """Collects roots with their token sequences, and chains of forced tokens."""

    def __init__(self) -> None:
        """Begin with the node that ends a list."""
        self._nodes = 1
        self._leaves = 0
        self._low: list[Ints] = [np.zeros(1, np.int64)]
        self._high: list[Ints] = [np.zeros(1, np.int64)]
        self._leaf: list[Ints] = [-np.ones(1, np.int64)]
        self._source: list[Ints] = []
        self._token: list[Ints] = []
        self._target: list[Ints] = []
        self._entry: list[Ints] = []

    def add_chain(self, tokens: Sequence[int], target: int) -> int:
        """Add nodes that can only write *tokens* and then go on at *target*; return the first of them."""
        if not tokens:
            return target
        nodes = np.arange(self._nodes, self._nodes + len(tokens), dtype=np.int64)
        self._add_nodes(
            np.zeros(len(tokens), np.int64), np.zeros(len(tokens), np.int64), -np.ones(len(tokens), np.int64)
        )
        self._add_edges(nodes, np.asarray(tokens, np.int64), np.append(nodes[1:], target))
        return int(nodes[0])

    def add_loop(self, node: int, token: int) -> None:
        """Let *node* write *token* and stay where it is."""
        self._add_edges(np.array([node]), np.array([token]), np.array([node]))

    def add_trie(self, sequences: TokenRows, entries: Ints) -> int:
        """Add a trie of token sequences, one per entry; return its root.

        Raises:
            ConfigError: One sequence is the beginning of another, or there are two alike.
        """
        lengths, matrix = sequences.lengths, sequences.matrix()
        width = matrix.shape[1]
        order = np.argsort(matrix.view(f"S{4 * width}").ravel(), kind="stable")  # bytes compare as numbers do
        rows, lengths = matrix[order], lengths[order]
        shared = np.zeros(len(rows), np.int64)  # leading tokens that a row shares with the row before
        shared[1:] = np.logical_and.accumulate(rows[1:] == rows[:-1], axis=1).sum(1)
        shared[0] = -1
        clash = np.flatnonzero(shared[1:] >= np.minimum(lengths[1:], lengths[:-1])) + 1
        if len(clash):
            raise ConfigError(
                f"guided decoding cannot distinguish titles {int(entries[order[clash[0] - 1]])} and "
                f"{int(entries[order[clash[0]]])} of the catalog: one's tokens begin with the other's"
            )
        root = self._nodes
        self._add_nodes(np.array([self._leaves]), np.array([self._leaves + len(rows)]), np.array([-1]))
        above = np.full(len(rows), root, np.int64)  # the node that each row has reached
        for depth in range(width):
            starts = np.flatnonzero((shared <= depth) & (lengths > depth))  # rows that open a node here
            if not len(starts):
                continue
            borders = np.append(np.flatnonzero(shared <= depth), len(rows))
            ends = borders[np.searchsorted(borders, starts, side="right")]
            nodes = np.arange(self._nodes, self._nodes + len(starts), dtype=np.int64)
            is_leaf = lengths[starts] == depth + 1
            self._add_nodes(
                self._leaves + starts, self._leaves + ends, np.where(is_leaf, self._leaves + starts, -1)
            )
            self._add_edges(above[starts], rows[starts, depth].astype(np.int64) - 1, nodes)
            inside = lengths > depth
            above[inside] = nodes[np.searchsorted(starts, np.flatnonzero(inside), side="right") - 1]
        self._leaves += len(rows)
        self._entry.append(np.asarray(entries, np.int64)[order])
        return root

    def build(self, largest_token: int) -> Edges:
        """Return the automaton, in which no token is larger than *largest_token*."""
        source, token, target = map(np.concatenate, (self._source, self._token, self._target))
        by_token = source * (largest_token + 1) + token
        order = by_token.argsort()
        source, token, target = source[order], token[order], target[order]
        low, entry = np.concatenate(self._low), np.concatenate(self._entry)
        return Edges(
            first=np.searchsorted(source, np.arange(self._nodes + 1)),
            token=token.astype(np.int32),
            target=target.astype(np.int32),
            low=low.astype(np.int32),
            high=np.concatenate(self._high).astype(np.int32),
            leaf=np.concatenate(self._leaf).astype(np.int32),
            entry=entry.astype(np.int32),
            by_token=by_token[order],
            by_leaf=source * (len(entry) + 1) + low[target],
        )

    def _add_nodes(self, low: Ints, high: Ints, leaf: Ints) -> None:
        self._low.append(low)
        self._high.append(high)
        self._leaf.append(leaf)
        self._nodes += len(low)

    def _add_edges(self, source: Ints, token: Ints, target: Ints) -> None:
        self._source.append(source)
        self._token.append(token)
        self._target.append(target)
