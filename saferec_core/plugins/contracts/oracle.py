"""The questions that an oracle is asked and the verdicts that it returns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

from saferec_core.data.titles import Title
from saferec_core.errors import DataError, PluginError
from saferec_core.plugins.calls import calling, named, undisturbed
from saferec_core.plugins.contracts.record_columns import NO_COLUMNS, RecordColumns

__all__ = [
    "Evidence",
    "Explaining",
    "Oracle",
    "Question",
    "Verdict",
    "ask",
    "check_order",
    "columns_for",
    "joined",
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


@dataclass(frozen=True, slots=True)
class Verdict:
    """An oracle's answer about one title."""

    known: bool
    """Whether the oracle can decide. Evidence that leaves it open whether the title violates a trait does not
    make it known."""
    risks: Mapping[str, float] = field(default_factory=dict)
    """Risk per asked trait, in 0..1; a trait without evidence is missing."""
    violated: tuple[str, ...] = ()
    """The asked traits whose risk reaches the oracle's threshold; none if the title is not known."""
    open: tuple[str, ...] = ()
    """The asked traits of which ``risks`` leaves open whether the title violates them."""
    ambiguous: bool = False
    """Whether several works may be meant that are not judged alike, so that the highest risk counts, or the
    verdict rests on a work of the same name and nearly the same year."""


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

    Every verdict is checked: risks are numbers in 0..1 of traits that were asked, violated traits were asked
    and belong to a title that is known.

    Raises:
        PluginError: The oracle failed, or did not answer every question with a sound verdict.
    """
    what = named("oracle", oracle)
    with calling(what), undisturbed(what):
        verdicts = oracle.judge(tuple(questions))
    if not isinstance(verdicts, Sequence) or isinstance(verdicts, str):
        raise PluginError(f"{what} must return a list of verdicts, but returned {type(verdicts).__name__}")
    verdicts = tuple(verdicts)
    if len(verdicts) != len(questions):
        raise PluginError(
            f"{what} must answer {len(questions)} questions with a verdict each, but answered {len(verdicts)}"
        )
    for question, verdict in zip(questions, verdicts, strict=True):
        for fault in _faults(verdict, question.constraints):
            raise PluginError(f"{what} judges {Title(question.name, question.year)}: {fault}")
    return verdicts


def joined(first: Verdict, second: Verdict) -> Verdict:
    """Judge two titles as one: what either violates, both do; known if either is."""
    if not second.known:
        return first
    traits = dict.fromkeys([*first.risks, *second.risks])
    violated = tuple(dict.fromkeys([*first.violated, *second.violated]))
    return Verdict(
        known=True,
        risks={trait: max(first.risks.get(trait, 0.0), second.risks.get(trait, 0.0)) for trait in traits},
        violated=violated,
        open=tuple(dict.fromkeys(trait for trait in (*first.open, *second.open) if trait not in violated)),
        ambiguous=first.ambiguous or second.ambiguous,
    )


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


def _faults(verdict: object, asked: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with a verdict."""
    if type(verdict) is not Verdict:  # of a class of its own it may say something else each time
        yield f"expected a Verdict, but got {type(verdict).__name__}"
        return
    if not isinstance(verdict.known, bool):
        yield f"known must be True or False, but is {verdict.known!r}"
    if isinstance(verdict.risks, Mapping):
        yield from _faults_of_risks(verdict.risks, asked)
    else:
        yield f"risks must be a mapping from traits to numbers, but are {type(verdict.risks).__name__}"
    for name, traits in (("violated", verdict.violated), ("open", verdict.open)):
        if isinstance(traits, str) or not isinstance(traits, Collection):
            yield f"{name} must be a tuple of traits, but is {traits!r}"
            continue
        unasked = [trait for trait in traits if trait not in asked]
        if unasked:
            yield f"{name} holds {unasked[0]!r}, but asked were {', '.join(asked) or 'none'}"
    if verdict.violated and not verdict.known:
        yield f"it violates {', '.join(map(str, verdict.violated))}, so it must be known"


def _faults_of_risks(risks: Mapping[str, object], asked: Sequence[str]) -> Iterator[str]:
    for trait, risk in risks.items():
        if trait not in asked:
            yield f"risks holds {trait!r}, but asked were {', '.join(asked) or 'none'}"
        if isinstance(risk, bool) or not isinstance(risk, Real) or not 0 <= float(risk) <= 1:
            yield f"the risk of {trait!r} must be a number in 0..1, but is {risk!r}"


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
