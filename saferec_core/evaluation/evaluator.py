"""Evaluate a policy on held-out prompts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from saferec_core.analysis.estimates import Estimate, Interval, estimate_means
from saferec_core.analysis.metrics import WholeFigure
from saferec_core.analysis.results import Results, results_of
from saferec_core.data.records import Message, Record
from saferec_core.evaluation.measure import ActiveMetric, facts_of, measure, measure_whole
from saferec_core.evaluation.protocol import EvaluationProtocol
from saferec_core.evaluation.protocol_lists import ProtocolLists
from saferec_core.models.completions import Completion, CompletionGenerator, Decoding
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.plugins.contracts.parser import EventKind, ListParser, ParsedList, parse

if TYPE_CHECKING:  # imports transformers
    from saferec_core.models.guided.guiding import Guiding

__all__ = [
    "Evaluation",
    "Evaluator",
    "WrittenList",
    "complete",
    "records_hash",
    "title_rows",
    "user_of",
]


class WrittenList(NamedTuple):
    """A list as it was written and as it was read."""

    completion: Completion
    parsed: ParsedList


@dataclass(frozen=True)
class Evaluation:
    """What one policy did on the held-out prompts."""

    results: Results
    """Every sample; what is kept and compared."""
    whole: Mapping[str, WholeFigure] = field(default_factory=dict)
    """Metrics of all lists together."""
    by_subtitle: int = 0
    """How many titles of all lists were matched by their subtitles alone."""

    @property
    def protocol(self) -> str:
        """Id of all choices that move a number; figures of different protocols do not compare."""
        return str(self.results.protocol["id"])

    def summary(self) -> dict[str, Interval | None]:
        """Return each metric's mean with its 95% interval over users; None where it has no value."""
        results = self.results
        estimates = estimate_means(
            np.stack([results.values(name) for name in results.metrics], axis=1),
            results.users,
            generator=np.random.default_rng(0),
            shares=[facts.kind == "share" for facts in results.metrics.values()],
        )
        return {name: _interval(mean) for name, mean in zip(results.metrics, estimates, strict=True)}

    @property
    def unreadable(self) -> tuple[int, int]:
        """How many ranks of all lists are unreadable, and how many were written."""
        table = self.results.table
        events = sum(row.count(EventKind.UNREADABLE) for row in table.column("events").to_pylist())
        return events, sum(len(row) for row in table.column("titles").to_pylist())

    @property
    def outside(self) -> tuple[int, int]:
        """How many titles in the top K of all lists are not in the catalog, and how many there are."""
        rows = self.results.table.column("titles").to_pylist()
        inside = [title["in_catalog"] for row in rows for title in row if title["in_catalog"] is not None]
        return inside.count(False), len(inside)


