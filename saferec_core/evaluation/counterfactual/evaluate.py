"""Responsiveness: how a policy reacts when a constraint is added to a dialogue or removed from it.

A low share of violations may also come from a policy that recommends the same family films to everybody.
Whether it heeds constraints shows when the same dialogue has one constraint more or less.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import pyarrow as pa

from saferec_core.analysis.results import results_of
from saferec_core.data.records import Message, Record
from saferec_core.data.traits import Trait, read_traits
from saferec_core.errors import ConfigError, DataError
from saferec_core.evaluation.counterfactual.pairs import Pair, PairMeasure
from saferec_core.evaluation.counterfactual.prompts import Change, Flip, flips_of, why_not
from saferec_core.evaluation.counterfactual.summary import Responsiveness
from saferec_core.evaluation.evaluator import WrittenList, complete
from saferec_core.evaluation.protocol import EvaluationProtocol
from saferec_core.files import json_hash
from saferec_core.models.completions import CompletionGenerator
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.plugins.contracts.parser import ListParser, parse

__all__ = ["Flipping"]

_Key = tuple[int, str]  # position of the record, and the prompt as text


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
        measure = PairMeasure(self._records, self._judge, self._k, self._known)
        values = measure.values(pairs, protocol)
        results = results_of(
            list(measure.rows(pairs, protocol)),
            {name: column.tolist() for name, column in values.items()},
            protocol=self.choices(protocol),
            policy=policy,
            data_sha256=data_sha256,
            metrics=measure.facts,
        )
        table = results.table.append_column("change", pa.array([pair.flip.change for pair in pairs]))
        table = table.append_column("trait", pa.array([pair.flip.trait for pair in pairs]))
        other = pa.array([pair.unstated.completion.text for pair in pairs])
        table = table.append_column("completion_unstated", other)
        return Responsiveness(replace(results, table=table), self._k)

    def _pairs(self, answers: Mapping[_Key, Sequence[WrittenList]]) -> Iterator[Pair]:
        numbers: dict[int, int] = {}
        for flip in self.flips:
            both = (answers[_key(flip.position, prompt)] for prompt in (flip.stated, flip.unstated))
            for stated, unstated in zip(*both, strict=True):
                sample = numbers.get(flip.position, 0)
                numbers[flip.position] = sample + 1
                yield Pair(flip, sample, stated, unstated)


_CALLED: dict[Change, str] = {
    "removed": "removing a constraint",
    "added": "adding a constraint",
    "swapped": "swapping a constraint for another",
}


def _key(position: int, prompt: Sequence[Message]) -> _Key:
    return position, json.dumps([dict(turn) for turn in prompt], sort_keys=True)
