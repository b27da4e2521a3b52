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

__all__ = ["fitted_prompts"]


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
    limit, setting = config.data.max_prompt_length, "--max-prompt-length"
    in_context = False
    if context is not None:
        room = context - config.max_completion_length
        if room < 1:
            raise ConfigError(
                f"--max-completion-length {config.max_completion_length} leaves a prompt no room in the "
                f"model's context of {context} tokens; lower it"
            )
        if in_context := limit is None or limit > room:
            limit = room
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
