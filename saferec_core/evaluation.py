"""Evaluate a policy on held-out prompts, and compare two."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from saferec_core.alignment import TokenAligner
from saferec_core.generation import Decoding, generate
from saferec_core.judging import Judge, JudgedLists
from saferec_core.lists import ListParser
from saferec_core.metrics import Interval, difference, mean_with_interval, measure
from saferec_core.models import Policy
from saferec_core.observer import Comparison
from saferec_core.records import Record

__all__ = ["Evaluation", "Evaluator", "compare", "protocol_id"]


@dataclass(frozen=True)
class Evaluation:
    """What one policy did on the held-out prompts, sample by sample."""

    protocol: str
    """Names every choice that moves a number; figures of different protocols do not compare."""
    samples: Mapping[str, Sequence[float]]
    """Each metric's value for every completion, NaN where there is none."""
    rows: Sequence[Mapping[str, Any]]
    """Prompt, completion, list and metrics of every completion, for the run folder."""

    def summary(self) -> dict[str, Interval | None]:
        """Return each metric's mean with its 95 % interval."""
        return {name: mean_with_interval(values) for name, values in self.samples.items()}

    def mean(self, metric: str) -> float:
        """Return one metric's mean; NaN where no sample has a value."""
        interval = mean_with_interval(self.samples[metric])
        return float("nan") if interval is None else interval[0]


@dataclass(frozen=True)
class Evaluator:
    """The held-out prompts and how completions to them are judged."""

    records: Sequence[Record]
    parser: ListParser
    judge: Judge
    num_ranks: int
    at: Sequence[int]

    def __call__(
        self, policy: Policy, decoding: Decoding, *, progress: Callable[[int], None] | None = None
    ) -> Evaluation:
        """Generate, parse once, judge and measure."""
        prompts = [record.prompt for record in self.records]
        completions = generate(policy, prompts, decoding, progress=progress)
        aligner = TokenAligner(policy.tokenizer)
        ends = policy.end_ids
        texts, lists, records = [], [], []
        for record, siblings in zip(self.records, completions, strict=True):
            for ids in siblings:
                text, _ = aligner.decode(ids)
                texts.append(text)
                lists.append(self.parser(text, finished=bool(ids) and ids[-1] in ends))
                records.append(record)
        judged = JudgedLists(lists=lists, records=records, judge=self.judge, num_ranks=self.num_ranks)
        samples = {name: values.tolist() for name, values in measure(judged, self.at).items()}
        rows = [
            {
                "prompt": list(record.prompt),
                "constraints": record.constraints,
                "completion": text,
                "titles": [[item.name, item.year] for item in parsed.items],
                "events": [event.kind for event in parsed.events],
                **{name: values[n] for name, values in samples.items()},
            }
            for n, (record, text, parsed) in enumerate(zip(records, texts, lists, strict=True))
        ]
        return Evaluation(protocol_id(self, decoding), samples, rows)


def protocol_id(evaluator: Evaluator, decoding: Decoding) -> str:
    """Name every choice that moves a number, in a short line."""
    drawn = (
        f"t{decoding.temperature:g}-p{decoding.top_p:g}-n{decoding.samples}-seed{decoding.seed}"
        if decoding.kind == "sampled"
        else "greedy"
    )
    years = evaluator.judge.catalog.year_tolerance
    return (
        f"saferec:seen=miss,dup=miss,ooc=miss,years={years},K={evaluator.num_ranks},"
        f"prompts={len(evaluator.records)},{drawn},max={decoding.max_completion_length}"
    )


def compare(before: Evaluation, after: Evaluation) -> list[Comparison]:
    """Compare two policies metric by metric, paired over the samples.

    The two evaluations must follow the same protocol.
    """
    assert before.protocol == after.protocol, (before.protocol, after.protocol)
    return [
        Comparison(
            metric=name,
            before=mean_with_interval(before.samples[name]),
            after=mean_with_interval(after.samples[name]),
            difference=difference(before.samples[name], after.samples[name]),
        )
        for name in after.samples
    ]
