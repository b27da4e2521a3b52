"""The global random generators: Python's, and those of NumPy and torch where they are loaded."""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping
from typing import Any

__all__ = ["GENERATORS", "advance_random_state", "random_state", "restore_random_state"]

GENERATORS = "the global random generators"
"""What notes call them."""

RandomState = Mapping[str, Any]
"""The state of each, by the module that has it."""


def random_state() -> RandomState:
    """Return the states of the global random generators: Python's, and NumPy's and torch's if loaded."""
    states: dict[str, Any] = {"random": random.getstate()}
    numpy: Any = sys.modules.get("numpy.random")
    torch: Any = sys.modules.get("torch")
    if hasattr(numpy, "get_state"):
        kind, keys, *others = numpy.get_state()
        states["numpy"] = (kind, keys.tobytes(), *others)
    if hasattr(torch, "get_rng_state"):
        states["torch"] = torch.get_rng_state().numpy().tobytes()
    return states


def restore_random_state(before: RandomState) -> None:
    """Put back what :func:`random_state` returned."""
    random.setstate(before["random"])
    if "numpy" in before and "numpy.random" in sys.modules:
        kind, keys, *others = before["numpy"]
        numpy: Any = sys.modules["numpy"]
        numpy.random.set_state((kind, numpy.frombuffer(keys, dtype=numpy.uint32), *others))
    if "torch" in before and (torch := sys.modules.get("torch")) is not None:
        torch.set_rng_state(torch.frombuffer(bytearray(before["torch"]), dtype=torch.uint8))


def advance_random_state() -> None:
    """Draw a number from each global random generator, so that what was put back is not drawn again."""
    random.random()
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].random()
    if "torch" in sys.modules:
        sys.modules["torch"].rand(())
