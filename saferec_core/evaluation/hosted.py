"""Completions of a hosted model: any OpenAI-compatible endpoint."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from saferec_core.config.schema import EvalConfig
from saferec_core.data.records import Message
from saferec_core.endpoints.account import Prices, SpendingAccount
from saferec_core.endpoints.asking import Asker, Conversations
from saferec_core.endpoints.client import ModelAnswer, NoAnswer
from saferec_core.endpoints.endpoint import resolved
from saferec_core.errors import ConfigError, RunError, SaferecError
from saferec_core.models.completions import Completion, Decoding

if TYPE_CHECKING:
    from saferec_core.models.guided.guiding import Guiding

__all__ = ["HostedGenerator", "hosted_name"]


def hosted_name(config: EvalConfig) -> str:
    """Return what results call a hosted model."""
    return f"{config.model.model} at {resolved(config.endpoint.base_url)}"


@dataclass(frozen=True)
class HostedGenerator:
    """Generates by asking an endpoint; answers are kept, so that none is paid for twice."""

    config: EvalConfig

    def __call__(
        self,
        prompts: Sequence[Sequence[Message]],
        decoding: Decoding,
        *,
        guiding: Guiding | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> list[list[Completion]]:
        """Ask for every completion.

        Raises:
            ConfigError: The endpoint refuses access or does not know the model, or lists are to be guided.
            RunError: It cannot be reached, the budget is spent, or some prompts got no answer.
        """
        if guiding is not None:
            raise ConfigError("a hosted model cannot be guided: its logits are not at hand")
        sampled = decoding.kind == "sampled"
        asker, account = self._asker(decoding), self._account()
        chunk = max(1, decoding.batch_size)
        completions: list[list[Completion]] = []
        for start in range(0, len(prompts), chunk):
            questions = [
                json.dumps([[dict(message) for message in prompt], sample if sampled else 0], sort_keys=True)
                for prompt in prompts[start : start + chunk]
                for sample in range(decoding.completions)
            ]
            replies = [_completion(reply) for reply in _answered(asker.replies(questions, account))]
            size = decoding.completions
            completions += [replies[n : n + size] for n in range(0, len(replies), size)]
            if progress is not None:
                progress(len(completions))
        return completions

    def _asker(self, decoding: Decoding) -> Asker:
        endpoint, sampled = self.config.endpoint, decoding.kind == "sampled"
        parameters = {
            "temperature": decoding.temperature if sampled else 0.0,
            "max_tokens": decoding.max_completion_length,
            **({"top_p": decoding.top_p} if sampled and decoding.top_p < 1 else {}),
        }
        return Asker(
            configuration=Conversations(
                resolved(endpoint.base_url), str(self.config.model.model), "", parameters
            ),
            base_url=endpoint.base_url,
            api_key_env=endpoint.api_key_env,
            cache_path=endpoint.cache_path,
            concurrency=endpoint.concurrency,
            timeout=endpoint.timeout,
            max_retries=endpoint.max_retries,
        )

    def _account(self) -> SpendingAccount:
        endpoint = self.config.endpoint
        prices = None
        if endpoint.input_price is not None and endpoint.output_price is not None:
            prices = Prices(endpoint.input_price, endpoint.output_price)
        return SpendingAccount(prices, endpoint.max_cost, asked_by=str(self.config.model.model))


def _answered(replies: Sequence[ModelAnswer | NoAnswer | SaferecError]) -> list[ModelAnswer]:
    """Refuse prompts without an answer, the reasons counted.

    Raises:
        SaferecError: What stopped the asking; else the first reason why a prompt has no answer.
    """
    for reply in replies:
        if isinstance(reply, SaferecError):
            raise reply
    missing = [reply.reason for reply in replies if isinstance(reply, NoAnswer)]
    if missing:
        raise RunError(
            f"{len(missing)} of {len(replies)} prompts got no completion: {missing[0]}. The completions so "
            "far are kept; run the same command again to continue"
        )
    return [reply for reply in replies if isinstance(reply, ModelAnswer)]


def _completion(answer: ModelAnswer) -> Completion:
    return Completion(answer.content or answer.refusal or "", answer.finish_reason != "length")
