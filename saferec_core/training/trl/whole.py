"""A policy that is being trained, whole on every process, to generate with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from transformers import PreTrainedTokenizerBase
from trl.models import unwrap_model_for_generation

from saferec_core.models.loading import Policy

__all__ = ["can_be_sharded", "policy_of"]


@contextmanager
def policy_of(trainer: Any, tokenizer: PreTrainedTokenizerBase) -> Iterator[Policy]:
    """Gather what DeepSpeed ZeRO-3 has partitioned; all processes have to enter, and to leave, together."""
    with unwrap_model_for_generation(trainer.model_wrapped, trainer.accelerator) as model:
        yield Policy(model, tokenizer)


def can_be_sharded(trainer: Any) -> bool:
    """Whether processes may generate different batches; under FSDP every forward pass needs all of them."""
    return not trainer.is_fsdp_enabled
