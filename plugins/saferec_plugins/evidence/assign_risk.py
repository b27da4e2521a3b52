"""A language model's estimates for titles, used where no human source decides."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import ClassVar

from saferec_core.config.domain import FILMS
from saferec_core.data.rows import Row
from saferec_core.data.titles import Title
from saferec_core.data.traits import Trait
from saferec_core.endpoints.asking import Asker, Reply
from saferec_core.endpoints.client import NoAnswer
from saferec_core.errors import DataError, SaferecError, UnknownNameError
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.evidence import EvidenceSource, Finding, Findings
from saferec_plugins.evidence.title_columns import id_of, title_of
from saferec_plugins.transforms.llm.asked_model import AskedModel
from saferec_plugins.transforms.llm.risk_question import (
    assigned_risks,
    risk_form,
    risk_instruction,
    risk_question,
)
from saferec_plugins.transforms.llm.trait_answer import UnusableAnswerError

__all__ = ["AssignRisk"]

_TOGETHER = 500
"""Rows that are read ahead, so that many questions are in flight."""


@component
class AssignRisk(AskedModel, EvidenceSource):
    """Asks a model for a risk and a reason per title and trait, for titles such as those of a catalog.

    Its answers are marked as a model's and never override people's: they count only for a title and a trait
    for which no other source decides. A title that the model does not know stays unknown. Answers are kept
    in a cache, so that no question is paid for twice, even if the build is stopped.
    """

    asked_by: ClassVar[str] = "assign-risk"
    by_model: ClassVar[bool] = True

    path: Path
    """The titles to ask about (JSONL, CSV, TSV or Parquet), a row per title."""
    traits: tuple[str, ...] = ()
    """Traits to ask about; all if none is named."""
    columns: tuple[str, ...] = ()
    """Further columns to show to the model, such as a plot or genres."""
    title_column: str = "title"
    """Column of the title."""
    year_column: str = "year"
    """Column of the year; without one, the title must read "Title (Year)"."""
    id_column: str | None = None
    """Column with an id, such as IMDb's, that distinguishes films of one name and year."""
    items: str = FILMS.items
    """What the titles are, in the plural."""

    def __call__(self, rows: Iterable[Row], traits: Mapping[str, Trait]) -> Iterator[Findings]:
        """Ask about many titles at once and yield the model's findings on each, in order.

        Raises:
            ConfigError: The server refuses access, or does not have the model.
            RunError: The server cannot be reached, the cache cannot be used, or max_cost is spent.
        """
        asked = self._asked(traits)
        asker = self._asker(asked)
        batch: list[tuple[Title, str, str]] = []
        problem: DataError | None = None
        rows = iter(rows)
        while problem is None:
            batch.clear()
            try:
                for row in islice(rows, _TOGETHER):
                    title = title_of(row, self.title_column, self.year_column)
                    batch.append((title, id_of(row, self.id_column), self._question(title, row)))
            except DataError as error:  # what was read before it is answered first
                problem = error
            if not batch and problem is None:
                return
            yield from self._answers(batch, asker, asked)
        raise problem

    def account(self) -> str:
        """Return what was asked, and what all answers in the cache have cost."""
        asker = self._askers.get("last")
        return "" if asker is None else str(self.account_of(asker))

    def _answers(
        self, batch: Sequence[tuple[Title, str, str]], asker: Asker, traits: Mapping[str, Trait]
    ) -> Iterator[Findings]:
        questions = list(dict.fromkeys(question for _, _, question in batch))
        replies = dict(zip(questions, asker.replies(questions, self.own_account), strict=True))
        for title, film, question in batch:
            findings, notes = self._findings(replies[question], traits)
            yield Findings(title, findings, film, notes=notes)

    def _findings(
        self, reply: Reply, traits: Mapping[str, Trait]
    ) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
        """Return the findings of a reply, and what is wrong with it."""
        if isinstance(reply, SaferecError):
            raise reply
        if isinstance(reply, NoAnswer):
            return (), ("the model gave no answer",)
        try:
            assigned = assigned_risks(reply, traits)
        except UnusableAnswerError:
            return (), ("the model's answer could not be used",)
        if not assigned:
            return (), ("the model does not know the title",)
        key = os.environ.get(self.api_key_env, "").strip()  # JSON escapes may have hidden it from the client
        return tuple(
            Finding(each.trait, each.risk or 0.0, f"model {self.model}: {_without(each.why, key)}")
            for each in assigned
        ), ()

    def _asked(self, traits: Mapping[str, Trait]) -> Mapping[str, Trait]:
        for name in self.traits:
            if name not in traits:
                raise UnknownNameError("trait", name, traits)
        return {name: traits[name] for name in traits if not self.traits or name in self.traits}

    def _question(self, title: Title, row: Row) -> str:
        for column in self.columns:
            if column not in row:
                raise DataError(f"the column {column!r} is missing; columns: {', '.join(row)}")
        return risk_question(title, {column: row[column] for column in self.columns})

    def _asker(self, traits: Mapping[str, Trait]) -> Asker:
        form = risk_form(self.response_format, traits)
        return self._askers.setdefault("last", self.asker(risk_instruction(traits, self.items), form))

    @cached_property
    def _askers(self) -> dict[str, Asker]:
        """The one that asks, once it is known for which traits."""
        return {}


def _without(text: str, key: str) -> str:
    return text.replace(key, "[key]") if key else text
