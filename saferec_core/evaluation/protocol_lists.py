"""Lists as a protocol looks at them: what is removed before ranking, and what counts as a hit.

Only relevance is affected. A violation that was listed was shown, whatever is removed before ranking, so
the safety figures are always those of the list as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from saferec_core.data.records import Record
from saferec_core.data.titles import normal_form
from saferec_core.evaluation.protocol import EvaluationProtocol
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.oracle import Question
from saferec_core.plugins.contracts.parser import ParsedItem, ParsedList
from saferec_core.plugins.sealing import sealed_property

__all__ = ["ProtocolLists"]


@dataclass(frozen=True)
class ProtocolLists(JudgedLists):
    """Judged lists whose ``hits`` are those of a protocol.

    By ``normal-form``, hits are those of :class:`~saferec_core.plugins.contracts.judged_lists.JudgedLists`
    on what is left once titles are removed. By ``exact`` they are those of Rank-GRPO's reference
    implementation: the very string, with the year within the tolerance; each relevant title makes the
    first such title of the list a hit. Seen titles are then known by name alone, catalog titles by name
    and year, and further titles on a line are not judged.
    """

    protocol: EvaluationProtocol

    @sealed_property
    def hits(self) -> Bool[Tensor, "N K"]:
        """Whether the title that has the rank once the ranks are closed is relevant."""
        if self._as_listed:
            return super().hits
        hits = torch.zeros(len(self.lists), self.num_ranks, dtype=torch.bool)
        for n, relevant in enumerate(self._relevant):
            ranked = relevant[: self.num_ranks]
            hits[n, : len(ranked)] = torch.tensor(ranked, dtype=torch.bool)
        return hits

    @sealed_property
    def ranked_lengths(self) -> Float[Tensor, " N"]:
        """How many titles of each list have a rank once the ranks are closed."""
        return torch.tensor([float(len(kept)) for kept in self._kept])

    def listed_hits(self, n: int) -> list[bool | None]:
        """Return for each title of list *n* whether it is a hit; None if it has none of the K ranks."""
        listed: list[bool | None] = [None] * len(self.lists[n].items)
        for position, hit in zip(self._kept[n][: self.num_ranks], self.hits[n].tolist(), strict=False):
            listed[position] = hit
        return listed

    def _further_questions(self) -> list[tuple[int, Question]]:
        """Ask about the first title of each line alone where lists are scored as reference code does."""
        return [] if self.protocol.title_matching == "exact" else super()._further_questions()

    @property
    def _as_listed(self) -> bool:
        """Whether nothing can be removed, and titles are matched as usual."""
        protocol = self.protocol
        removals = {protocol.seen, protocol.duplicates, protocol.out_of_catalog}
        return removals == {"miss"} and protocol.title_matching == "normal-form"

    @cached_property
    def _kept(self) -> list[list[int]]:
        """Places of the titles of each list that keep a rank."""
        if self._as_listed:
            return [list(range(len(parsed.items))) for parsed in self.lists]
        records = self.records
        if self.protocol.title_matching != "exact":
            records = [self._meant_records[at] for at in self._each_record[1]]
        repeated = iter(self._listed.repeated.tolist())
        return [
            list(self._left(parsed, record, list(islice(repeated, len(parsed.items)))))
            for parsed, record in zip(self.lists, records, strict=True)
        ]

    def _left(self, parsed: ParsedList, record: Record, repeats: Sequence[bool]) -> Iterator[int]:
        protocol = self.protocol
        for position, (item, repeats_earlier) in enumerate(zip(parsed.items, repeats, strict=True)):
            removed = (
                (protocol.duplicates == "removed" and repeats_earlier)
                or (protocol.out_of_catalog == "removed" and not self._in_catalog(item))
                or (protocol.seen == "removed" and self._is_seen(item, record))
            )
            if not removed:
                yield position

    def _in_catalog(self, item: ParsedItem) -> bool:
        if self.protocol.title_matching == "exact":
            catalog = self.judge.catalog
            same_form = catalog.named(normal_form(item.name))
            return any(catalog.titles[named.entry] == item.title for named in same_form)
        return item.readable and self.judge.catalog.find(item.name, item.year) is not None

    def _is_seen(self, item: ParsedItem, record: Record) -> bool:
        if self.protocol.title_matching == "exact":
            names = (title if isinstance(title, str) else title.name for title in record.seen_titles)
            return item.name in names
        name, year = self.judge.catalog.match(item.name, item.year).title
        return record.has_seen(name, year, self.protocol.year_tolerance)

    @cached_property
    def _relevant(self) -> list[list[bool]]:
        """Whether each title that keeps a rank is a hit."""
        left = [
            [parsed.items[position] for position in positions]
            for parsed, positions in zip(self.lists, self._kept, strict=True)
        ]
        if self.protocol.title_matching == "exact":
            return [self._exact_hits(items, record) for items, record in zip(left, self.records, strict=True)]
        closed = [ParsedList(tuple(items)) for items in left]
        hits = JudgedLists(closed, self.records, self.judge, self.num_ranks).hits.tolist()
        return [row[: len(items)] for row, items in zip(hits, left, strict=True)]

    def _exact_hits(self, items: Sequence[ParsedItem], record: Record) -> list[bool]:
        eligible = [self._in_catalog(item) and not self._is_seen(item, record) for item in items]
        hits = [False] * len(items)
        for name, year in record.groundtruth:
            for position, item in enumerate(items):
                if item.year is None or year is None or item.name != name:
                    continue
                if eligible[position] and abs(item.year - year) <= self.protocol.year_tolerance:
                    hits[position] = True
                    break
        return hits
