"""The automaton that writes lists of catalog titles with one tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from saferec_core.data.catalog import Catalog
from saferec_core.errors import ConfigError
from saferec_core.models.guided.list_shape import shape_of
from saferec_core.models.guided.title_tokens import TitleWriter
from saferec_core.models.guided.title_trie import END, Edges, Ints, TrieBuilder
from saferec_core.plugins.contracts.parser import ListParser

__all__ = ["Guide", "build_guide"]


@dataclass(frozen=True, eq=False)
class Guide:
    """Everything about guided decoding that does not depend on the user."""

    edges: Edges
    start: Ints
    """(K, 2): the node at which the title of each rank begins, by whether it is the last one."""
    roots: tuple[int, int]
    """The nodes at which a title begins, behind its head: any but the last, and the last."""
    empty: int
    """The node at which a list without any title begins."""
    twins: Ints
    """(C, 2): the leaves of each title of the catalog, as the last one of a list and as any other; L in place
    of the second where they are one leaf, and -1 in place of the first where the title is left out."""
    end_ids: tuple[int, ...]
    """Tokens that end a completion."""
    vocabulary: int
    """V, the width of the logits that titles can be written with."""
    largest_token: int
    """The largest token that a list is written with."""
    longest: int
    """Tokens of the longest list, its end included."""
    left_out: int
    """Titles of the catalog that cannot be written with this tokenizer, or would be read as another title."""

    @property
    def num_ranks(self) -> int:
        """K, the length of the longest list."""
        return len(self.start)

    @cached_property
    def writable(self) -> npt.NDArray[np.bool_]:
        """(C,): the titles that can be written."""
        return self.twins[:, 0] >= 0


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
    written, own = _written_and_read_back(parser, catalog)
    shape = shape_of(parser, catalog.titles, written, num_ranks)
    positions = np.flatnonzero(own)
    cores = [shape.core(written[position]) for position in positions.tolist()]
    writer = TitleWriter(tokenizer)
    between = (shape.tail + shape.heads[-1]) if num_ranks > 1 else generation_prefix + shape.heads[0]
    last = writer.after(between, [shape.lead + core + shape.closing for core in cores])
    inner = writer.after(between, [shape.lead + core + shape.tail for core in cores]) if shape.tail else last
    can_be_written = (last.lengths > 0) & (inner.lengths > 0)
    if not can_be_written.any():
        raise ConfigError(
            "no title of the catalog can be written with this tokenizer; guided decoding is not possible"
        )
    last, inner = last.chosen(can_be_written), inner.chosen(can_be_written)
    entries = positions[can_be_written]
    builder = TrieBuilder()
    stop = writer.size  # stands for every token that ends a completion
    finish = builder.add_trie(last.ending_with(stop), entries)
    go_on = builder.add_trie(inner, entries) if shape.tail else finish
    heads = [
        writer.one_after(generation_prefix if rank == 0 else shape.tail, head)
        for rank, head in enumerate(shape.heads)
    ]
    start = np.array([[builder.add_chain(head, root) for root in (go_on, finish)] for head in heads])
    nothing = writer.one_after(generation_prefix, parser.format([]))
    empty = builder.add_chain([*nothing, stop], END)
    builder.add_loop(END, stop)  # completions that have ended wait for the others of their batch
    edges = builder.build(stop)
    return Guide(
        edges=edges,
        start=start,
        roots=(go_on, finish),
        empty=empty,
        twins=_twins(edges.entry, len(catalog), len(entries)),
        end_ids=tuple(sorted(end_ids)),
        vocabulary=stop,
        largest_token=max(*end_ids, int(edges.token[edges.token < stop].max())),
        longest=_longest(heads, inner.lengths, last.lengths),
        left_out=len(catalog) - len(entries),
    )


def _written_and_read_back(parser: ListParser, catalog: Catalog) -> tuple[list[str], list[bool]]:
    """Return how each title is written alone, and whether it is read as itself.

    One title after the other, since parsers remember the lines that they have just read.
    """
    written, own = [], []
    for position, title in enumerate(catalog.titles):
        written.append(parser.format([title]))
        own.append(_is_read_back(parser, catalog, written[-1], position))
    return written, own


def _twins(entry: Ints, titles: int, writable: int) -> Ints:
    """Pair the leaves of each title; those of last titles come first, those of others, if any, last."""
    twins = np.full((titles, 2), len(entry), np.int32)
    twins[:, 0] = -1
    twins[entry[:writable], 0] = np.arange(writable)
    if len(entry) > writable:
        twins[entry[writable:], 1] = np.arange(writable, len(entry))
    return twins


def _longest(heads: Sequence[Sequence[int]], inner: Ints, last: Ints) -> int:
    """Bound the tokens of a list: different titles, so the longest K of them."""
    return sum(map(len, heads)) + int(np.sort(inner)[::-1][: len(heads)].sum()) + int(last.max()) + 1


def _is_read_back(parser: ListParser, catalog: Catalog, text: str, position: int) -> bool:
    """Return whether a title, written alone, is read as itself."""
    items = parser(text).items
    return len(items) == 1 and catalog.find(items[0].name, items[0].year) == position
