"""Prompts that leave a completion room in the model's context, as training has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from saferec_core.data.records import Message, Record
from saferec_core.data.truncate import fit_records
from saferec_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["encode", "encode_fitting", "ignore", "render", "room_for_prompt"]


def render(tokenizer: PreTrainedTokenizerBase, prompt: Sequence[Message]) -> str:
    """Write a conversation as the policy reads it, up to where its own turn begins."""
    text: Any = tokenizer.apply_chat_template(
        [dict(message) for message in prompt], add_generation_prompt=True, tokenize=False
    )
    return str(text)


def encode(tokenizer: PreTrainedTokenizerBase, prompts: Sequence[Sequence[Message]]) -> list[list[int]]:
    """Return the tokens of conversations as the policy reads them."""
    texts = [render(tokenizer, prompt) for prompt in prompts]
    calling: Any = tokenizer
    ids: list[list[int]] = calling(texts, add_special_tokens=False)["input_ids"] if texts else []
    return ids


def ignore(note: str) -> None:
    """Discard a note: the default of callers that report none."""


def room_for_prompt(context: int | None, longest_completion: int) -> int | None:
    """Return the tokens that a prompt may have: the context but for the completion, at least half of it.

    Args:
        context: Tokens that the model can read; None: it does not say, and any prompt is taken.
        longest_completion: Tokens after which a completion is cut off.
    """
    return None if context is None else max(context - longest_completion, context // 2)


def encode_fitting(
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[Message]],
    room: int | None,
    note: Callable[[str], None] = ignore,
) -> list[list[int]]:
    """Return the tokens of conversations; those that are too long lose their oldest turns, never the last.

    Args:
        tokenizer: The policy's tokenizer.
        prompts: Conversations that end where the policy's turn begins.
        room: Tokens that each may have; None: any number.
        note: Called with a sentence if some were shortened.

    Raises:
        DataError: A last turn alone, with the system message, is too long.
    """
    encoded = encode(tokenizer, prompts)
    long = [] if room is None else [n for n, ids in enumerate(encoded) if len(ids) > room]

    def lengths(records: Sequence[Record]) -> list[int]:
        return list(map(len, encode(tokenizer, [record.prompt for record in records])))

    for number in long:
        fitting = fit_records([Record(prompt=prompts[number])], room or 0, lengths).records
        if not fitting:
            last = prompts[number][-1]["content"]
            raise DataError(
                f"a prompt has {len(encoded[number])} tokens, and even its last turn alone, which is never "
                f"cut, has more than the {room} that the model's context leaves beside a completion. Shorten "
                f"it, or lower max_completion_length. Its last turn begins: {last[:80]!r}"
            )
        (encoded[number],) = encode(tokenizer, [fitting[0].prompt])
    if long:
        note(
            f"{len(long)} of {len(prompts)} prompts lost their oldest turns: the model's context leaves them "
            f"{room} tokens beside a completion."
        )
    return encoded
