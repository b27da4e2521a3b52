"""Keep the completions of a prompt together: in micro-batches, and where they are scored in chunks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from saferec_core.models.shared_prefix.packing import prompt_groups

__all__ = ["chunks_of_whole_groups", "whole_groups"]


def chunks_of_whole_groups(
    input_ids: Int[Tensor, "N L"], attention_mask: Int[Tensor, "N L"], completion_width: int, rows: int
) -> Iterator[Int[Tensor, " R"]]:
    """Yield the positions of rows to be scored together without gradients: whole groups, at least one.

    Args:
        input_ids: Prompts and completions.
        attention_mask: Which of them are tokens.
        completion_width: How many of the last columns hold completions.
        rows: How many rows to aim at.
    """
    width = input_ids.shape[1] - completion_width
    chunk: list[int] = []
    for group in prompt_groups(
        input_ids[:, :width].cpu().numpy(), attention_mask[:, :width].cpu().numpy() != 0
    ):
        if chunk and len(chunk) + len(group) > rows:
            yield torch.tensor(chunk, device=input_ids.device)
            chunk = []
        chunk.extend(group)
    yield torch.tensor(chunk, device=input_ids.device)


def whole_groups(batches: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rearrange the rows of shuffled micro-batches so that siblings stand together.

    Groups keep the random order of their first rows, and micro-batches their sizes; a group straddles
    two micro-batches only where those sizes leave no other way.
    """
    first = batches[0]
    joined = {
        name: torch.cat([batch[name] for batch in batches])
        for name, value in first.items()
        if isinstance(value, Tensor) and value.ndim
    }
    prompts, mask = joined["prompt_ids"], joined["prompt_mask"]
    groups = prompt_groups(prompts.cpu().numpy(), mask.cpu().numpy() != 0)
    order = torch.tensor([row for group in groups for row in group], device=prompts.device)
    parts = torch.split(order, [len(batch["prompt_ids"]) for batch in batches])
    return [{**first, **{name: value[rows] for name, value in joined.items()}} for rows in parts]
