"""One result of an examination."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

__all__ = ["Finding", "Status"]

Status = Literal["ok", "warning", "problem"]
"""A warning costs speed or memory; a problem makes runs fail or give wrong results."""


@dataclass(frozen=True)
class Finding:
    """What was examined, how it is, and what to do about it."""

    topic: str
    status: Status
    detail: str
    remedy: str = ""
    """Empty where nothing needs to be done."""

    def as_data(self) -> dict[str, str]:
        """Return the finding as JSON has it."""
        return asdict(self)
