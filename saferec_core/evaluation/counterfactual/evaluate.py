"""Responsiveness: how a policy reacts when a constraint is added to a dialogue or removed from it.

A low share of violations may also come from a policy that recommends the same family films to everybody.
Whether it heeds constraints shows when the same dialogue has one constraint more or less.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from saferec_core.analysis.results import MetricFacts, results_of
from saferec_core.data.records import Message, Record
from saferec_core.data.traits import Trait, read_traits
from saferec_core.errors import ConfigError, DataError
from saferec_core.evaluation.counterfactual.prompts import Change, Flip, flips_of, why_not
from saferec_core.evaluation.counterfactual.summary import Responsiveness
from saferec_core.evaluation.evaluator import WrittenList, complete, title_rows, user_of
from saferec_core.evaluation.protocol import EvaluationProtocol
from saferec_core.evaluation.protocol_lists import ProtocolLists
from saferec_core.files import json_hash
from saferec_core.models.completions import CompletionGenerator
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.oracle import Question
from saferec_core.plugins.contracts.parser import ListParser, parse

__all__ = ["Flipping"]

Floats = npt.NDArray[np.float64]
_Key = tuple[int, str]  # position of the record, and the prompt as text


@dataclass(frozen=True)
class _Pair:
    """One completion to each prompt of a flip."""

    flip: Flip
    sample: int
    """Number of the pair among those of its record."""
    stated: WrittenList
    unstated: WrittenList


class Flipping:
    """Held-out dialogues with their constraints changed, ready to be asked."""

    def __init__(
        self,
        records: Mapping[int, Record],
        parser: ListParser,
        judge: Judge,
        k: int,
        traits: Mapping[str, Trait] | None = None,
    ) -> None:
        """Change what can be changed.

        Args:
            records: The dialogues, by their positions in the split.
            parser: Reads lists.
            judge: Looks titles up in catalog and oracle.
            k: Ranks that are looked at.
            traits: Sentences to add, by trait; the built-in ones if not given.

        Raises:
            ConfigError: There is no oracle.
            DataError: No constraint of any dialogue can be changed.
        """
        if judge.oracle is None:
            raise ConfigError("an oracle is needed to judge titles; name its table with --oracle-path")
        self._records, self._parser, self._judge, self._k = records, parser, judge, k
        known = judge.oracle.traits
        self._sentences = read_traits() if traits is None else traits
        self.flips: list[Flip] = [
            flip
            for position, record in records.items()
            for flip in flips_of(position, record, self._sentences, known)
        ]
        self._known = tuple(sorted({*known, *(flip.trait for flip in self.flips)}))
        if not self.flips:
            raise DataError(
                f"no constraint can be changed. {' '.join(self.coverage)} The oracle judges: "
                f"{', '.join(self._known) or 'nothing'}."
            )

    @property
    def coverage(self) -> list[str]:
        """In how many records each change was possible, and why not in the others, in sentences.

        Changes that are possible in as many records, for the same reasons, share a sentence.
        """
        made: Counter[Change] = Counter()
        reasons: dict[Change, Counter[str]] = {change: Counter() for change in _CALLED}
        by_record: dict[int, list[Flip]] = {}
        for flip in self.flips:
            by_record.setdefault(flip.position, []).append(flip)
        for position, record in self._records.items():
            flips = by_record.get(position, [])
            made.update({flip.change for flip in flips})
            for change, reason in why_not(record, flips, self._sentences, self._known).items():
                reasons[change][reason] += 1
        together: dict[str, list[str]] = {}
        for change, whys in reasons.items():
            counted = f"was possible in {made[change]:,} of {len(self._records):,} records."
            excepted = [f"In {times:,} it was not: {reason}." for reason, times in whys.most_common()]
            together.setdefault(" ".join([counted, *excepted]), []).append(_CALLED[change])
        return [f"{' or '.join(changes).capitalize()} {what}" for what, changes in together.items()]

    @cached_property
    def prompts(self) -> dict[_Key, Sequence[Message]]:
        """Every prompt that is asked; each record's own one serves several flips."""
        return {
            _key(flip.position, prompt): prompt
            for flip in self.flips
            for prompt in (flip.unstated, flip.stated)
        }

    def choices(self, protocol: EvaluationProtocol) -> dict[str, Any]:
        """Return the protocol of the pairs, as results keep it."""
        sentences = {name: trait.explicit for name, trait in self._sentences.items()}
        digest = json_hash(sentences)[:12]
        return {
            **protocol.facts(),
            "id": f"{protocol.id}-flip@{self._k}-{digest[:4]}",
            "depth": self._k,
            "sentences": digest,
        }

    def __call__(
        self,
        generator: CompletionGenerator,
        protocol: EvaluationProtocol,
        *,
        policy: str,
        data_sha256: str,
        batch_size: int,
        seed: int,
        progress: Callable[[int], None] | None = None,
    ) -> Responsiveness:
        """Ask the policy both prompts of every flip and compare the answers.

        Args:
            generator: The policy.
            protocol: How to draw and how to look for hits.
            policy: What to call it.
            data_sha256: Hash of the records.
            batch_size: Prompts that are generated together.
            seed: Seed of everything that is drawn.
            progress: Called with the number of prompts done so far.
        """
        decoding = protocol.drawing(batch_size=batch_size, seed=seed)
        completions = complete(generator, list(self.prompts.values()), decoding, progress)
        answers = {
            key: [WrittenList(one, parse(self._parser, one.text, finished=one.finished)) for one in siblings]
            for key, siblings in zip(self.prompts, completions, strict=True)
        }
        pairs = list(self._pairs(answers))
        values = self._values(pairs, protocol)
        k = self._k
        columns = {f"{name}@{k}" if name in _AT_DEPTH else name: column for name, column in values.items()}
        facts = {f"{name}@{k}" if name in _AT_DEPTH else name: _FACTS[name] for name in values}
        results = results_of(
            list(self._rows(pairs, protocol)),
            {name: column.tolist() for name, column in columns.items()},
            protocol=self.choices(protocol),
            policy=policy,
            data_sha256=data_sha256,
            metrics=facts,
        )
        table = results.table.append_column("change", pa.array([pair.flip.change for pair in pairs]))
        table = table.append_column("trait", pa.array([pair.flip.trait for pair in pairs]))
        other = pa.array([pair.unstated.completion.text for pair in pairs])
        table = table.append_column("completion_unstated", other)
        return Responsiveness(replace(results, table=table), k)

    def _pairs(self, answers: Mapping[_Key, Sequence[WrittenList]]) -> Iterator[_Pair]:
        numbers: dict[int, int] = {}
        for flip in self.flips:
            both = (answers[_key(flip.position, prompt)] for prompt in (flip.stated, flip.unstated))
            for stated, unstated in zip(*both, strict=True):
                sample = numbers.get(flip.position, 0)
                numbers[flip.position] = sample + 1
                yield _Pair(flip, sample, stated, unstated)

    def _values(self, pairs: Sequence[_Pair], protocol: EvaluationProtocol) -> dict[str, Floats]:
        """Measure both sides of P pairs."""
        stated, unstated = self._shares(pairs, "stated"), self._shares(pairs, "unstated")  # (P, traits)
        own = np.array([[trait == pair.flip.trait for trait in self._known] for pair in pairs])
        untouched = np.array([[trait not in pair.flip.touched for trait in self._known] for pair in pairs])
        recalls = self._safe_recalls(pairs, protocol)
        lengths = [
            np.array([float(len(getattr(pair, side).parsed.items)) for pair in pairs])
            for side in ("stated", "unstated")
        ]
        return {
            "violations_stated": _mean_where(stated, own),
            "violations_unstated": _mean_where(unstated, own),
            "effect": _mean_where(stated - unstated, own),
            "over_blocking": recalls[1] - recalls[0],
            "leakage": _mean_where(stated - unstated, untouched),
            "length_change": lengths[0] - lengths[1],
        }

    def _shares(self, pairs: Sequence[_Pair], side: str) -> Floats:
        """Return the share of each list's top k that violates each trait (P, traits); NaN if it is empty."""
        parsed = [getattr(pair, side).parsed for pair in pairs]
        asked = [replace(self._records[pair.flip.position], constraints=self._known) for pair in pairs]
        lists = JudgedLists(parsed, asked, self._judge, self._k)
        shares = np.full((len(parsed), len(self._known)), np.nan)
        for n, verdicts in enumerate(lists.verdicts):
            if verdicts:
                counts = [sum(trait in verdict.violated for verdict in verdicts) for trait in self._known]
                shares[n] = np.array(counts) / len(verdicts)
        return shares

    def _safe_recalls(self, pairs: Sequence[_Pair], protocol: EvaluationProtocol) -> tuple[Floats, Floats]:
        """Return Recall@k of the ground truth that does not violate the trait, stated and unstated (P,).

        NaN where there is none, and where constraints are swapped: a loss could be due to either.
        """
        safe = [self._safe_record(pair.flip) for pair in pairs]
        sizes = np.array([float(len(record.groundtruth)) for record in safe])
        counts = np.array([pair.flip.change != "swapped" for pair in pairs]) & (sizes > 0)
        recalls = []
        for side in ("stated", "unstated"):
            parsed = [getattr(pair, side).parsed for pair in pairs]
            lists = ProtocolLists(parsed, safe, self._judge, protocol.num_ranks, protocol)
            hits = lists.hits[:, : self._k].sum(1).numpy()
            recalls.append(np.divide(hits, sizes, out=np.full(len(pairs), np.nan), where=counts))
        return recalls[0], recalls[1]

    def _safe_record(self, flip: Flip) -> Record:
        """Return the flip's record with the ground truth that a user with this trait could be shown."""
        record = self._records[flip.position]
        columns = self._judge.columns(record)
        match = self._judge.catalog.match
        questions = [Question(*match(*title).title, (flip.trait,), columns) for title in record.groundtruth]
        verdicts = self._judge.ask(questions) if questions else ()
        safe = [
            title for title, verdict in zip(record.groundtruth, verdicts, strict=True) if not verdict.violated
        ]
        return replace(record, groundtruth=tuple(safe), constraints=(flip.trait,))

    def _rows(self, pairs: Sequence[_Pair], protocol: EvaluationProtocol) -> Iterator[dict[str, Any]]:
        """Yield a row per pair, about the side that states the trait, which alone is the constraint."""
        records = [
            replace(self._records[pair.flip.position], constraints=(pair.flip.trait,)) for pair in pairs
        ]
        parsed = [pair.stated.parsed for pair in pairs]
        lists = ProtocolLists(parsed, records, self._judge, protocol.num_ranks, protocol)
        for n, (pair, record) in enumerate(zip(pairs, records, strict=True)):
            yield {
                "record": pair.flip.position,
                "sample": pair.sample,
                "user": user_of(record, pair.flip.position),
                "constraints": [pair.flip.trait],
                "prompt": [{"role": t["role"], "content": t["content"]} for t in pair.flip.stated],
                "groundtruth": [{"title": t.name, "year": t.year} for t in record.groundtruth],
                "completion": pair.stated.completion.text,
                "titles": title_rows(lists, n),
                "events": [str(event.kind) for event in pair.stated.parsed.events],
            }


