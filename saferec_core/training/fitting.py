"""Prompts that fit into the limits of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from saferec_core.config.schema import TrainConfig
from saferec_core.data.records import Record
from saferec_core.data.truncate import Fitted, fit_records
from saferec_core.errors import ConfigError, DataError
from saferec_core.models.context import render
from saferec_core.models.lengths import bounded_lengths, token_lengths

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["fitted_prompts", "prompt_limit"]


def prompt_limit(config: TrainConfig, context: int | None) -> int | None:
    """Return the tokens that a prompt may have; None: any number.

    Args:
        config: The run.
        context: Tokens that the policy can read; None: it does not say.

    Raises:
        ConfigError: A completion alone fills the context.
    """
    limit = config.data.max_prompt_length
    if context is None:
        return limit
    room = context - config.max_completion_length
    if room < 1:
        raise ConfigError(
            f"--max-completion-length {config.max_completion_length} leaves a prompt no room in the "
            f"model's context of {context} tokens; lower it"
        )
    return room if limit is None else min(limit, room)


def fitted_prompts(
    config: TrainConfig,
    records: Sequence[Record],
    tokenizer: PreTrainedTokenizerBase,
    context: int | None = None,
) -> Fitted:
    """Shorten prompts that exceed the limit or leave a completion no room in the model's context.

    Args:
        config: The run.
        records: Records of the training split.
        tokenizer: The policy's tokenizer.
        context: Tokens that the policy can read; None: it does not say.

    Raises:
        DataError: None is left.
        ConfigError: A completion alone fills the context, or a prompt is too long for vLLM, which would
            refuse it in the middle of the run.
    """
    limit = prompt_limit(config, context)
    in_context = limit != config.data.max_prompt_length
    setting = "--max-prompt-length"
    if in_context:
        setting = f"the model's context of {context}, less --max-completion-length"

    def lengths(some: Sequence[Record]) -> Sequence[int]:
        return token_lengths(some, lambda record: render(tokenizer, record.prompt), tokenizer)

    def bounded(some: Sequence[Record]) -> Sequence[int]:
        return bounded_lengths(some, limit or 0, lambda record: render(tokenizer, record.prompt), tokenizer)

    fitted = Fitted(records, 0, 0)
    if limit is not None:
        fitted = fit_records(records, limit, bounded if in_context else lengths)
    if not fitted.records:
        raise DataError(f"no prompt fits into {limit} tokens ({setting})")
    rollout, longest_completion = config.rollout, config.max_completion_length
    if rollout.use_vllm and rollout.vllm_max_model_length is not None:
        room = rollout.vllm_max_model_length - longest_completion
        longest = max(lengths(fitted.records))
        if longest > room:
            raise ConfigError(
                f"the longest prompt has {longest} tokens, but --vllm-max-model-length "
                f"{rollout.vllm_max_model_length} leaves {room} beside a completion of {longest_completion}; "
                f"set --max-prompt-length {max(room, 16)}, which never cuts the last turn, or raise the limit"
            )
    return fitted
