"""What keeps the engines from reading a model, an adapter or a tokenizer, in a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from safetensors import SafetensorError

from saferec_core.errors import RunError, SaferecError

__all__ = ["misfit", "readable"]


@contextmanager
def readable(what: str, reference: str) -> Iterator[None]:
    """Turn whatever an engine raises of damaged or unfit files into one error that names them.

    Args:
        what: What is read, such as ``"model"``.
        reference: Where it is.

    Raises:
        RunError: It cannot be read.
    """
    try:
        yield
    except (OSError, ValueError, TypeError, KeyError, ImportError, SafetensorError, RuntimeError) as error:
        reason = misfit(error) or ("" if isinstance(error, RuntimeError) else _first_line(error))
        if isinstance(error, SaferecError) or not reason:  # memory that ran out, a fault of the device
            raise
        raise RunError(f"no {what} can be loaded from {reference!r}: {reason}") from error


def misfit(error: Exception) -> str:
    """Return that weights do not have the shapes that a model has, if that is the error; else nothing."""
    text = str(error)
    if "size mismatch for" in text:  # of PEFT, which lists every one
        return "its weights do not fit the model that it is put on, or its settings (adapter_config.json)"
    if "ignore_mismatched_sizes" in text:  # of transformers
        return "its weights do not have the shapes that its config.json states"
    return ""


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
