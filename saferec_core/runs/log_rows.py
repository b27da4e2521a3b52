"""Rows of the logs that a run writes line by line, also of one that was killed while it wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from saferec_core.data.rows import numbered_lines, parsed_object
from saferec_core.errors import DataError

__all__ = ["log_rows"]


def log_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows of a log with their line numbers; without a last line that was cut off.

    Args:
        path: Such as ``rollouts.jsonl``; without such a file there are no rows.

    Raises:
        DataError: Another line is damaged; the message names file and line.
    """
    for number, line in numbered_lines(path) if path.is_file() else ():
        row = parsed_object(line)
        if not isinstance(row, DataError):
            yield number, row
        elif line.endswith(b"\n"):
            raise DataError(f"{path}, line {number}: {row}")
