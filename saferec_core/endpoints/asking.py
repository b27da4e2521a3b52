"""Asks many questions at once: each once, within the budget, and keeps every answer."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from saferec_core.endpoints.account import SpendingAccount
from saferec_core.endpoints.cache import ResponseCache
from saferec_core.endpoints.client import ModelAnswer, NoAnswer, connected
from saferec_core.endpoints.endpoint import Endpoint
from saferec_core.errors import SaferecError

__all__ = ["Asker", "Configuration", "Conversations", "Messages", "Reply"]

T = TypeVar("T")
Messages = Sequence[Mapping[str, str]]
Reply = ModelAnswer | NoAnswer | SaferecError
"""An answer, why this question has none, or the error that stops the run before its turn."""


@dataclass(frozen=True)
class Configuration:
    """Everything that determines an answer besides the question."""

    base_url: str
    """The address that is asked."""
    model: str
    system: str
    """The instruction."""
    parameters: Mapping[str, Any]

    @property
    def key(self) -> str:
        """What the cache knows the configuration by."""
        return _hash([self.base_url, self.model, self.system, self.parameters])

    def messages(self, question: str) -> list[dict[str, str]]:
        """Return what is sent."""
        return [{"role": "system", "content": self.system}, {"role": "user", "content": question}]


class Conversations(Configuration):
    """Questions that are whole conversations, as JSON: ``[messages, number of the sample]``."""

    def messages(self, question: str) -> list[dict[str, str]]:
        """Return what is sent."""
        messages: list[dict[str, str]] = json.loads(question)[0]
        return messages


@dataclass(frozen=True)
class Asker:
    """Gets answers from the cache, and those that it lacks from the model."""

    configuration: Configuration
    base_url: str | None
    """As the option has it."""
    api_key_env: str
    cache_path: Path
    concurrency: int
    """How many questions are in flight at most."""
    timeout: float
    max_retries: int

    def replies(self, questions: Sequence[str], account: SpendingAccount) -> list[Reply]:
        """Answer the *questions*, in order; equal ones are asked once.

        Once something must stop the run, nothing more is sent, but answers in flight are awaited and kept,
        since they are paid for.

        Args:
            questions: Content of the user's turn.
            account: Is updated, and limits the cost.

        Raises:
            RunError: The cache cannot be used.
        """
        own = self.configuration.key
        keys = [_hash([own, question]) for question in questions]
        with closing(ResponseCache(self.cache_path)) as cache:
            account.update(cache.totals(own))
            by_key = dict(zip(keys, questions, strict=True))
            replies: dict[str, Reply] = {key: kept for key in by_key if (kept := cache.get(key))}
            account.cached += len(replies)
            missing = {key: question for key, question in by_key.items() if key not in replies}
            if missing:
                _run(self._ask(missing, replies, cache, account))
        return [replies[key] for key in keys]

    async def _ask(
        self,
        missing: Mapping[str, str],
        replies: dict[str, Reply],
        cache: ResponseCache,
        account: SpendingAccount,
    ) -> None:
        own = self.configuration
        waiting = iter(missing.items())
        stop: SaferecError | None = None

        async def work() -> None:
            nonlocal stop
            for key, question in waiting:  # shared by all workers
                stop = stop or account.exhausted()
                reply = stop or await client.ask(own.messages(question))
                if isinstance(reply, ModelAnswer):
                    try:
                        cache.put(key, own.key, reply)
                    except SaferecError as error:
                        reply = error
                    else:
                        account.asked += 1
                        account.tokens_in += reply.tokens_in
                        account.tokens_out += reply.tokens_out
                if isinstance(reply, SaferecError):
                    stop = stop or reply
                replies[key] = reply

        endpoint = Endpoint.find(self.base_url, self.api_key_env)
        async with connected(
            endpoint, own.model, own.parameters, seconds=self.timeout, max_retries=self.max_retries
        ) as client:
            await asyncio.gather(*(work() for _ in range(min(self.concurrency, len(missing)))))


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run *work* to its end, also where a loop is running already, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, work).result()


def _hash(content: Any) -> str:
    # As version 0.2 wrote it, escapes and all: answers that were paid for are found again.
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
