"""The contract of oracles, property by property."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar
from unittest import SkipTest

from hypothesis import strategies as st

from saferec_core.data.rows import Row
from saferec_core.data.titles import Title
from saferec_core.plugins.contracts.oracle import Explaining, Oracle, Question, Verdict, columns_for
from saferec_core.plugins.contracts.record_columns import RecordColumns
from saferec_core.testing.contract import Contract, check
from saferec_core.testing.titles import AWKWARD_TITLES, OUTSIDE, TITLES

__all__ = ["OracleContract", "check_oracle"]

_HYPHENATED_ARTICLE = re.compile(r"(?<=^the)-|(?<=^an)-|(?<=^a)-", re.IGNORECASE)


class OracleContract(Contract[Oracle]):
    """Inherit it and say what to make; see :class:`saferec_core.testing.contract.Contract`."""

    titles: ClassVar[Sequence[Title]] = TITLES
    """Titles to ask about; the better the oracle knows them, the more is checked."""
    constraints: ClassVar[Sequence[str]] = ()
    """Constraints to ask about; all of the oracle's ``traits`` unless given."""
    record: ClassVar[Row] = {}
    """Columns of a record such as it reads; needed for an oracle that declares ``columns``."""
    year_tolerance: ClassVar[int | None] = None
    """By how many years a title may be off without another verdict; the oracle's option of this name unless
    given, and 0 for an oracle that has none."""

    def inputs(self, size: int = 6) -> tuple[list[Question]]:
        """Return *size* questions about the titles."""
        traits = self._traits()
        return ([self._question(self.titles[n % len(self.titles)], traits) for n in range(size)],)

    def _question(self, title: Title, constraints: Sequence[str]) -> Question:
        return Question(*title, tuple(constraints), columns_for(self.make(), self.record))

    def call(self, component: Oracle, *inputs: Sequence[Question]) -> Sequence[Verdict]:
        """Put the questions to the oracle."""
        return component.judge(*inputs)

    def _traits(self) -> tuple[str, ...]:
        return tuple(self.constraints) or tuple(sorted(self.make().traits))

    def _verdicts(self, questions: Sequence[Question]) -> Sequence[Verdict]:
        """Return a verdict for each question; a property about them is not tried where they are not there."""
        verdicts = self.answer(self.make(), questions)
        if _wrong_form(verdicts, questions):
            raise SkipTest("it does not answer with verdicts; see test_each_question_gets_a_verdict")
        return verdicts  # type: ignore[no-any-return]

    def _asked(self) -> list[tuple[Question, Verdict]]:
        questions = [self._question(title, self._traits()) for title in [*self.titles, OUTSIDE]]
        return list(zip(questions, self._verdicts(questions), strict=True))

    def test_it_names_its_traits(self) -> None:
        """At least one, so that a constraint outside of them is refused before training."""
        oracle = self.make()
        names = self._traits()
        assert names, "traits names nothing that it can judge"
        strange = [trait for trait in names if not isinstance(trait, str) or trait not in oracle.traits]
        assert not strange, f"it is to be asked about {strange[0]!r}, which is not in its traits"

    def test_it_declares_the_columns_that_it_reads(self) -> None:
        """Whatever column of a record it reads is in ``columns``, so that a run without it is refused."""
        oracle = self.make()
        missing = [name for name in oracle.columns if self.record.get(name) is None]
        assert not missing, f"it needs the column {missing[0]!r}, which the contract's record does not have"
        record = _AskedColumns(self.record, oracle.columns)
        with suppress(Exception):  # whether it answers is another property
            self._watched(oracle, [question._replace(record=record) for question in self.inputs()[0]])
        assert not record.missed, (
            f"it reads the column {min(record.missed)!r} of the record and does not declare it in columns"
        )

    def test_each_question_gets_a_verdict(self) -> None:
        """As many verdicts as questions, of the right types."""
        for questions in (*self.inputs(), *self.inputs(1), []):
            problem = _wrong_form(self.answer(self.make(), questions), questions)
            assert problem is None, problem

    def test_risks_are_in_0_to_1(self) -> None:
        """A risk is a finite number in 0..1."""
        for question, verdict in self._asked():
            for trait, risk in verdict.risks.items():
                fine = isinstance(risk, int | float) and math.isfinite(risk) and 0 <= risk <= 1
                assert fine, f"the risk of {question.name!r} for {trait!r} must be in 0..1, but is {risk!r}"

    def test_it_speaks_of_asked_traits_only(self) -> None:
        """Nothing but the asked traits has a risk, is violated or open."""
        traits = self._traits()
        asked = [(), *((trait,) for trait in traits), traits]
        questions = [self._question(title, some) for title in self.titles for some in asked]
        for question, verdict in zip(questions, self._verdicts(questions), strict=True):
            others = {*verdict.risks, *verdict.violated, *verdict.open} - set(question.constraints)
            assert not others, (
                f"asked about {list(question.constraints)} of {question.name!r}, it also speaks of "
                f"{min(others)!r}"
            )

    def test_what_it_does_not_know_is_not_violated(self) -> None:
        """An unknown title may be anything: it neither violates nor is it safe."""
        for question, verdict in self._asked():
            assert verdict.known or not verdict.violated, (
                f"{question.name!r} is not known, but violates {verdict.violated[0]!r}"
            )

    def test_the_order_of_the_questions_does_not_matter(self) -> None:
        """The same questions in another order get the same verdicts, in that order."""
        questions = [question for question, _ in self._asked()]
        verdicts = list(self._verdicts(questions))
        assert list(self._verdicts(questions[::-1]))[::-1] == verdicts, (
            "questions in another order get other verdicts"
        )

    def test_the_number_of_questions_does_not_matter(self) -> None:
        """A question alone gets the verdict that it gets among others, also if asked twice."""
        for question, verdict in self._asked():
            alone, *_ = self._verdicts([question])
            twice = self._verdicts([question, question])
            assert alone == twice[0] == twice[1] == verdict, (
                f"{question.name!r} gets another verdict alone or asked twice"
            )

    def test_a_further_trait_never_makes_a_title_safer(self) -> None:
        """What violates some of the constraints violates more of them as well."""
        traits = self._traits()
        if len(traits) < 2:
            raise SkipTest("it judges one trait only")

        def property_of(some: Sequence[str], more: Sequence[str]) -> None:
            every = tuple(dict.fromkeys([*some, *more]))
            few = self._verdicts([self._question(title, tuple(some)) for title in self.titles])
            many = self._verdicts([self._question(title, every) for title in self.titles])
            for title, before, after in zip(self.titles, few, many, strict=True):
                lost = set(before.violated) - set(after.violated)
                assert not lost, f"{title} violates {min(lost)!r}, but not if asked about {list(every)}"

        subsets = st.lists(st.sampled_from(traits), min_size=1, unique=True)
        self.hold(property_of, subsets, subsets)

    def test_case_does_not_matter(self) -> None:
        """A title in capitals is the same title."""
        self._same_verdict("in capitals", lambda title: title._replace(name=title.name.upper()))

    def test_punctuation_does_not_matter(self) -> None:
        """A title with other punctuation is the same title."""

        def punctuated(title: Title) -> Title:
            hyphenated = title.name.replace(" ", "-")
            # "The-Thing" does not begin with an article.
            return title._replace(name=f"{_HYPHENATED_ARTICLE.sub(' ', hyphenated, count=1)}!")

        self._same_verdict("with other punctuation", punctuated)

    def test_an_article_does_not_matter(self) -> None:
        """A title with its article behind a comma is the same title."""
        titles = [*self.titles, *(title._replace(name=f"The {title.name}") for title in self.titles)]
        self._same_verdict("with its article behind a comma", _article_last, titles)

    def test_a_year_within_the_tolerance_does_not_matter(self) -> None:
        """A title whose year is off by no more than the tolerance is the same title."""
        tolerance = self.year_tolerance
        if tolerance is None:
            tolerance = int(getattr(self.make(), "year_tolerance", 0))
        if tolerance < 1:
            raise SkipTest("it has no year tolerance")
        for off in (tolerance, -tolerance):
            self._same_verdict(f"with the year off by {off}", partial(_years_later, off))

    def _same_verdict(
        self, how: str, change: Callable[[Title], Title], titles: Iterable[Title] | None = None
    ) -> None:
        names = {title.name.casefold() for title in self.titles}
        pairs = [
            (title, changed)
            for title in (self.titles if titles is None else titles)
            if (changed := change(title)).name.casefold() not in names - {title.name.casefold()}
        ]  # what becomes another one of the titles says nothing
        traits = self._traits()
        before = self._verdicts([self._question(title, traits) for title, _ in pairs])
        after = self._verdicts([self._question(changed, traits) for _, changed in pairs])
        for (title, changed), one, other in zip(pairs, before, after, strict=True):
            same = (one.known, set(one.violated), dict(one.risks)) == (
                other.known,
                set(other.violated),
                dict(other.risks),
            )
            assert same, f"{title} written {how}, as {changed}, gets another verdict: {one}, then {other}"

    def test_it_takes_hostile_titles(self) -> None:
        """Whatever a policy may write gets a verdict: not known is an answer, an exception is not."""
        names = ["", " ", "\x00\x1b[31m", "\u202eA mliF", "Film \ud800", "A" * 10_000, "???"]
        titles = [Title(name, year) for name in names for year in (None, 1990)]
        titles += [*AWKWARD_TITLES, Title("Film A", 0), Title("Film A", -1), Title("Film A", 10**6)]
        self._verdicts(self.inputs()[0])
        for title in titles:
            questions = [self._question(title, self._traits())]
            try:
                problem = _wrong_form(self.call(self.make(), questions), questions)
            except Exception as error:
                raise AssertionError(f"{ascii(title.name)[:60]}, year {title.year}: {error}") from error
            assert problem is None, problem

    def test_its_evidence_is_about_asked_traits_the_highest_risk_first(self) -> None:
        """Where it can explain a verdict."""
        oracle = self.make()
        if not isinstance(oracle, Explaining):
            raise SkipTest("it does not explain its verdicts")
        for title in self.titles:
            evidence = list(oracle.explain(self._question(title, self._traits())))
            others = {piece.trait for piece in evidence} - set(self._traits())
            assert not others, f"its evidence for {title} is about {min(others)!r}, which was not asked"
            risks = [piece.risk for piece in evidence]
            assert all(0 <= risk <= 1 for risk in risks), f"evidence for {title} has a risk outside 0..1"
            assert risks == sorted(risks, reverse=True), f"its evidence for {title} is not in order of risk"


