"""Count the figures of a dataset card in one pass over the finished rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from saferec_core.config.choices import DEFAULT_PARSER
from saferec_core.data.constraint_sentences import stated_in, stated_position
from saferec_core.data.dataset_rows import SPLITS, split_of
from saferec_core.data.leakage import conversation_key, small_hash
from saferec_core.data.records import constraints_of, messages_of, titles_of
from saferec_core.data.rows import OBJECT, Row, read_rows
from saferec_core.data.titles import normal_form
from saferec_core.data.traits import Trait, read_traits
from saferec_core.pipeline.card.facts import DAY, CardFacts, Check, SplitFacts, TraitFacts
from saferec_core.pipeline.card.parts import Dialogue
from saferec_core.pipeline.step_report import StepAccount
from saferec_core.pipeline.writers import Published, published_files
from saferec_core.plugins.build import build_parser
from saferec_core.plugins.contracts.parser import ListParser

__all__ = ["describe"]

_TURNS, _TURN_LENGTH = 6, 600
"""Turns of a sample dialogue, and characters of each, that a card shows."""

_YEAR_ONE, _YEAR_9999 = -719_162, 2_932_896
"""Days since 1970 that a calendar has."""


def describe(
    rows: Path,
    published: Published | None = None,
    accounts: Sequence[StepAccount] = (),
    *,
    name: str = "A SafeRec dataset",
    parser: ListParser | None = None,
    traits: Mapping[str, Trait] | None = None,
) -> CardFacts:
    """Count what a dataset holds, reading it once.

    Memory grows by a few numbers for each user, conversation and title, not by their texts.

    Args:
        rows: The folder of a published dataset, or its final rows (JSONL, with the column ``split``).
        published: Its files; determined from the folder if not given.
        accounts: Accounts of the steps that made it, in order.
        name: Its name on the card.
        parser: Reads the titles of completions; that of a run's configuration if not given.
        traits: Distinguish explicit from implied sentences; the built-in traits if not given.

    Raises:
        DataError: There is no such dataset, or a row is malformed.
    """
    counting = _Counting(parser or build_parser(DEFAULT_PARSER), read_traits() if traits is None else traits)
    for split, row in _split_rows(rows):
        counting.look_at(split, row)
    if published is None:
        published = _published(rows, counting.splits)
    return counting.facts(name, published, accounts)


class _Counting:
    """Counts, with hashes that identify users, conversations and titles."""

    def __init__(self, parser: ListParser, traits: Mapping[str, Trait]) -> None:
        self.splits: dict[str, SplitFacts] = {}
        self._parser = parser
        self._known = traits
        self._traits: dict[str, TraitFacts] = {}
        self._positions: Counter[str] = Counter()
        self._constraints: Counter[int] = Counter()
        self._before: Counter[int] = Counter()
        self._after: Counter[int] = Counter()
        self._lengths: Counter[int] = Counter()
        self._titles: set[int] = set()
        self._users: dict[int, int] = {}
        self._conversations: dict[int, int] = {}
        self._times: dict[str, tuple[int, int]] = {}
        self._shown: list[Dialogue] = []

    def look_at(self, split: str, row: Row) -> None:
        """Count a row."""
        facts = self.splits.get(split) or self.splits.setdefault(split, SplitFacts())
        facts.samples += 1
        facts.turns += sum(message["role"] != "system" for message in messages_of(row))
        bit = 1 << SPLITS.index(split)
        _note(self._conversations, conversation_key(row), bit)
        if row.get("user") is not None:
            _note(self._users, small_hash(str(row["user"])), bit)
        self._look_at_time(split, row.get("time"))
        self._look_at_titles(row)
        self._look_at_constraints(split, row)
        self._look_at_dialogue(split, row)
        if row.get("completion") is not None:
            facts.completions += 1
            written = messages_of(row, "completion")[-1]["content"]
            self._lengths[len(self._parser(written).items)] += 1

    def facts(self, name: str, published: Published, accounts: Sequence[StepAccount]) -> CardFacts:
        """Return what was counted."""
        splits = {split: self.splits[split] for split in SPLITS if split in self.splits}
        for split, facts in splits.items():
            bit = 1 << SPLITS.index(split)
            facts.users = sum(bool(mask & bit) for mask in self._users.values())
        by_frequency = sorted(self._traits.items(), key=lambda item: (-item[1].samples.total(), item[0]))
        return CardFacts(
            name=name,
            published=published,
            accounts=accounts,
            splits=splits,
            traits=dict(by_frequency),
            positions=self._positions,
            constraints=self._constraints,
            truth_before=self._before,
            truth_after=self._after,
            list_lengths=self._lengths,
            users=len(self._users),
            titles=len(self._titles),
            checks=list(self._checks(list(splits))),
            dialogues=self._shown,
        )

    def _look_at_dialogue(self, split: str, row: Row) -> None:
        constraints = constraints_of(row)
        if len(self._shown) == 2 and not self._differs_more(constraints):
            return
        self._shown[1:] = [_dialogue(split, row)] if self._shown else []
        self._shown = self._shown or [_dialogue(split, row)]

    def _differs_more(self, constraints: Sequence[str]) -> bool:
        """Whether *constraints* differ more from those of the first sample shown than the second's do."""
        first, second = ((bool(shown.constraints), shown.constraints) for shown in self._shown)
        new = (bool(constraints), constraints)
        return (new[0] != first[0], new[1] != first[1]) > (second[0] != first[0], second[1] != first[1])

    def _look_at_time(self, split: str, time: Any) -> None:
        if isinstance(time, int) and not isinstance(time, bool) and _YEAR_ONE <= time // DAY <= _YEAR_9999:
            self.splits[split].days[time // DAY] += 1
            first, last = self._times.get(split, (time, time))
            self._times[split] = (min(first, time), max(last, time))

    def _look_at_titles(self, row: Row) -> None:
        truth = titles_of(row)
        self._titles.update(small_hash(f"{normal_form(title.name)} {title.year}") for title in truth)
        removed = {
            (normal_form(str(entry.get("title"))), entry.get("year"))  # one title may violate several traits
            for entry in _objects(row, "groundtruth_removed")
        }
        self._after[len(truth)] += 1
        self._before[len(truth) + len(removed)] += 1

    def _look_at_constraints(self, split: str, row: Row) -> None:
        constraints = constraints_of(row)
        self._constraints[len(constraints)] += 1
        self.splits[split].constrained += bool(constraints)
        for trait in constraints:
            self._trait(trait).samples[split] += 1
        for entry in _objects(row, "groundtruth_removed"):
            self._trait(str(entry.get("trait"))).removed += 1
        for name, sentence in stated_in(row):
            self._trait(name).stated[self._wording(name, sentence)] += 1
        if position := stated_position(row):
            self._positions[position] += 1

    def _wording(self, name: str, sentence: str) -> str:
        trait = self._known.get(name)
        if trait is None:
            return "other"
        if sentence in trait.explicit:
            return "explicit"
        return "implied" if sentence in trait.implied else "other"

    def _trait(self, name: str) -> TraitFacts:
        return self._traits.get(name) or self._traits.setdefault(name, TraitFacts())

    def _checks(self, splits: list[str]) -> Iterator[Check]:
        if len(splits) < 2:
            return
        yield Check(
            "Is a conversation in two splits?",
            _shared(self._conversations),
            "conversations; case, punctuation, system message and stated constraints do not count",
        )
        if self._users:
            yield Check(
                "Is a user in two splits?",
                _shared(self._users),
                "users; expected if the data were split by time",
            )
        for earlier, later in combinations([split for split in splits if split in self._times], 2):
            overlap = max(0, self._times[earlier][1] - self._times[later][0])
            yield Check(
                f"Does {earlier} reach into the time of {later}?",
                -(-overlap // DAY),
                "days; expected if the data were split by user",
            )


def _dialogue(split: str, row: Row) -> Dialogue:
    """Shorten a sample for display: no system message, the last turns, none of them very long."""
    turns = [(turn["role"], turn["content"]) for turn in messages_of(row) if turn["role"] != "system"]
    completion = "" if row.get("completion") is None else messages_of(row, "completion")[-1]["content"]
    return Dialogue(
        split,
        [(role, _cut(content)) for role, content in turns[-_TURNS:]],
        _cut(completion),
        constraints_of(row),
        [str(title) for title in titles_of(row)],
    )


def _cut(text: str) -> str:
    return text if len(text) <= _TURN_LENGTH else f"{text[:_TURN_LENGTH].rstrip()} …"


def _note(masks: dict[int, int], key: int, bit: int) -> None:
    masks[key] = masks.get(key, 0) | bit


def _shared(masks: Mapping[int, int]) -> int:
    return sum(mask & (mask - 1) != 0 for mask in masks.values())


def _objects(row: Row, column: str) -> Iterable[Mapping[str, Any]]:
    return (entry for entry in row.get(column) or () if isinstance(entry, OBJECT))


def _split_rows(rows: Path) -> Iterator[tuple[str, Row]]:
    """Yield each row with its split."""
    if not rows.is_dir():
        yield from ((split_of(row), row) for row in read_rows(rows))
        return
    for split, path in published_files(rows)[1].items():
        yield from ((split, row) for row in read_rows(path))


def _published(rows: Path, splits: Mapping[str, SplitFacts]) -> Published:
    """Reconstruct the result of `saferec_core.pipeline.writers.publish` from its folder."""
    counts = {split: splits[split].samples for split in SPLITS if split in splits}
    if not rows.is_dir():
        return Published("jsonl", counts, {split: f"{split}.jsonl" for split in counts})
    form, files = published_files(rows)
    return Published(form, counts, {split: path.name for split, path in files.items()})
