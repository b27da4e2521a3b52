"""Keys that change with everything that determines the result of a step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import saferec_core
from saferec_core.files import data_hash, json_hash
from saferec_core.plugins.contracts.transform import Transform
from saferec_core.plugins.identity import code_hash, options_of
from saferec_core.plugins.registry import Entry

__all__ = ["input_key", "step_key"]


def input_key(path: Path) -> str:
    """Return the key of a chain's input: its content."""
    return data_hash(path)


def step_key(before: str, entry: Entry[Any], transform: Transform) -> str:
    """Return the key of a step.

    It changes with the previous step, with the transform's version, its package's code and the core's, with
    its options and with the content of every file that they name. Options that a class names in
    ``incidental`` do not count: they change how the work is done, not what comes out.

    Args:
        before: Key of the previous step, or of the input.
        entry: Registry entry of the transform.
        transform: The transform itself.
    """
    content = {
        "before": before,
        "saferec": saferec_core.__version__,
        "reference": entry.reference,
        "version": f"{entry.origin.distribution} {entry.origin.version}",
        "code": [code_hash("saferec_core"), code_hash(type(transform).__module__.partition(".")[0])],
        "options": options_of(transform, without=transform.incidental),
    }
    return json_hash(content)