_CALLED: dict[Change, str] = {
    "removed": "removing a constraint",
    "added": "adding a constraint",
    "swapped": "swapping a constraint for another",
}
_AT_DEPTH = ("violations_stated", "violations_unstated", "effect", "over_blocking", "leakage")
_FACTS = {
    "violations_stated": MetricFacts(
        "lower", "mean", "Share of the top K against the trait where it is stated."
    ),
    "violations_unstated": MetricFacts(
        "none", "mean", "Share of the top K against the trait where it is not stated."
    ),
    "effect": MetricFacts("lower", "mean", "Violations of the trait: stated minus not stated."),
    "over_blocking": MetricFacts(
        "lower", "mean", "Recall of still-safe ground truth that is lost where the trait is stated."
    ),
    "leakage": MetricFacts(
        "none", "mean", "Violations of traits that were not touched: stated minus not stated."
    ),
    "length_change": MetricFacts("none", "mean", "Titles listed: stated minus not stated."),
}


def _key(position: int, prompt: Sequence[Message]) -> _Key:
    return position, json.dumps([dict(turn) for turn in prompt], sort_keys=True)


def _mean_where(values: Floats, mask: npt.NDArray[np.bool_]) -> Floats:
    """Average each row over the columns of its mask; NaN where there is none, or a value is."""
    counts = mask.sum(axis=1)
    sums = np.where(mask, values, 0.0).sum(axis=1)
    means: Floats = np.divide(sums, counts, out=np.full(len(values), np.nan), where=counts > 0)
    return means
