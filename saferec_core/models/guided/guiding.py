"""What guides each prompt of a generation."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import LogitsProcessor

from saferec_core.models.guided.allowed import Allowance
from saferec_core.models.guided.guide import Guide
from saferec_core.models.guided.marker import Marker
from saferec_core.models.guided.rows import GuidedRows

__all__ = ["Guiding"]


@dataclass(frozen=True)
class Guiding:
    """The automaton of a catalog, and what the user of each prompt may be shown."""

    guide: Guide
    allowances: Sequence[Allowance]
    """One for each prompt, in their order."""
    marker: Marker | None = None
    """Text that ends a free part in front of the list; None: the list begins at once."""
    free_tokens: int = 0
    """Tokens after which the marker is forced, where the policy has not written it by then."""

    @property
    def longest(self) -> int:
        """Return the tokens of the longest completion; a limit below it would cut lists off."""
        free = 0 if self.marker is None else self.free_tokens + len(self.marker.ids)
        return free + self.guide.longest

    def of(self, prompts: Sequence[int]) -> Guiding:
        """Return what guides some of the prompts."""
        chosen = [self.allowances[prompt] for prompt in prompts]
        return Guiding(self.guide, chosen, self.marker, self.free_tokens)

    def logits_processor(self, siblings: int, device: torch.device | str) -> LogitsProcessor:
        """Return what masks the logits of one call of ``generate``, given the completions per prompt."""
        rows = [allowance for allowance in self.allowances for _ in range(siblings)]
        return _GuidedLogits(self, rows, device)

    def keys(self) -> list[str]:
        """Return a short text per prompt that is the same wherever the same completions may be written."""
        front = "" if self.marker is None else f" after {self.free_tokens} and {self.marker.text!r}"
        masks: dict[int, str] = {}
        for allowance in self.allowances:
            if id(allowance.safe) not in masks:
                masks[id(allowance.safe)] = hashlib.sha256(allowance.safe.tobytes()).hexdigest()[:16]
        return [f"{masks[id(allowance.safe)]} {allowance.seen}{front}" for allowance in self.allowances]


class _GuidedLogits(LogitsProcessor):  # type: ignore[misc]  # transformers is not followed
    """Sets the logits of every token to -inf that cannot lead to a list of allowed titles."""

    def __init__(self, guiding: Guiding, rows: Sequence[Allowance], device: torch.device | str) -> None:
        """Begin a completion in every row."""
        self._rows = GuidedRows(guiding.guide, rows, device)
        marker = guiding.marker
        self._marker = None if marker is None else marker.rows(len(rows), guiding.free_tokens, device)
        self._begun = False

    def __call__(self, input_ids: Int[Tensor, "N T"], scores: Float[Tensor, "N V"]) -> Float[Tensor, "N V"]:
        """Mask the logits of the next token."""
        if self._begun:
            self._take(input_ids[:, -1])
        self._begun = True
        guided = self._rows.restrict(scores)
        if self._marker is None:
            return guided
        free = scores.masked_fill(~self._marker.mask(scores.shape[1]), float("-inf"))
        return torch.where(self._marker.complete[:, None], guided, free)

    def _take(self, tokens: Int[Tensor, " N"]) -> None:
        """Take the token that was drawn in each row."""
        if self._marker is None:
            self._rows.advance(tokens)
            return
        listing = self._marker.complete
        self._marker.advance(tokens)
        self._rows.advance(tokens, listing)
