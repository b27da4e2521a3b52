"""Answers to yes/no questions about titles, as people give them on DoesTheDogDie."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import Field, TypeAdapter, ValidationError

from saferec_core.config.yaml_text import read_yaml
from saferec_core.data.rows import Row
from saferec_core.data.traits import Trait
from saferec_core.errors import ConfigError, DataError, UnknownNameError
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.evidence import EvidenceSource, Finding, Findings
from saferec_plugins.evidence.title_columns import id_of, title_of

__all__ = ["Warnings"]

_YES, _NO = {"yes", "y", "true", "1"}, {"no", "n", "false", "0"}
_SHOWN = 3
"""How many answers a detail spells out."""


_TIE = "votes for yes and no are tied, which counts as yes"


class _Answer(NamedTuple):
    yes: bool
    text: str
    is_tie: bool = False


@component
class Warnings(EvidenceSource):
    """A question answered yes is a warning: a risk of 1 for its traits.

    If all answered questions of a trait were answered no, the risk is 0. If none was answered, there is no
    finding on the trait.

    Rows come in three forms: a column per question (yes or no, empty if it was not answered); a row
    per title and question with the votes for yes and no; or an ``answers`` object that gives for each
    question yes, no or ``[votes for yes, votes for no]``. Questions that belong to no trait are ignored.
    """

    path: Path
    """The answers (JSONL, CSV, TSV or Parquet)."""
    questions_path: Path | None = None
    """YAML or JSON that maps traits to lists of this source's questions; else those of the traits."""
    min_votes: int = Field(default=1, ge=1)
    """With fewer votes a question counts as not answered."""
    min_share: float = Field(default=0.5, gt=0, le=1)
    """Share of the votes that makes the answer yes."""
    title_column: str = "title"
    """Column of the title."""
    year_column: str = "year"
    """Column of the year; without one, the title must read "Title (Year)"."""
    id_column: str | None = None
    """Column with an id, such as IMDb's, that distinguishes films of one name and year."""
    question_column: str = "question"
    """Column of the question, in rows of one question each."""
    yes_column: str = "yes"
    """Column of the votes for yes, in such rows."""
    no_column: str = "no"
    """Column of the votes for no, in such rows."""
    answers_column: str = "answers"
    """Column of the object with all answers, in rows that have one."""

    def __call__(self, rows: Iterable[Row], traits: Mapping[str, Trait]) -> Iterator[Findings]:
        """Yield the findings of each row's answers."""
        questions = self._questions(traits)
        for row in rows:
            title = title_of(row, self.title_column, self.year_column)
            answers = self._answers(row, questions)
            possible = (_finding(trait, asked, answers) for trait, asked in questions.items())
            yield Findings(
                title,
                tuple(finding for finding in possible if finding is not None),
                id_of(row, self.id_column),
                is_part=row.get(self.question_column) is not None,
                notes=(_TIE,) if any(answer.is_tie for answer in answers.values()) else (),
            )

    def _questions(self, traits: Mapping[str, Trait]) -> dict[str, list[str]]:
        """Return the questions of each trait, in the form that all spellings share."""
        own = self._own_questions
        for trait in own or ():
            if trait not in traits:
                raise UnknownNameError("trait", trait, traits, hint=f"It stands in {self.questions_path}.")
        questions = {trait: traits[trait].questions for trait in traits} if own is None else own
        return {trait: [_form(question) for question in asked] for trait, asked in questions.items()}

    @cached_property
    def _own_questions(self) -> dict[str, list[str]] | None:
        if self.questions_path is None:
            return None
        try:
            table = read_yaml(self.questions_path.read_text(encoding="utf-8"))
            return TypeAdapter(dict[str, list[str]]).validate_python(table)
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ConfigError(f"questions {self.questions_path} cannot be read: {error}") from error
        except ValidationError as error:
            problem = error.errors()[0]
            raise ConfigError(
                f"questions {self.questions_path}: expected {{trait: [question, ...]}}; "
                f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
            ) from error

    def _answers(self, row: Row, questions: Mapping[str, Sequence[str]]) -> dict[str, _Answer]:
        """Return the row's answers to the *questions*, without those that have none."""
        if row.get(self.question_column) is not None:
            votes = [row.get(self.yes_column), row.get(self.no_column)]
            given: Mapping[str, Any] = {str(row[self.question_column]): votes}
        elif row.get(self.answers_column) is not None:
            given = _object(row[self.answers_column], self.answers_column)
        else:
            given = row
        asked = {form for forms in questions.values() for form in forms}
        answers: dict[str, _Answer] = {}
        for question, value in given.items():
            form = _form(question)
            if form in asked and (answer := self._answer(question, value)) is not None:
                earlier = answers.get(form)  # the same question in another spelling
                answers[form] = earlier if earlier is not None and earlier.yes else answer
        return answers

    def _answer(self, question: str, value: Any) -> _Answer | None:
        """Read an answer, or None for a question that nobody, or hardly anybody, answered."""
        shown = question.strip().rstrip("?").rstrip()
        if isinstance(value, list | tuple):
            yes, no = _votes(value, question)
            if yes + no < self.min_votes:
                return None
            hit = yes / (yes + no) >= self.min_share
            count, majority = (yes, "yes") if hit else (no, "no")
            return _Answer(
                hit, f"{shown}: {majority} ({count:g} of {yes + no:g} votes)", is_tie=hit and yes == no
            )
        word = "" if value is None else str(value).strip().casefold()
        if not word:
            return None
        if word not in _YES | _NO:
            raise DataError(f"{question!r} must be answered yes, no or not at all, but is {value!r}")
        return _Answer(word in _YES, f"{shown}: {'yes' if word in _YES else 'no'}")


def _finding(trait: str, asked: Sequence[str], answers: Mapping[str, _Answer]) -> Finding | None:
    given = [answers[form] for form in asked if form in answers]
    if not given:
        return None
    decisive = [answer.text for answer in given if answer.yes] or [answer.text for answer in given]
    more = len(decisive) - _SHOWN
    detail = "; ".join(decisive[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
    return Finding(trait, float(any(answer.yes for answer in given)), detail)


@lru_cache(maxsize=1 << 12)
def _form(question: str) -> str:
    """Return a form that all spellings of one question share."""
    return " ".join(question.strip().rstrip("?").casefold().split())


def _votes(value: Sequence[Any], question: str) -> tuple[float, float]:
    try:
        yes, no = (float(part) if part is not None and str(part).strip() else 0.0 for part in value)
    except (TypeError, ValueError):
        yes = no = -1.0
    if not (0 <= yes < float("inf") and 0 <= no < float("inf")):
        raise DataError(f"{question!r}: expected the votes for yes and for no, but got {list(value)!r}")
    return yes, no


def _object(value: Any, column: str) -> Mapping[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else {}
        except ValueError as error:
            raise DataError(f"{column!r} is not a JSON object: {error}") from error
    if not isinstance(value, Mapping):
        raise DataError(f"{column!r} must be an object of questions and answers, but is {value!r}")
    return value
