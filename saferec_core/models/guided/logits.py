"""Guided decoding for transformers' ``generate``: free text if wanted, then a list."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import LogitsProcessor

from saferec_core.models.guided.allowed import Allowance
from saferec_core.models.guided.guide import Guide, GuidedRows
from saferec_core.models.guided.marker import Marker

__all__ = ["GuidedLogits"]


class GuidedLogits(LogitsProcessor):  # type: ignore[misc]  # transformers is not followed
    """Sets the logits of every token to -inf that cannot lead to a list of allowed titles.

    One is made for each call of ``generate``.
    """

    def __init__(
        self,
        guide: Guide,
        allowances: Sequence[Allowance],
        *,
        device: torch.device | str,
        marker: Marker | None = None,
        free_tokens: int = 0,
    ) -> None:
        """Prepare for a batch.

        Args:
            guide: The automaton of the catalog.
            allowances: What the user of each row may be shown, siblings adjacent.
            device: Where the logits are.
            marker: Text that ends the free part; None: the list begins at once.
            free_tokens: Tokens after which the marker is forced, where the policy has not written it.
        """
        self.rows = GuidedRows(guide, allowances, device)
        self._marker = None if marker is None else marker.rows(len(allowances), free_tokens, device)
        self._begun = False

    def __call__(self, input_ids: Int[Tensor, "N T"], scores: Float[Tensor, "N V"]) -> Float[Tensor, "N V"]:
        """Mask the logits of the next token."""
        tokens = input_ids[:, -1]
        listing = torch.ones(len(tokens), dtype=torch.bool, device=tokens.device)
        if self._begun:
            if self._marker is not None:
                listing = self._marker.complete.clone()
                self._marker.advance(tokens)
            self.rows.advance(tokens, listing)
        self._begun = True
        allowed: Bool[Tensor, "N V"] = self.rows.mask(scores.shape[1])
        if self._marker is not None:
            free = self._marker.mask(scores.shape[1])
            allowed = torch.where(self._marker.complete[:, None], allowed, free)
        return scores.masked_fill(~allowed, float("-inf"))
