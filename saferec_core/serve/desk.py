"""Where requests meet the policy: a few may wait, one is answered at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from queue import SimpleQueue
from typing import Generic, TypeVar

from saferec_core.config.domain import FILMS
from saferec_core.data.records import Message, Record, seen_titles_of
from saferec_core.errors import RunError
from saferec_core.models.streaming import StreamedCompletion
from saferec_core.recommendation.baseline_recommender import BaselineRecommender
from saferec_core.recommendation.recommender import Recommendation, Recommender, check_constraints

Whole = TypeVar("Whole")

__all__ = ["MOST_WAITING", "BusyError", "Desk"]

MOST_WAITING = 8
"""Requests that may wait; further ones are turned away."""


class BusyError(RunError):
    """Too many requests wait already."""


@dataclass(frozen=True)
class _Whole(Generic[Whole]):
    """What a request ends with."""

    content: Whole


@dataclass(frozen=True)
class Desk:
    """A guided policy, and the same policy left free."""

    guided: Recommender | BaselineRecommender
    policy: str
    """What to call the policy."""
    consumed: str = FILMS.consumed
    """What users have done with titles that must not come back, in the domain's word."""
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _places: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(MOST_WAITING)
    )

    @cached_property
    def free(self) -> Recommender | BaselineRecommender:
        """The policy without guidance."""
        if isinstance(self.guided, Recommender):
            return replace(self.guided, guiding=None)
        return replace(self.guided, safe=False)

    @property
    def traits(self) -> list[str]:
        """The constraints that the oracle judges, sorted."""
        oracle = self.guided.judge.oracle
        return [] if oracle is None else sorted(oracle.traits)

    def record(self, text: str, constraints: Sequence[str], seen: Sequence[str]) -> Record:
        """Make a record of a wish.

        Raises:
            SaferecError: A constraint is unknown.
        """
        check_constraints(constraints, self.guided.judge)
        return self.guided.prompts.wish(text, constraints=constraints, seen=seen)

    def conversation(
        self, messages: Sequence[Message], constraints: Sequence[str], seen: Sequence[str]
    ) -> Record:
        """Make a record of a whole conversation, which states its constraints itself.

        Without a system message it gets the policy's instruction.

        Raises:
            SaferecError: A constraint is unknown.
        """
        check_constraints(constraints, self.guided.judge)
        titles = tuple(seen_titles_of({"seen_titles": list(seen)}))
        prompt = self.guided.prompts.begun(messages)
        return Record(prompt=prompt, constraints=tuple(sorted(set(constraints))), seen_titles=titles)

    def ask(self, record: Record, *, guided: bool, temperature: float | None = None) -> Recommendation:
        """Make one list, when it is this request's turn.

        Raises:
            BusyError: Too many requests wait already.
        """
        recommender = self._recommender(guided=guided, temperature=temperature)
        self._take_place()
        with self._turn_of_mine():
            return recommender([record])[0]

    def stream(
        self,
        record: Record,
        *,
        temperature: float | None = None,
        top_p: float | None = None,
        seed: int | None = None,
    ) -> Iterator[str | StreamedCompletion]:
        """Yield a guided completion token by token as it is written, then the whole.

        Args:
            record: The conversation.
            temperature: Samples at this temperature; None: the most likely list.
            top_p: Samples among the most likely tokens that together have this probability; None: the
                share of the policy's settings.
            seed: Samples the same list again; None: the seed of the policy's settings.

        Raises:
            BusyError: Too many requests wait already; instead of the first piece.
        """
        recommender = self._recommender(guided=True, temperature=temperature, top_p=top_p, seed=seed)
        return self._written(recommender, record, lambda whole: whole)

    def watch(
        self, record: Record, *, guided: bool, temperature: float | None = None
    ) -> Iterator[str | Recommendation]:
        """Yield a list token by token as it is written, then the whole, judged.

        Raises:
            BusyError: Too many requests wait already; instead of the first piece.
        """
        recommender = self._recommender(guided=guided, temperature=temperature)

        def judged(whole: StreamedCompletion) -> Recommendation:
            return recommender.judged([record], [whole.completion])[0]

        return self._written(recommender, record, judged)

    def _written(
        self,
        recommender: Recommender | BaselineRecommender,
        record: Record,
        finish: Callable[[StreamedCompletion], Whole],
    ) -> Iterator[str | Whole]:
        """Yield what the recommender streams, written and finished by a thread that has the turn.

        A client that reads slowly or stops reading does not keep the turn: the thread waits for no reader,
        and once the iterator is closed it ends with its next piece.
        """
        self._take_place()
        pieces: SimpleQueue[str | _Whole[Whole] | Exception | None] = SimpleQueue()
        closed = threading.Event()

        def write() -> None:
            try:
                with self._turn_of_mine(), closing(recommender.stream(record)) as stream:
                    while not closed.is_set() and (piece := next(stream, None)) is not None:
                        pieces.put(piece if isinstance(piece, str) else _Whole(finish(piece)))
            except Exception as error:  # noqa: BLE001 - raised again where the pieces are read
                pieces.put(error)
            except BaseException as error:  # noqa: BLE001 - would end the server there
                pieces.put(RunError(f"writing the list was ended by {error!r}"))
            finally:
                pieces.put(None)

        threading.Thread(target=write, daemon=True).start()
        try:
            while (piece := pieces.get()) is not None:
                if isinstance(piece, Exception):
                    raise piece
                yield piece.content if isinstance(piece, _Whole) else piece
        finally:
            closed.set()

    def _recommender(
        self, *, guided: bool, temperature: float | None, top_p: float | None = None, seed: int | None = None
    ) -> Recommender | BaselineRecommender:
        recommender = self.guided if guided else self.free
        if temperature and isinstance(recommender, Recommender):
            decoding = recommender.decoding
            sampled = replace(
                decoding,
                kind="sampled",
                temperature=temperature,
                top_p=decoding.top_p if top_p is None else top_p,
                seed=decoding.seed if seed is None else seed,
            )
            return replace(recommender, decoding=sampled)
        return recommender

    def _take_place(self) -> None:
        if not self._places.acquire(blocking=False):
            raise BusyError(f"{MOST_WAITING} requests wait already; try again in a moment")

    @contextmanager
    def _turn_of_mine(self) -> Iterator[None]:
        """Wait for the turn; with it the place is given back."""
        try:
            with self._turn:
                yield
        finally:
            self._places.release()
