"""Send components to other processes, which know nothing yet of plugins that are single files.

A class of an installed package is imported by its name wherever it is unpickled. The module of a file that a
run names by ``--plugin`` has no such name, and is imported from its file first.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from saferec_core.plugins.registry import imported_files, module_of_file

__all__ = ["packed", "unpacked"]


def packed(content: Any) -> bytes:
    """Pickle something that components may be part of.

    Raises:
        Exception: What it consists of cannot be pickled; of any class.
    """
    return pickle.dumps((list(map(str, imported_files())), pickle.dumps(content)))


def unpacked(parcel: bytes) -> Any:
    """Return in another process what was packed in one of the same user.

    Raises:
        Exception: A plugin cannot be imported here; of any class.
    """
    files, content = pickle.loads(parcel)  # noqa: S301 - written by a process of saferec
    for file in files:
        module_of_file(Path(file))
    return pickle.loads(content)  # noqa: S301 - the same
