"""What holds while the engines are at work."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from saferec_cli.interrupting import interruptible

__all__ = ["running"]


@contextmanager
def running(kept: str) -> Iterator[None]:
    """Silence the engines' notices, and end on Ctrl-C by saying what is *kept*.

    Deprecation notices are for saferec's maintainers, whose tests do show them.
    """
    import torch  # slow to import
    from transformers.utils import logging

    if not torch.accelerator.is_available():  # or DeepSpeed writes a notice into what may be JSON
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    logging.set_verbosity_error()
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"(transformers|trl|torch)\.")
    with interruptible(kept):
        yield
