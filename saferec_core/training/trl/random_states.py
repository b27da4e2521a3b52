"""The random generators that a training step depends on: Python's, NumPy's and torch's."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

__all__ = ["random_state", "set_random_state"]


def random_state() -> dict[str, Any]:
    """Return the states of all generators, in types that are read without running code."""
    state: dict[str, Any] = {"python": random.getstate()}
    generator: Any = np.random.get_state()  # noqa: NPY002 - the generator that transformers saves
    kind, words, *rest = generator
    state["numpy"] = (kind, torch.from_numpy(words.astype(np.int64)), *rest)
    state["cpu"] = torch.random.get_rng_state()
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def set_random_state(state: Mapping[str, Any]) -> None:
    """Put back what :func:`random_state` returned."""
    random.setstate(state["python"])
    kind, words, *rest = state["numpy"]
    np.random.set_state((kind, words.cpu().numpy().astype(np.uint32), *rest))  # noqa: NPY002
    torch.random.set_rng_state(state["cpu"].cpu())
    if "cuda" in state:
        torch.cuda.set_rng_state_all([generator.cpu() for generator in state["cuda"]])
