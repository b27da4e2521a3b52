"""Lay the rows of a batch out so that every prompt stands there once.

A batch of N rows, each a prompt and a completion, becomes one row of T tokens without padding:

    prompt 1 but its last token | last token, completion 1 but its last token | completion 2 | ... | prompt 2

A completion's segment starts with the prompt's last token because that is where its first token is
predicted: every position of a segment then predicts exactly one token of its own completion. Positions
count from the start of the prompt in every segment, so that siblings occupy the same positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["PackedGroups", "PromptGroup", "pack", "prompt_groups"]


@dataclass(frozen=True)
class PromptGroup:
    """Where one prompt and its completions stand in the packed row."""

    start: int
    """Position of the prompt's first token in the packed row."""
    prefix: int
    """Tokens that the completions share: the prompt without its last token."""
    completions: tuple[int, ...]
    """Tokens of each completion that has any."""

    @property
    def stop(self) -> int:
        """Position after the group's last token."""
        return self.start + self.prefix + sum(self.completions)


@dataclass(frozen=True)
class PackedGroups:
    """One row that holds every prompt of a batch once, and how to read results out of it.

    Shapes: N rows of the batch, C columns of their completions, T tokens of the packed row, M tokens
    of completions.
    """

    token_ids: Int[Tensor, "1 T"]
    position_ids: Int[Tensor, "1 T"]
    scored: Int[Tensor, " M"]
    """Positions of the packed row that predict a token of a completion, in the order of ``targets``."""
    targets: Int[Tensor, " M"]
    """The tokens that they predict."""
    groups: tuple[PromptGroup, ...]
    completion_mask: Bool[Tensor, "N C"]
    """Tokens of completions in the batch, its rows in packed order."""
    rows: Int[Tensor, " N"]
    """Position in packed order of each row of the batch."""

    def unpack(self, values: Float[Tensor, " M"]) -> Float[Tensor, "N C"]:
        """Put one value per scored token where the token stands in the batch; 0 elsewhere."""
        packed = values.new_zeros(self.completion_mask.shape).masked_scatter(self.completion_mask, values)
        return packed.index_select(0, self.rows)

    @property
    def size(self) -> int:
        """Tokens of the packed row (T)."""
        return self.token_ids.shape[1]

    @cached_property
    def segments(self) -> PackedSegments:
        """The packed row as sequences of queries and of keys, for kernels that take such."""
        return _segments(self.groups, self.token_ids.device)

    @cached_property
    def slots(self) -> tuple[Int[Tensor, " M"], ...]:
        """For each group, where its completions' tokens go in a padded (completions x longest) block."""
        return tuple(_slots(group.completions).to(self.token_ids.device) for group in self.groups)


@dataclass(frozen=True)
class PackedSegments:
    """Every prefix and every completion as a sequence of its own; completions see their prefix, too.

    Shapes: S sequences, T queries, U keys. A prefix's tokens occur as keys once for themselves and once
    for each of its completions.
    """

    query_starts: Int[Tensor, " S+1"]
    key_starts: Int[Tensor, " S+1"]
    keys: Int[Tensor, " U"]
    """Position in the packed row of every key."""
    longest_query: int
    longest_key: int


def prompt_groups(prompts: np.ndarray, prompt_mask: np.ndarray) -> list[list[int]]:
    """Return the rows that share each prompt, prompts in the order in which they first occur.

    Args:
        prompts: Token ids of the prompts with their padding, shape (N, P).
        prompt_mask: Which of them are tokens of the prompt, shape (N, P).
    """
    groups: dict[bytes, list[int]] = {}
    for row, (ids, mask) in enumerate(zip(prompts, prompt_mask, strict=True)):
        groups.setdefault(ids[mask].tobytes(), []).append(row)
    return list(groups.values())


def pack(
    input_ids: Int[Tensor, "N L"], attention_mask: Int[Tensor, "N L"], completion_width: int
) -> PackedGroups | None:
    """Pack rows that consist of a prompt and a completion.

    Args:
        input_ids: Prompts and completions, padded on any side.
        attention_mask: Which of them are tokens (not 0).
        completion_width: How many of the last columns hold the completions.

    Returns:
        None where nothing can be packed: a prompt without tokens, or no completion with any.
    """
    device = input_ids.device
    ids, mask = input_ids.cpu().numpy(), attention_mask.cpu().numpy() != 0
    width = ids.shape[1] - completion_width
    prompt_ids, prompt_mask = ids[:, :width], mask[:, :width]
    completion_ids, completion_mask = ids[:, width:], mask[:, width:]
    if not prompt_mask.any(1).all() or not completion_mask.any():
        return None
    tokens: list[np.ndarray] = []
    positions: list[np.ndarray] = []
    scored: list[np.ndarray] = []
    targets: list[np.ndarray] = []
    groups: list[PromptGroup] = []
    order: list[int] = []
    size = 0
    for rows in prompt_groups(prompt_ids, prompt_mask):
        order.extend(rows)
        completions = [completion_ids[row][completion_mask[row]] for row in rows]
        completions = [completion for completion in completions if completion.size]
        if not completions:
            continue
        prompt = prompt_ids[rows[0]][prompt_mask[rows[0]]]
        prefix = len(prompt) - 1
        groups.append(PromptGroup(size, prefix, tuple(map(len, completions))))
        tokens.append(prompt[:prefix])
        positions.append(np.arange(prefix))
        size += prefix
        for completion in completions:
            tokens.extend((prompt[prefix:], completion[:-1]))
            positions.append(np.arange(prefix, prefix + len(completion)))
            scored.append(np.arange(size, size + len(completion)))
            targets.append(completion)
            size += len(completion)
    back = np.empty(len(order), dtype=np.int64)
    back[order] = np.arange(len(order))

    def tensor(parts: Sequence[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.concatenate(parts).astype(np.int64)).to(device)

    return PackedGroups(
        token_ids=tensor(tokens)[None],
        position_ids=tensor(positions)[None],
        scored=tensor(scored),
        targets=tensor(targets),
        groups=tuple(groups),
        completion_mask=torch.from_numpy(completion_mask[order]).to(device),
        rows=torch.from_numpy(back).to(device),
    )


def _segments(groups: Sequence[PromptGroup], device: torch.device) -> PackedSegments:
    queries: list[int] = []
    keys: list[np.ndarray] = []
    for group in groups:
        prefix = np.arange(group.start, group.start + group.prefix)
        if group.prefix:
            queries.append(group.prefix)
            keys.append(prefix)
        start = group.start + group.prefix
        for length in group.completions:
            queries.append(length)
            keys.append(np.concatenate([prefix, np.arange(start, start + length)]))
            start += length
    lengths = [len(part) for part in keys]

    def starts(values: Sequence[int]) -> Tensor:
        return torch.tensor(np.cumsum([0, *values]), dtype=torch.int32, device=device)

    return PackedSegments(
        query_starts=starts(queries),
        key_starts=starts(lengths),
        keys=torch.from_numpy(np.concatenate(keys)).to(device),
        longest_query=max(queries),
        longest_key=max(lengths),
    )


def _slots(completions: Sequence[int]) -> Int[Tensor, " M"]:
    longest = max(completions)
    return torch.cat([torch.arange(length) + row * longest for row, length in enumerate(completions)])
