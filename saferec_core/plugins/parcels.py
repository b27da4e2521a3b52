"""Send components to other processes, which know nothing yet of plugins that are single files.

A class of an installed package is imported by its name wherever it is unpickled. The module of a file that a
run names by ``--plugin`` has no such name, and is imported from its file first. The entries that classes were
loaded from go along, so that a component is named, and trusted if it is built in, as where it was built.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from saferec_core.plugins.registry import imported_files, loaded_entries, module_of_file, note_entries

__all__ = ["packed", "unpacked"]


def packed(content: Any) -> bytes:
    """Pickle something that components may be part of.

    Raises:
        Exception: What it consists of cannot be pickled; of any class.
    """
    return pickle.dumps((list(map(str, imported_files())), loaded_entries(), pickle.dumps(content)))


def unpacked(parcel: bytes) -> Any:
    """Return in another process what was packed in one of the same user.

    Raises:
        Exception: A plugin cannot be imported here; of any class.
    """
    files, entries, content = pickle.loads(parcel)  # noqa: S301 - written by a process of saferec
    for file in files:
        module_of_file(Path(file))
    components = pickle.loads(content)  # noqa: S301 - the same
    note_entries(entries)  # their modules are imported now
    return components
