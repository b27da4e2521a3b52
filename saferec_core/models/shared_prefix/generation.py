"""Generating the completions of one prompt with the prompt computed once.

transformers' ``generate`` gets every prompt as often as it has completions, and passes each copy through
the model. `SharedGeneration` computes a prompt once, copies its keys and values to its completions, and
lets ``generate`` continue from there, in rounds after which completions that have ended leave the batch.
What is sampled, and by which logits processors, remains transformers' matter: greedy completions are the
same token for token, and sampled ones follow the same distribution.
"""

from __future__ import annotations

import copy
import inspect
import types
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor
from transformers import DynamicCache

__all__ = ["share_generation"]

ROUND = 32
"""Tokens that are generated before completions that have ended leave the batch."""

_PLAIN = ("input_ids", "attention_mask", "generation_config", "logits_processor", "synced_gpus")
"""What a call of ``generate`` may pass for prompts to be shared; anything else is left to transformers."""


_OF_THE_WHOLE: dict[str, Any] = {
    "begin_suppress_tokens": None,
    "encoder_no_repeat_ngram_size": 0,
    "encoder_repetition_penalty": 1,
    "exponential_decay_length_penalty": None,
    "forced_eos_token_id": None,
    "guidance_scale": 1,
    "max_time": None,
    "watermarking_config": None,
}
"""Settings that go by where the prompt ends or the completion has to, or that remember what was generated or
when that began, and what turns them off: in rounds they would go by the round."""


def share_generation(model: Any) -> None:
    """Let the ``generate`` of *model* (of transformers, without wrappers) compute equal rows once.

    Nothing changes for calls in which no two rows are equal, whose configuration asks for more than
    sampling or greedy decoding, or that pass what is not in ``_PLAIN``; neither for static caches.
    """
    if getattr(model.generate, "shares_prompts", False):
        return
    plain = model.generate

    def generate(self: Any, **options: Any) -> Any:
        asked = {name for name, value in options.items() if value is not None}
        config = options.get("generation_config")
        if asked <= {*_PLAIN} and asked >= {*_PLAIN[:3]} and _is_simple(config, self):
            ids, mask = options["input_ids"], options["attention_mask"]
            distinct, copy_of = torch.unique(torch.stack([ids, mask]), dim=1, return_inverse=True)
            if distinct.shape[1] < len(ids) and ids.shape[1] > 1:
                further = {name: options[name] for name in _PLAIN[3:] if options.get(name) not in (None, [])}
                return _generate(self, plain, distinct, copy_of, ids, mask, config, further)
        return plain(**options)

    generate.shares_prompts = True  # type: ignore[attr-defined]
    model.generate = types.MethodType(generate, model)


def _is_simple(config: Any, model: Any) -> bool:
    """Return whether what is asked for is one sequence per row, in a cache that grows."""
    asked = partial(_setting, config, model)
    return (
        (asked("num_beams") or 1) == 1
        and (asked("num_return_sequences") or 1) == 1
        and not asked("return_dict_in_generate")
        and asked("cache_implementation") in (None, "dynamic")
        and asked("use_cache") is not False
        and config.max_new_tokens is not None
        and all(asked(name) in (None, off) for name, off in _OF_THE_WHOLE.items())
    )


def _setting(config: Any, model: Any, name: str) -> Any:
    """Return what ``generate`` goes by: a setting of the call, else of the model."""
    value = getattr(config, name, None)
    return getattr(model.generation_config, name, None) if value is None else value


@torch.no_grad()
def _generate(
    model: Any,
    plain: Any,
    distinct: Int[Tensor, "2 P L"],
    copy_of: Int[Tensor, " N"],
    ids: Int[Tensor, "N L"],
    mask: Int[Tensor, "N L"],
    config: Any,
    further: dict[str, Any],
) -> Int[Tensor, "N X"]:
    """Continue N rows that are copies of P prompts; return them padded on the right, as ``generate`` does."""
    cache = _prefilled(model, distinct[0, :, :-1], distinct[1, :, :-1])
    cache.batch_select_indices(copy_of)
    ends = _end_tokens(config, model)
    # A processor may count rows and tokens, and so may a least length: then nothing leaves.
    least = any(_setting(config, model, name) for name in ("min_new_tokens", "min_length"))
    whole = "logits_processor" in further or not ends or least
    longest = ids.shape[1] + config.max_new_tokens
    pad = _setting(config, model, "pad_token_id")
    pad = next(iter(ends), 0) if pad is None else pad
    result = ids.new_full((len(ids), longest), pad)
    rows = torch.arange(len(ids), device=ids.device)
    length = ids.shape[1]
    while length < longest and len(rows):
        part = copy.deepcopy(config)
        part.max_new_tokens = longest - length if whole else min(ROUND, longest - length)
        ids = plain(
            input_ids=ids, attention_mask=mask, generation_config=part, past_key_values=cache, **further
        )
        written, length = slice(length, ids.shape[1]), ids.shape[1]
        result[rows, :length] = ids
        if whole:
            break
        ended = torch.isin(ids[:, written], torch.tensor(ends, device=ids.device)).any(1)
        going = (~ended).nonzero()[:, 0]
        mask = torch.cat([mask, mask.new_ones(len(mask), written.stop - written.start)], dim=1)
        if len(going) < len(rows) and len(going):
            rows, ids, mask = rows[going], ids[going], mask[going]
            cache.batch_select_indices(going)
        elif not len(going):
            break
    return result[:, :length]


def _prefilled(model: Any, ids: Int[Tensor, "P L"], mask: Int[Tensor, "P L"]) -> DynamicCache:
    """Return the keys and values of prompts that are padded on the left."""
    cache = DynamicCache(config=model.config)
    options: dict[str, Any] = {}
    if "position_ids" in inspect.signature(model.base_model.forward).parameters:
        options["position_ids"] = (mask.cumsum(1) - 1).clamp(min=0)
    model.base_model(input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=True, **options)
    return cache


def _end_tokens(config: Any, model: Any) -> Sequence[int]:
    """Return the tokens that end a completion."""
    ends = _setting(config, model, "eos_token_id")
    return [] if ends is None else [ends] if isinstance(ends, int) else list(ends)
