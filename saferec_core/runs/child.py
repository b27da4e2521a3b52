"""What every process that a run starts for its own work begins with."""

from __future__ import annotations

import os
import signal
import threading
from multiprocessing import parent_process

__all__ = ["begin_child"]


def begin_child() -> None:
    """Leave Ctrl-C to the parent, and end when it ends, however that happens."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
