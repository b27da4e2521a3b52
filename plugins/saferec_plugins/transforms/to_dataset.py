"""Records for saferec, in splits without leakage."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import Field

from saferec_core.config.domain import FILMS
from saferec_core.data.constraint_sentences import STATED
from saferec_core.data.dataset_rows import COLUMNS, SPLITS, plain_record
from saferec_core.data.json_lines import as_line
from saferec_core.data.leakage import conversation_key
from saferec_core.data.records import Record, seen_titles_of
from saferec_core.data.rows import Row
from saferec_core.errors import DataError
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.transform import Counted, Outcome, Removed, Surveying, Transform
from saferec_plugins.transforms.importers.raw_values import name_of
from saferec_plugins.transforms.importers.samples import ending_with_the_user
from saferec_plugins.transforms.leak_survey import By, LeakSurvey, kept_apart_by, split_index
from saferec_plugins.transforms.split import Split

__all__ = ["SYSTEM", "ToDataset"]

SYSTEM = (
    "You recommend {items}. Recommend exactly {count} that fit the conversation, that the user has "
    "not {consumed} and that hold nothing the user wants to avoid. Write one a line, the best first, each "
    "as: {entry}"
)
"""The default instruction."""

_TRUTH = "groundtruth_with_release_year"
_ALWAYS = ("prompt", _TRUTH, "seen_titles", "constraints")
_IF_THERE = ("id", "user", "time", "completion", STATED, "groundtruth_removed")

_FIRST_YEAR, _LAST_YEAR = 1800, 2099
"""Years that a list can name, so that a title can be hit."""

_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799
"""Moments that a calendar has: the years 1 to 9999."""


@component
class ToDataset(Surveying):
    """Makes records of samples: with an instruction, the columns that saferec reads, and a split.

    Rows that have a ``split`` keep it; the others are assigned as by the transform ``split``, with the same
    options. All rows are surveyed first, and leakage is prevented:

    - ``by: user`` promises that no user is in two splits, ``by: sample`` that no dialogue is (the
      ``id`` up to a ``#``), ``by: time`` that no split begins before an earlier
      one has ended. If the rows' own splits break the promise, that is an error.
    - Ground truth that the user has seen is removed; a row without any other is rejected.
    - A conversation whose very words (case, punctuation, system message and stated constraints apart)
      are also in an earlier split is removed. Training keeps its copy, and validation before the test,
      so evaluation never sees a prompt that was trained on.
    """

    columns: ClassVar[tuple[str, ...]] = ("prompt", "groundtruth_with_release_year")

    system: str | None = SYSTEM
    """Instruction that becomes the system message; ``{count}`` is filled with *list_length*, ``{items}``,
    ``{entry}`` and ``{consumed}`` with these options. A prompt that has a system message keeps its own. None
    for no instruction."""
    items: str = FILMS.items
    """What is recommended, in the plural."""
    entry: str = FILMS.entry
    """How a line of the list is described."""
    consumed: str = FILMS.consumed
    """What the user has done with titles that must not come back, such as seen or played."""
    list_length: int = Field(default=10, ge=1)
    """Number of titles that the policy is asked for."""
    by: By = "user"
    """What splits keep apart: users, times, or the dialogues that samples are cut from."""
    train: float = Field(default=0.8, ge=0, le=1)
    """Share of the samples to train on; the three shares sum to 1."""
    validation: float = Field(default=0.1, ge=0, le=1)
    """Share of the samples to choose by."""
    test: float = Field(default=0.1, ge=0, le=1)
    """Share of the samples to report on."""
    seed: int = Field(default=0, ge=0)
    """Random seed; without effect for a split by time."""
    year_tolerance: int = Field(default=2, ge=0)
    """Maximum difference in release year, in years, when matching seen titles."""
    keep: list[str] = Field(default_factory=list)
    """Further columns of the samples to keep in the records."""

    def __post_init__(self) -> None:
        """Refuse shares that do not sum to 1."""
        self._split()

    def survey(self, rows: Iterable[Row]) -> Transform:
        """Assign the rows to splits, and look for leakage.

        Raises:
            DataError: The splits that the rows came with break the promise of *by*.
        """
        survey = LeakSurvey(self.by)
        split = self._split()
        reading = survey.reading(self._sound(rows), split)
        dealer = split.survey(reading)
        deque(reading, maxlen=0)  # unless it deals by time, the split has read none of them
        return RecordMaker(self, dealer, survey.first_splits(dealer))

    def record(self, row: Row) -> Row:
        """Make a record of a sample, still without a split.

        Raises:
            DataError: ``saferec train`` could not read it.
        """
        wanted = [column for column in (*_ALWAYS, *_IF_THERE, *self.keep) if row.get(column) is not None]
        record = {"seen_titles": [], "constraints": [], **plain_record({name: row[name] for name in wanted})}
        record[_TRUTH] = self._unseen(record)
        prompt = list(ending_with_the_user(record["prompt"]))
        if any(message["role"] == "system" for message in prompt[1:]):
            raise DataError("prompt: a system message can only be the first one")
        if self.system is not None and prompt[0]["role"] != "system":
            instruction = self.system.replace("{count}", str(self.list_length))
            for word in ("items", "entry", "consumed"):
                instruction = instruction.replace(f"{{{word}}}", getattr(self, word))
            prompt.insert(0, {"role": "system", "content": instruction})
        return _checked({**record, "prompt": prompt})

    def _unseen(self, record: Row) -> list[Any]:
        """Return the ground truth that the user has not seen.

        Raises:
            DataError: There is some, but all of it was seen.
        """
        user = Record(prompt=(), seen_titles=tuple(seen_titles_of(record)))
        truth = record[_TRUTH]
        unseen = [[name, year] for name, year in truth if not user.has_seen(name, year, self.year_tolerance)]
        if truth and not unseen:
            raise DataError(f"{_TRUTH}: expected a title that is not in seen_titles, but all are: {truth}")
        return unseen

    def _split(self) -> Split:
        return Split(by=self.by, train=self.train, validation=self.validation, test=self.test, seed=self.seed)

    def _sound(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Leave out the rows that will be rejected: what is not in the dataset cannot leak."""
        for row in rows:
            try:
                self.record(row)
            except DataError:
                continue
            yield row


@dataclass(frozen=True)
class RecordMaker(Transform):
    """What :class:`ToDataset` becomes once it has seen all rows."""

    options: ToDataset
    dealer: Transform
    """Assigns splits to the rows that have none."""
    first_splits: Mapping[int, int]
    """The first split of each conversation that is in several, both as numbers."""
    columns: ClassVar[tuple[str, ...]] = ToDataset.columns

    def __call__(self, rows: Iterable[Row]) -> Iterator[Outcome]:
        """Make records, and remove those that an earlier split has in the same words."""
        for row in rows:
            record = self.options.record(row)
            kept_apart_by(row, self.options.by)  # it was not surveyed if it does not tell
            split = split_index(row, self.dealer)
            first = split
            if split and self.first_splits:  # nothing is earlier than the first split
                first = self.first_splits.get(conversation_key(row), split)
            if first < split:
                yield Removed(row, f"same conversation in {SPLITS[first]}", {"split": SPLITS[split]})
                continue
            seen = len(row[_TRUTH]) - len(record[_TRUTH])
            if seen:
                yield Counted("ground truth removed: seen", seen)
            record["split"] = SPLITS[split]
            first_columns = [column for column in COLUMNS if column in record]
            yield {column: record[column] for column in (*first_columns, *record)}  # each in its first place


def _checked(record: Row) -> Row:
    """Return a record that `saferec train` reads, and that every file format can hold."""
    truth = record["groundtruth_with_release_year"]
    if not truth:
        raise DataError("groundtruth_with_release_year: expected at least one title, but it is empty")
    for name, year in truth:
        if year is not None and not _FIRST_YEAR <= year <= _LAST_YEAR:
            raise DataError(
                f"groundtruth_with_release_year: the year of {name!r} is {year}, but a list can name years "
                f"from {_FIRST_YEAR} to {_LAST_YEAR} only; leave the year of such a work empty, here and in "
                "the catalog, and have the parser complete years (year: complete)"
            )
    last = record.get("completion", [None])[-1]
    if last and (last["role"] != "assistant" or not last["content"].strip()):
        raise DataError(f"completion: expected words of the assistant, but got {last!r}")
    for column in {"id", "user"} & record.keys():
        record[column] = name_of(record, column)
    time = record.get("time")
    if time is not None and (type(time) is not int or not _FIRST_SECOND <= time <= _LAST_SECOND):
        raise DataError(f"time: expected whole seconds since 1970, but got {time!r}")
    try:
        as_line(record)
    except (TypeError, ValueError) as error:
        raise DataError(f"the record cannot be written: {error}") from error
    return record
