"""How a parser writes a list, taken apart: what opens it, what stands between two titles, what closes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from saferec_core.data.titles import Title
from saferec_core.errors import ConfigError
from saferec_core.plugins.contracts.parser import ListParser

__all__ = ["ListShape", "shape_of"]

_UNLIKE = (Title("Q", 1950), Title("7z", 2011), Title("élan", 1899))
"""Titles with nothing in common, so that what all written lists share belongs to the list."""


@dataclass(frozen=True)
class ListShape:
    r"""The text of a list of n titles is ``heads[0] + body_1 + heads[1] + body_2 + ... + body_n``.

    All but the last body are ``lead + core + tail``; the last one is ``lead + core + closing``. The core
    depends on the title alone, the head on the rank alone. A numbered list, for instance, has the heads
    ``"1."``, ``"2."``, ..., the lead ``" "`` and the tail ``"\n"``.
    """

    heads: tuple[str, ...]
    """What stands in front of the title at each rank, K of them; often empty."""
    lead: str
    """White space that follows every head; tokenizers take it for a part of the title's first word."""
    tail: str
    """What follows every title but the last."""
    closing: str
    """What follows the last title, before the completion ends."""
    opening: str
    """What ``format`` puts in front of a single title; ``heads[0] + lead``."""

    def core(self, written: str) -> str:
        """Return the part of a list of one title that depends on the title."""
        return written[len(self.opening) : len(written) - len(self.closing)]


def shape_of(
    parser: ListParser, titles: Sequence[Title], written: Sequence[str], num_ranks: int
) -> ListShape:
    """Find out how *parser* writes lists of up to *num_ranks* titles.

    Args:
        parser: Its ``format`` is asked to write lists of one and of many titles.
        titles: The titles that will be written, at least one.
        written: What it writes for each of them alone.
        num_ranks: The length of the longest list, K.

    Raises:
        ConfigError: How a title is written depends on the titles around it, so that a list cannot be
            put together from parts.
    """
    single = [*(parser.format([title]) for title in _UNLIKE), *written]
    opening = _common_start(single)
    closing = _common_start([text[::-1] for text in single])[::-1]
    sample = _spread(titles, num_ranks)
    gaps = _gaps(parser, sample, opening, closing)
    heads: tuple[str, ...] = (opening,)
    lead = tail = ""
    if gaps:
        tail = _common_start(gaps)
        fronts = [opening, *(gap[len(tail) :] for gap in gaps)]
        lead = _common_start([_white_end(front)[::-1] for front in fronts])[::-1]
        heads = tuple(front[: len(front) - len(lead)] for front in fronts)
        if not tail:
            raise ConfigError(
                "guided decoding needs a parser that writes the same characters between any two titles, such "
                f"as a line break; {type(parser).__name__}.format writes {parser.format(sample[:3])!r}"
            )
    shape = ListShape(heads, lead, tail, closing, opening)
    _check(parser, shape, sample[::-1])
    return shape


def write(shape: ListShape, cores: Sequence[str]) -> str:
    """Put a list together from the parts of its titles."""
    ends = [shape.tail] * (len(cores) - 1) + [shape.closing]
    return "".join(
        f"{head}{shape.lead}{core}{end}" for head, core, end in zip(shape.heads, cores, ends, strict=False)
    )


def _spread(titles: Sequence[Title], count: int) -> list[Title]:
    """Pick *count* titles from all over the catalog, repeated where there are too few."""
    step = max(1, len(titles) // count)
    picked = list(titles[::step])[:count]
    return (picked * count)[:count]


def _gaps(parser: ListParser, sample: Sequence[Title], opening: str, closing: str) -> list[str]:
    """Return what stands between the titles of a list, rank by rank."""
    text = parser.format(sample)
    cores = [
        written[len(opening) : len(written) - len(closing)]
        for written in (parser.format([title]) for title in sample)
    ]
    gaps, position = [], len(opening) + len(cores[0])
    for core in cores[1:]:
        start = text.find(core, position)
        if start < 0:
            raise _depends(parser, text)
        gaps.append(text[position:start])
        position = start + len(core)
    return gaps


def _check(parser: ListParser, shape: ListShape, sample: Sequence[Title]) -> None:
    """Refuse a parser that writes some list differently from the shape."""
    for count in {1, 2, len(sample)}:
        text = parser.format(sample[:count])
        if text != write(shape, [shape.core(parser.format([title])) for title in sample[:count]]):
            raise _depends(parser, text)


def _depends(parser: ListParser, text: str) -> ConfigError:
    return ConfigError(
        f"guided decoding is not possible with {type(parser).__name__}: how its format() writes a title "
        f"depends on the titles around it: {text[:120]!r}"
    )


def _white_end(text: str) -> str:
    return text[len(text.rstrip()) :]


def _common_start(texts: Sequence[str]) -> str:
    """Return the longest text that all *texts* begin with."""
    first, last = min(texts), max(texts)  # all others sort between these two
    length = next((n for n, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), None)
    return first[:length] if length is not None else min(first, last, key=len)
