"""Titles are judged as the entry of the catalog that they mean: by all its names, and with its year."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from saferec_core.data.catalog import Catalog
from saferec_core.data.titles import Title
from saferec_core.plugins.contracts.oracle import Question
from saferec_core.plugins.contracts.record_columns import NO_COLUMNS, RecordColumns
from saferec_core.plugins.contracts.verdict import Verdict, joined

__all__ = ["Asking", "ask_about_entries", "ask_by_entry", "questions_of"]

Asking = Callable[[Sequence[Question]], Sequence[Verdict]]
"""Puts N questions to an oracle."""


def ask_by_entry(put: Asking, catalog: Catalog, questions: Sequence[Question]) -> Sequence[Verdict]:
    """Return N verdicts, each about the entry that a title means.

    An entry with aliases is asked about by each of its names, and by its own year: writing another year
    within the tolerance must not make it safe. A violation of the title as written counts too.

    Args:
        put: Puts questions to the oracle; called once.
        catalog: Finds the entries.
        questions: The N questions.
    """
    return _joint_verdicts(put, questions, [_names_of_entry(catalog, question) for question in questions])


def ask_about_entries(
    put: Asking,
    catalog: Catalog,
    positions: Sequence[int],
    traits: tuple[str, ...],
    record: RecordColumns = NO_COLUMNS,
) -> Sequence[Verdict]:
    """Do as `ask_by_entry` for titles of the catalog, which need not be found.

    Args:
        put: Puts questions to the oracle; called once.
        catalog: Has the titles.
        positions: Of the N titles.
        traits: The constraints.
        record: What questions hold of the record.
    """
    titles = [catalog.titles[position] for position in positions]
    names = [
        [Title(alias, title.year) for alias in catalog.aliases.get(position, ())]
        for position, title in zip(positions, titles, strict=True)
    ]
    return _joint_verdicts(put, [Question(*title, traits, record) for title in titles], names)


def questions_of(catalog: Catalog, question: Question) -> list[Question]:
    """Return all that is asked about a title: *question* itself, then those by its entry's names and year."""
    names = _names_of_entry(catalog, question)
    return [question, *(question._replace(name=title.name, year=title.year) for title in names)]


def _names_of_entry(catalog: Catalog, question: Question) -> Sequence[Title]:
    """Return what else a title is asked about as: the names of its entry, with the year of that."""
    position = catalog.find(question.name, question.year)
    if position is None:
        return ()
    own, meant = catalog.titles[position], catalog.match(question.name, question.year).title
    names = [meant.name]
    if position in catalog.aliases:
        names += [own.name, *catalog.aliases[position]]
    year = meant.year if own.year is None else own.year
    asked = Title(question.name, question.year)
    return [title for each in dict.fromkeys(names) if (title := Title(each, year)) != asked]


def _joint_verdicts(
    put: Asking, questions: Sequence[Question], names: Sequence[Sequence[Title]]
) -> Sequence[Verdict]:
    """Put *questions* to the oracle, each also by further *names* of its title."""
    further = [
        (asked, questions[asked]._replace(name=title.name, year=title.year))
        for asked, titles in enumerate(names)
        for title in titles
    ]
    answers = put([*questions, *(question for _, question in further)])
    if not further:
        return answers
    verdicts: dict[int, Verdict] = {}
    for (asked, question), verdict in zip(further, answers[len(questions) :], strict=True):
        if asked not in verdicts:
            written = questions[asked].year == question.year or answers[asked].violated
            verdicts[asked] = joined(verdict, answers[asked]) if written else verdict
        else:
            verdicts[asked] = joined(verdicts[asked], verdict)
    return [verdicts.get(asked, answer) for asked, answer in enumerate(answers[: len(questions)])]