@dataclass(frozen=True)
class Evaluator:
    """The held-out prompts and how completions to them are judged."""

    records: Mapping[int, Record]
    """By their positions in the split."""
    parser: ListParser
    judge: Judge
    metrics: Sequence[ActiveMetric]
    at: Sequence[int]
    """The k of metrics with a depth, each in 1..K."""

    def __call__(
        self,
        generator: CompletionGenerator,
        protocol: EvaluationProtocol,
        *,
        policy: str,
        batch_size: int,
        seed: int,
        guiding: Callable[[Sequence[Record]], Guiding] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Evaluation:
        """Generate, parse once, judge and measure.

        Args:
            generator: The policy.
            protocol: How to draw and how to score.
            policy: What to call it.
            batch_size: Prompts that are generated together.
            seed: Seed of everything that is drawn.
            guiding: Restricts the lists of some records; needed where the protocol is guided.
            progress: Called with the number of records done so far.
        """
        prompts = [record.prompt for record in self.records.values()]
        decoding = protocol.drawing(batch_size=batch_size, seed=seed)
        guided = None
        if protocol.guided:
            assert guiding is not None, "a guided protocol"
            guided = guiding(list(self.records.values()))
        completions = complete(generator, prompts, decoding, progress, guided)
        answers = [
            [WrittenList(one, parse(self.parser, one.text, finished=one.finished)) for one in siblings]
            for siblings in completions
        ]
        return self.score(answers, protocol, policy=policy)

    def score(
        self, answers: Sequence[Sequence[WrittenList]], protocol: EvaluationProtocol, *, policy: str
    ) -> Evaluation:
        """Judge and measure lists, whoever made them.

        Args:
            answers: The lists of each record, in the order of the records.
            protocol: How they were made and how to score them.
            policy: What to call their maker.
        """
        rows, parsed, records = [], [], []
        for (position, record), siblings in zip(self.records.items(), answers, strict=True):
            for sample, answer in enumerate(siblings):
                rows.append(_row(position, sample, record, answer))
                parsed.append(answer.parsed)
                records.append(record)
        lists = ProtocolLists(parsed, records, self.judge, protocol.num_ranks, protocol)
        measured = measure(lists, self.at, self.metrics)
        results = results_of(
            [{**row, "titles": title_rows(lists, n)} for n, row in enumerate(rows)],
            {name: values.tolist() for name, values in measured.items()},
            protocol=protocol.facts(),
            policy=policy,
            data_sha256=records_hash(self.records.values()),
            metrics=facts_of(measured, self.metrics),
        )
        whole = measure_whole(lists, self.at, self.metrics)
        facts = facts_of(whole, self.metrics)
        match = self.judge.catalog.match
        by_subtitle = sum(match(*item.title).by_subtitle for each in parsed for item in each.items)
        return Evaluation(
            results, {name: WholeFigure(value, facts[name]) for name, value in whole.items()}, by_subtitle
        )


def complete(
    generator: CompletionGenerator,
    prompts: Sequence[Sequence[Message]],
    decoding: Decoding,
    progress: Callable[[int], None] | None = None,
    guiding: Guiding | None = None,
) -> list[list[Completion]]:
    """Complete every prompt; one that occurs several times is generated once if decoding is greedy.

    Guided, it is generated once for all users who may be shown the same titles.

    Sampled, each occurrence draws completions of its own: rows that shared them would look like
    independent samples without being any.

    Args:
        generator: The policy.
        prompts: Conversations, some of them perhaps alike.
        decoding: How to draw.
        progress: Called with the number of prompts done so far, repetitions included.
        guiding: What guides the list of each prompt; None: nothing does.
    """
    written = [json.dumps([dict(message) for message in prompt], sort_keys=True) for prompt in prompts]
    if guiding is not None:
        written = [f"{text} {key}" for text, key in zip(written, guiding.keys(), strict=True)]
    if decoding.kind == "sampled":
        positions = list(range(len(prompts)))
    else:
        first = {text: position for position, text in reversed(list(enumerate(written)))}
        positions = sorted(first.values())

    def scaled(done: int) -> None:
        if progress is not None:
            progress(done * len(prompts) // len(positions))

    guided = {} if guiding is None else {"guiding": guiding.of(positions)}
    completions = generator(
        [prompts[position] for position in positions], decoding, progress=scaled, **guided
    )
    if decoding.kind == "sampled":
        return completions
    by_text = {written[position]: siblings for position, siblings in zip(positions, completions, strict=True)}
    return [by_text[text] for text in written]


def user_of(record: Record, position: int) -> str:
    """Name the record's user; without a column ``user`` every record has a user of its own."""
    user = record.columns.get("user")
    return f"record {position}" if user is None else str(user)


def records_hash(records: Iterable[Record]) -> str:
    """Return the SHA-256 of the prompts in *records* and of what their lists are judged by."""
    digest = hashlib.sha256()
    for record in records:
        content = [
            [dict(message) for message in record.prompt],
            [list(title) for title in record.groundtruth],
            [title if isinstance(title, str) else list(title) for title in record.seen_titles],
            list(record.constraints),
            str(record.columns.get("user")),
        ]
        digest.update(json.dumps(content, sort_keys=True, ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()


def title_rows(lists: ProtocolLists, n: int) -> list[dict[str, Any]]:
    """Describe the titles of list *n*; what lies beyond K is not judged."""
    judged = lists.judge.oracle is not None
    in_catalog, repeated, seen = (mask[n].tolist() for mask in (lists.in_catalog, lists.repeated, lists.seen))
    rows = []
    for k, (item, hit) in enumerate(zip(lists.lists[n].items, lists.listed_hits(n), strict=True)):
        verdict = lists.verdicts[n][k] if judged and k < lists.num_ranks else None
        rows.append(
            {
                "title": item.name,
                "year": item.year,
                "hit": hit,
                "in_catalog": in_catalog[k] if k < lists.num_ranks else None,
                "repeated": repeated[k] if k < lists.num_ranks else None,
                "seen": seen[k] if k < lists.num_ranks else None,
                "known": None if verdict is None else verdict.known,
                "violated": None if verdict is None else list(verdict.violated),
            }
        )
    return rows


def _row(position: int, sample: int, record: Record, answer: WrittenList) -> dict[str, Any]:
    return {
        "record": position,
        "sample": sample,
        "user": user_of(record, position),
        "constraints": list(record.constraints),
        "prompt": [{"role": turn["role"], "content": turn["content"]} for turn in record.prompt],
        "groundtruth": [{"title": title.name, "year": title.year} for title in record.groundtruth],
        "completion": answer.completion.text,
        "events": [str(event.kind) for event in answer.parsed.events],
    }


def _interval(estimate: Estimate) -> Interval | None:
    return (estimate.mean, estimate.low, estimate.high) if estimate.rows else None
