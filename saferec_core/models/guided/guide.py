"""The automaton that writes lists of catalog titles with one tokenizer, and how far each row has come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from saferec_core.data.catalog import Catalog
from saferec_core.errors import ConfigError
from saferec_core.models.guided.allowed import Allowance
from saferec_core.models.guided.list_shape import shape_of
from saferec_core.models.guided.title_trie import END, Edges, TrieBuilder
from saferec_core.plugins.contracts.parser import ListParser

__all__ = ["Guide", "GuidedRows", "build_guide"]


@dataclass(frozen=True)
class Guide:
    """Everything about guided decoding that does not depend on the user."""

    edges: Edges
    start: np.ndarray[Any, np.dtype[np.int64]]
    """(K, 2): the node at which the title of each rank begins, by whether it is the last one."""
    roots: tuple[int, int]
    """The nodes at which a title begins, behind its head: any but the last, and the last."""
    empty: int
    """The node at which a list without any title begins."""
    leaves: np.ndarray[Any, np.dtype[np.int64]]
    """(C, 2): the leaves of each title of the catalog, as any but the last title and as the last; -1 if it is
    left out."""
    end_ids: tuple[int, ...]
    """Tokens that end a completion."""
    vocabulary: int
    """V, the width of the logits that titles can be written with."""
    longest: int
    """Tokens of the longest list, its end included."""
    left_out: int
    """Titles of the catalog that cannot be written with this tokenizer, or would be read as another title."""

    @property
    def num_ranks(self) -> int:
        """K, the length of the longest list."""
        return len(self.start)

    @cached_property
    def writable(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """(C,): the titles that can be written."""
        return self.leaves[:, 0] >= 0


def build_guide(
    tokenizer: Any,
    parser: ListParser,
    catalog: Catalog,
    *,
    num_ranks: int,
    end_ids: frozenset[int],
    generation_prefix: str = "",
) -> Guide:
    r"""Tokenize the catalog as the parser writes it, and build the automaton.

    A title is written with the tokens that the tokenizer gives its line. A title that its own parser
    would read as another one, or as none, is left out, and so is one that the tokenizer cannot write.

    Args:
        tokenizer: A fast tokenizer of the policy.
        parser: Writes and reads the lists.
        catalog: The titles.
        num_ranks: Titles of the longest list, K.
        end_ids: Tokens that end a completion.
        generation_prefix: The text right in front of the completion, such as ``"<|im_start|>assistant\n"``.

    Raises:
        ConfigError: The parser's lists cannot be put together from parts, or nothing can be written.
    """
    written = [parser.format([title]) for title in catalog.titles]
    shape = shape_of(parser, catalog.titles, num_ranks)
    own = [_is_read_back(parser, catalog, text, position) for position, text in enumerate(written)]
    positions = [position for position, is_own in enumerate(own) if is_own]
    cores = [shape.core(written[position]) for position in positions]
    encode = _Encoder(tokenizer)
    between = (shape.tail + shape.heads[-1]) if num_ranks > 1 else generation_prefix + shape.heads[0]
    inner = encode.after(between, [shape.lead + core + shape.tail for core in cores]) if shape.tail else None
    last = encode.after(between, [shape.lead + core + shape.closing for core in cores])
    kept = [n for n in range(len(cores)) if last[n] and (inner is None or inner[n])]
    if not kept:
        raise ConfigError(
            "no title of the catalog can be written with this tokenizer; guided decoding is not possible"
        )
    entries = np.array([positions[n] for n in kept], np.int64)
    builder = TrieBuilder()
    stop = encode.size  # stands for every token that ends a completion
    finish = builder.add_trie([[*last[n], stop] for n in kept], entries)
    go_on = builder.add_trie([inner[n] for n in kept], entries) if inner is not None else finish
    heads = [
        encode.after(generation_prefix if rank == 0 else shape.tail, [head])[0] if head else []
        for rank, head in enumerate(shape.heads)
    ]
    start = np.array([[builder.add_chain(head, root) for root in (go_on, finish)] for head in heads])
    no_list = parser.format([])
    nothing = encode.after(generation_prefix, [no_list])[0] if no_list else []
    empty = builder.add_chain([*nothing, stop], END)
    edges = builder.build()
    leaves = np.full((len(catalog), 2), -1, np.int64)
    count = len(kept)
    leaves[edges.entry[:count], 1] = np.arange(count)
    leaves[edges.entry[-count:], 0] = np.arange(len(edges.entry) - count, len(edges.entry))
    return Guide(
        edges=edges,
        start=start,
        roots=(go_on, finish),
        empty=empty,
        leaves=leaves,
        end_ids=tuple(sorted(end_ids)),
        vocabulary=encode.size,
        longest=_longest(
            heads, [inner[n] for n in kept] if inner is not None else [], [last[n] for n in kept]
        ),
        left_out=len(catalog) - count,
    )


def _longest(
    heads: Sequence[Sequence[int]], inner: Sequence[Sequence[int]], last: Sequence[Sequence[int]]
) -> int:
    """Bound the tokens of a list: different titles, so the longest K of them."""
    lengths = sorted((len(tokens) for tokens in (inner or last)), reverse=True)[: len(heads)]
    return sum(map(len, heads)) + sum(lengths) + max(map(len, last)) + 1


def _is_read_back(parser: ListParser, catalog: Catalog, text: str, position: int) -> bool:
    """Return whether a title, written alone, is read as itself."""
    items = parser(text).items
    return len(items) == 1 and catalog.find(items[0].name, items[0].year) == position


class _Encoder:
    """Encodes texts as they are tokenized behind another text."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.size = len(tokenizer)

    def after(self, context: str, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of each text behind *context*; none for one that cannot be written there.

        They are those that the tokenizer gives it there. Where these run into those of the context, as where
        it ends with a space that belongs to the next word's token, they are those behind a line break.
        """
        before = self._ids([context])[0] if context else []
        start = self._text([before])[0]
        tokens: list[list[int]] = [[] for _ in texts]
        open_: Sequence[int] = range(len(texts))
        for anchor in (context, "\n", ""):
            anchored = self._ids([anchor])[0] if anchor else []
            whole = self._ids([anchor + texts[n] for n in open_])
            behind = [ids[len(anchored) :] if ids[: len(anchored)] == anchored else [] for ids in whole]
            shown = self._text([[*before, *ids] for ids in behind])
            rest = []
            for n, ids, text in zip(open_, behind, shown, strict=True):
                if text == start + texts[n]:
                    tokens[n] = ids
                else:
                    rest.append(n)
            open_ = rest
            if not open_:
                break
        return tokens

    def _text(self, ids: Sequence[Sequence[int]]) -> list[str]:
        texts: list[str] = self._tokenizer.batch_decode(
            ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return texts

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        ids: list[list[int]] = self._tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        return ids


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
        edges = guide.edges

        def on_device(values: Any) -> Int[Tensor, " ..."]:
            return torch.as_tensor(values, device=device)

        self._first, self._token = on_device(edges.first), on_device(edges.token)
        self._target, self._leaf = on_device(edges.target), on_device(edges.leaf)
        self._low, self._high = on_device(edges.low), on_device(edges.high)
        source = np.repeat(np.arange(len(edges.first) - 1), np.diff(edges.first))
        self._leaves = len(edges.entry)
        self._stop = guide.vocabulary
        self._by_token = on_device(source * (self._stop + 1)) + self._token
        self._by_leaf = on_device(source * (self._leaves + 1)) + self._low[self._target]
        self._twins = on_device(_twins(guide))
        self._start = on_device(guide.start)
        self._end_ids = on_device(guide.end_ids)
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
        self._roots = on_device(guide.roots)
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


def _twins(guide: Guide) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return, for each leaf, both leaves of its title."""
    return guide.leaves[guide.edges.entry]


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
