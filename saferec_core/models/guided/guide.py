"""The automaton that writes lists of catalog titles with one tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from saferec_core.data.catalog import Catalog
from saferec_core.errors import ConfigError
from saferec_core.models.guided.list_shape import shape_of
from saferec_core.models.guided.title_trie import END, Edges, TrieBuilder
from saferec_core.plugins.contracts.parser import ListParser

__all__ = ["Guide", "build_guide"]


@dataclass(frozen=True, eq=False)
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

    @cached_property
    def by_token(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """(E,): node and token of each edge in one number, rising."""
        return self.edges.source * (self.vocabulary + 1) + self.edges.token

    @cached_property
    def largest_token(self) -> int:
        """The largest token that a list is written with."""
        return max(*self.end_ids, int(self.edges.token[self.edges.token < self.vocabulary].max()))

    @cached_property
    def twins(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """(C, 2): both leaves of each title; L in place of the second where they are one leaf."""
        twins = self.leaves.copy()
        twins[twins[:, 0] == twins[:, 1], 1] = len(self.edges.entry)
        return twins


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
    shape = shape_of(parser, catalog.titles, written, num_ranks)
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
    builder.add_loop(END, stop)  # completions that have ended wait for the others of their batch
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
