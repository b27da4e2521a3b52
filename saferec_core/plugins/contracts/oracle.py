"""The questions that an oracle is asked and the verdicts that it returns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from numbers import Real
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

from saferec_core.data.titles import Title
from saferec_core.errors import DataError, PluginError
from saferec_core.plugins.calls import calling, named, undisturbed
from saferec_core.plugins.contracts.record_columns import NO_COLUMNS, RecordColumns
from saferec_core.plugins.contracts.sound_verdicts import copied, faults_of, in_plain_terms
from saferec_core.plugins.contracts.verdict import Verdict
from saferec_core.plugins.last_words import is_built_in

__all__ = [
    "Evidence",
    "Explaining",
    "Oracle",
    "Question",
    "Verdict",
    "ask",
    "check_order",
    "columns_for",
    "explain",
]


class Question(NamedTuple):
    """Does this title violate any of these constraints?"""

    name: str
    year: int | None
    """Year of release; None if the list does not say, and then several titles may be meant."""
    constraints: tuple[str, ...]
    """Traits that are active for the user who would be shown the title."""
    record: RecordColumns = NO_COLUMNS
    """The columns of the user's record that the oracle declares, such as ``question.record["age"]``; lists in
    them are tuples. Empty for an oracle that declares none."""


class Oracle(ABC):
    """Tells what violates a constraint."""

    columns: ClassVar[tuple[str, ...]] = ()
    """Dataset columns that its verdicts depend on; every record must have them, and every question holds
    them in ``record``."""
    deterministic: ClassVar[bool] = True
    """Whether the same question always gets the same verdict, whatever is asked beside it."""

    @property
    @abstractmethod
    def traits(self) -> Collection[str]:
        """Every trait that this oracle can judge.

        Where they cannot be listed, a collection that answers ``in`` for all of them and lists examples, such
        as :class:`~saferec_core.plugins.contracts.parameters.ParameterTraits`.
        """

    @abstractmethod
    def judge(self, questions: Sequence[Question]) -> Sequence[Verdict]:
        """Answer a batch of questions, one verdict each, in order.

        An oracle that cannot answer raises; a title it has never heard of is not a failure but a
        verdict with ``known=False``.
        """


def columns_for(oracle: Oracle | None, row: Mapping[str, Any]) -> RecordColumns:
    """Return what a question of *oracle* holds of a record.

    Args:
        oracle: Whose verdicts may depend on columns; None: nobody's.
        row: The record's columns.

    Raises:
        DataError: A column is missing.
    """
    wanted = () if oracle is None else oracle.columns
    if not wanted:
        return NO_COLUMNS
    if missing := [name for name in wanted if row.get(name) is None]:
        assert oracle is not None
        raise DataError(
            f"column {missing[0]!r} is missing; {named('oracle', oracle)} needs it. Columns: "
            f"{', '.join(sorted(name for name, value in row.items() if value is not None)) or 'none'}"
        )
    return RecordColumns({name: row[name] for name in wanted})


def ask(oracle: Oracle, questions: Sequence[Question]) -> Sequence[Verdict]:
    """Put *questions* to an oracle.

    Every verdict is checked: risks are numbers in 0..1 of traits that were asked, violated traits were asked,
    belong to a title that is known, and are neither open nor of no risk at all. What is passed on are copies,
    which an oracle that keeps its verdicts cannot change.

    Raises:
        PluginError: The oracle failed, or did not answer every question with a sound verdict.
    """
    what = named("oracle", oracle)
    with undisturbed(what), calling(what):
        verdicts: Any = oracle.judge(tuple(questions))
    if not isinstance(verdicts, Sequence) or isinstance(verdicts, str):
        raise PluginError(f"{what} must return a list of verdicts, but returned {type(verdicts).__name__}")
    with calling(what):
        answers: tuple[Verdict, ...] = tuple(verdicts if is_built_in(what) else map(copied, verdicts))
    if len(answers) != len(questions):
        raise PluginError(
            f"{what} must answer {len(questions)} questions with a verdict each, but answered {len(answers)}"
        )
    with calling(what):  # as what it answers may do, when it is looked at
        for question, verdict in zip(questions, answers, strict=True):
            for fault in faults_of(verdict, question.constraints):
                raise PluginError(f"{what} judges {Title(question.name, question.year)}: {fault}")
    if is_built_in(what):
        return answers
    return [
        in_plain_terms(verdict, asked.constraints) for asked, verdict in zip(questions, answers, strict=True)
    ]


def check_order(oracle: Oracle, questions: Sequence[Question], verdicts: Sequence[Verdict]) -> None:
    """Ask a question again by itself: whoever answers in another order answers otherwise then.

    The first two questions with different verdicts are asked, since alike ones show nothing.

    Raises:
        PluginError: A verdict depends on the other questions of its batch.
    """
    other = next((n for n, verdict in enumerate(verdicts) if verdict != verdicts[0]), None)
    for position in () if other is None else (0, other):
        question = questions[position]
        (alone,) = ask(oracle, [question])
        if alone != verdicts[position]:
            raise PluginError(
                f"{named('oracle', oracle)} judges {Title(question.name, question.year)} otherwise "
                f"when asked by itself: {alone}, but {verdicts[position]} as number {position + 1} of "
                f"{len(questions)} questions. Verdicts must be in the order of the questions, and must not "
                "depend on one another (or the oracle has to say deterministic = False)"
            )


class Evidence(NamedTuple):
    """What a verdict rests on: what one source says about one title and one trait."""

    trait: str
    risk: float
    """In 0..1."""
    source: str
    """Name of the source."""
    detail: str
    """What the source says: the words that matched, the question that was answered yes."""


@runtime_checkable
class Explaining(Protocol):
    """An oracle that can name what its verdicts rest on."""

    def explain(self, question: Question) -> Sequence[Evidence]:
        """Return the evidence for the asked traits, the highest risk first."""
        ...


def explain(oracle: Oracle, question: Question) -> tuple[Evidence, ...]:
    """Return what an oracle's verdict rests on, the highest risk first; nothing of one that cannot explain.

    Raises:
        PluginError: The oracle failed, or returned something else than evidence for the asked traits.
    """
    if not isinstance(oracle, Explaining):
        return ()
    what = named("oracle", oracle)
    with undisturbed(what), calling(what, doing=" to explain"):
        evidence = tuple(oracle.explain(question))
    for piece in evidence:
        if fault := _fault_of_evidence(piece, question):
            raise PluginError(f"{what} explains {Title(question.name, question.year)}: {fault}")
    return evidence


def _fault_of_evidence(piece: object, question: Question) -> str:
    if type(piece) is not Evidence:
        return f"expected Evidence, but got {piece!r:.200}"
    if piece.trait not in question.constraints:
        return f"evidence for {piece.trait!r}, but asked were {', '.join(question.constraints) or 'none'}"
    if isinstance(piece.risk, bool) or not isinstance(piece.risk, Real) or not 0 <= float(piece.risk) <= 1:
        return f"the risk of {piece.trait!r} must be a number in 0..1, but is {piece.risk!r}"
    if not isinstance(piece.source, str) or not isinstance(piece.detail, str):
        return f"source and detail must be text, but are {piece.source!r:.200} and {piece.detail!r:.200}"
    return ""
