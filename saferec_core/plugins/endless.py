"""Whether what reads rows and yields something has an end."""

from __future__ import annotations

from saferec_core.errors import PluginError

__all__ = ["check_end"]

_ROWS_PER_ROW, _ROWS_AT_LEAST = 1_000, 10_000
"""What yields more than this for each row that it has read has no end."""


def check_end(name: str, yielded: int, read: int, what: str = "rows") -> None:
    """Refuse a plugin that yields far more than it reads, which would fill the disk before anybody looks.

    Raises:
        PluginError: It has probably no end.
    """
    if yielded > _ROWS_AT_LEAST + _ROWS_PER_ROW * read:
        raise PluginError(
            f"{name} has yielded {yielded:,} {what} for {read:,} that it has read; has it no end?"
        )
