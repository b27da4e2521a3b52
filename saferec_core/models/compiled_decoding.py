"""Decoding in a cache of fixed size, for which transformers compiles the step on a GPU."""

from __future__ import annotations

import copy
import types
from typing import Any

from jaxtyping import Float
from torch import Tensor
from transformers import GenerationConfig, StaticCache

__all__ = ["decode_compiled"]


def decode_compiled(model: Any, config: GenerationConfig) -> None:
    """Let the ``generate`` of *model* decode in an `AutocastCache` where it is called with *config*.

    Compiled code is reused for caches of the same length; one is at least as long as those before it.

    Args:
        model: A model of transformers, without wrappers.
        config: What it is called with; changed such that transformers compiles, which TRL turns off.
    """
    config.cache_implementation = "static"
    config.disable_compile = False
    plain = model.generate
    longest = 0

    def generate(self: Any, **options: Any) -> Any:
        nonlocal longest
        config: GenerationConfig | None = options.get("generation_config")
        if config is None or config.cache_implementation != "static":
            return plain(**options)
        longest = max(longest, options["input_ids"].shape[1] + config.max_new_tokens)
        options["generation_config"] = config = copy.deepcopy(config)
        config.cache_implementation = None  # given instead
        return plain(**options, past_key_values=AutocastCache(self.config, max_cache_len=longest))

    model.generate = types.MethodType(generate, model)


class AutocastCache(StaticCache):  # type: ignore[misc]  # transformers does not say what it is
    """A `StaticCache` that keeps keys in the type of values.

    Under autocast, values have the type that is computed in, while position embeddings put keys back into
    that of the weights; attention casts them again. A `StaticCache` refuses two types.
    """

    def update(
        self,
        key_states: Float[Tensor, "B J T D"],
        value_states: Float[Tensor, "B J T D"],
        *args: Any,
        **kwargs: Any,
    ) -> tuple[Float[Tensor, "B J X D"], Float[Tensor, "B J X D"]]:
        """Write the keys and values of a layer behind those before them; return all."""
        keys, values = super().update(key_states.to(value_states.dtype), value_states, *args, **kwargs)
        return keys, values