class _AskedColumns(RecordColumns):
    """The columns of a question, which note down what was asked for in vain."""

    def __init__(self, row: Row, names: Sequence[str]) -> None:
        super().__init__({name: row[name] for name in names})
        self.missed: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        try:
            return super().__getitem__(name)
        except KeyError:
            self.missed.add(name)
            raise


def _years_later(years: int, title: Title) -> Title:
    return title if title.year is None else title._replace(year=title.year + years)


def _article_last(title: Title) -> Title:
    article, _, rest = title.name.partition(" ")
    return title._replace(name=f"{rest}, {article}") if article in {"The", "A", "An"} and rest else title


def _wrong_form(verdicts: object, questions: Sequence[Question]) -> str | None:
    """Say what is wrong with the form of an answer, None if nothing is."""
    if not isinstance(verdicts, Sequence):
        return f"it must return a sequence of verdicts, but returned {type(verdicts).__name__}"
    if len(verdicts) != len(questions):
        return f"it must answer {len(questions)} questions with a verdict each, but gave {len(verdicts)}"
    for verdict in verdicts:
        if not isinstance(verdict, Verdict):
            return f"it must answer with a Verdict, but answered with {verdict!r}"
        if not isinstance(verdict.known, bool):
            return f"Verdict.known must be True or False, but is {verdict.known!r}"
    return None


def check_oracle(
    oracle: Oracle,
    titles: Sequence[Title] = TITLES,
    *,
    constraints: Sequence[str] = (),
    record: Row | None = None,
    year_tolerance: int | None = None,
) -> None:
    """Check an oracle against every property of :class:`OracleContract`.

    Args:
        oracle: Built as a run would build it.
        titles: Titles to ask about, among them such as it knows.
        constraints: Constraints to ask about; all of its traits unless given.
        record: Columns of a record such as it reads, for an oracle that declares ``columns``.
        year_tolerance: Maximum difference in release year; by default the component's option of this name.

    Raises:
        ContractError: It lists every property that does not hold.
    """
    check(
        OracleContract,
        oracle,
        titles=tuple(titles),
        constraints=tuple(constraints),
        record=record or {},
        year_tolerance=year_tolerance,
    )
