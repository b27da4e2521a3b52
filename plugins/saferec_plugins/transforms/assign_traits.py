"""A language model assigns the traits that a user plausibly has."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from saferec_core.config.domain import FILMS
from saferec_core.data.records import messages_of, seen_titles_of
from saferec_core.data.rows import Row
from saferec_core.data.traits import Trait, read_traits
from saferec_core.endpoints.account import SpendingAccount
from saferec_core.endpoints.asking import Asker
from saferec_core.endpoints.client import ModelAnswer, NoAnswer
from saferec_core.errors import DataError, SaferecError
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.transform import Counted, Outcome, Rejected, Transform
from saferec_plugins.transforms.llm.asked_model import AskedModel
from saferec_plugins.transforms.llm.trait_answer import UnusableAnswerError, assigned_traits
from saferec_plugins.transforms.llm.trait_question import instruction, question, response_format

__all__ = ["AssignTraits"]

_TOGETHER = 500
"""Rows that are read ahead, so that many questions can be in flight."""


@component
class AssignTraits(AskedModel, Transform):
    """Asks a model behind any OpenAI-compatible endpoint, with the conversation and the watch history.

    Adds ``constraints``, ``traits_assigned`` (each trait with the reason that the model gives) and
    ``traits_model``. Every answer is stored in a cache as soon as it arrives, so that no question is paid
    for twice, even if the run is stopped or killed. An answer that cannot be used rejects its sample but does
    not stop the run. The key is read only from the environment and never written.
    """

    asked_by: ClassVar[str] = "assign-traits"
    columns: ClassVar[tuple[str, ...]] = ("prompt",)
    in_one_process: ClassVar[bool] = True
    """One process keeps many questions in flight, under one budget."""
    incidental: ClassVar[frozenset[str]] = frozenset(
        {"api_key_env", "cache_path", "concurrency", "max_cost", "max_retries", "timeout"}
    )
    """Options that change how the answers come, not what they are."""

    max_traits: int = Field(default=3, ge=1)
    """Maximum number of traits of a sample."""
    max_history: int = Field(default=200, ge=0)
    """Maximum number of seen titles shown to the model, the latest ones."""
    items: str = FILMS.items
    """What is recommended, in the plural."""
    traits_path: Path | None = None
    """Traits (YAML) in place of the built-in twenty."""

    def __call__(self, rows: Iterable[Row]) -> Iterator[Outcome]:
        """Ask for many rows at once and yield the outcomes in order.

        Raises:
            ConfigError: The server refuses access, or does not have the model.
            RunError: The server cannot be reached, the cache cannot be used, or max_cost is spent.
        """
        rows = iter(rows)
        while together := list(islice(rows, _TOGETHER)):
            yield from self._transformed(together)

    def account(self) -> SpendingAccount:
        """Return what was asked and found in the cache, and the cost of all answers in it."""
        return self.account_of(self._asker)

    def _transformed(self, rows: Sequence[Row]) -> Iterator[Outcome]:
        questions = [self._question(row) for row in rows]
        asked = list(dict.fromkeys(text for text in questions if isinstance(text, str)))
        replies = dict(zip(asked, self._asker.replies(asked, self.own_account), strict=True))
        yield from self._used([reply for reply in replies.values() if isinstance(reply, ModelAnswer)])
        for row, text in zip(rows, questions, strict=True):
            if isinstance(text, Rejected):
                yield text
                continue
            reply = replies[text]
            if isinstance(reply, SaferecError):
                raise reply
            yield from self._outcomes(row, reply)

    def _question(self, row: Row) -> str | Rejected:
        try:
            history = seen_titles_of(row)
            return question(messages_of(row), history[max(0, len(history) - self.max_history) :])
        except DataError as error:
            return Rejected(row, str(error))

    def _outcomes(self, row: Row, reply: ModelAnswer | NoAnswer) -> Iterator[Outcome]:
        if isinstance(reply, NoAnswer):
            yield Rejected(row, reply.reason)
            return
        try:
            assigned = assigned_traits(reply, self._traits, self.max_traits)
        except UnusableAnswerError as error:
            yield Rejected(row, str(error))
            return
        key = os.environ.get(self.api_key_env, "").strip()  # JSON may have hidden it from the client
        yield {
            **row,
            "constraints": [given.trait for given in assigned],
            "traits_assigned": [
                {**given.model_dump(), "why": given.why.replace(key, "[key]") if key else given.why}
                for given in assigned
            ],
            "traits_model": self.model,
        }
        if not assigned:
            yield Counted("samples for which the model finds no plausible trait")
        if len(row.get("seen_titles") or ()) > self.max_history:
            yield Counted(f"histories shortened to the last {self.max_history} titles")

    def _used(self, answers: Sequence[ModelAnswer]) -> Iterator[Counted]:
        """Count the cost of the answers, whether asked now or by an interrupted run."""
        tokens_in = sum(answer.tokens_in for answer in answers)
        tokens_out = sum(answer.tokens_out for answer in answers)
        yield Counted("tokens in", tokens_in)
        yield Counted("tokens out", tokens_out)
        if self.own_account.prices is not None:
            cost = self.own_account.prices.cost(tokens_in, tokens_out)
            yield Counted("cost in the prices' currency", cost)

    @cached_property
    def _traits(self) -> Mapping[str, Trait]:
        return read_traits(self.traits_path)

    @cached_property
    def _asker(self) -> Asker:
        form = response_format(self.response_format, self._traits)
        return self.asker(instruction(self._traits, self.max_traits, self.items), form)
