"""The account of a step: rows read, written, removed and rejected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["EXAMPLES", "StepAccount"]

EXAMPLES = 12
"""Number of examples that are kept for each count."""


@dataclass
class StepAccount:
    """Counts of one step, or of one part of it."""

    step: str
    """Name of the step, such as ``"map-titles"``."""
    read: int = 0
    """Rows that came in, malformed ones included."""
    written: int = 0
    removed: Counter[str] = field(default_factory=Counter)
    """Rows left out on purpose, by reason."""
    rejected: int = 0
    """Rows that could not be used."""
    rejections: list[str] = field(default_factory=list)
    """The first rejections, each with file, line and reason."""
    counted: dict[str, float] = field(default_factory=dict)
    """Further counts of the transform, in order of first occurrence."""
    examples: dict[str, list[str]] = field(default_factory=dict)
    """The first few different examples of what was counted."""
    groups: dict[str, str] = field(default_factory=dict)
    """Groups of the counts, where they have one."""

    sizes: dict[str, int] = field(default_factory=dict)
    """Sizes of its files in bytes, by kind; a file of another size is incomplete."""

    def count(self, what: str, times: float, example: str | None, group: str = "") -> None:
        """Add to what the transform counted."""
        self.counted[what] = self.counted.get(what, 0) + times
        if group:
            self.groups[what] = group
        if example is not None:
            self._keep(what, [example])

    def add(self, part: StepAccount) -> None:
        """Add the account of the next part."""
        self.read += part.read
        self.written += part.written
        self.removed.update(part.removed)
        self.rejected += part.rejected
        self.rejections = [*self.rejections, *part.rejections][:EXAMPLES]
        for what, times in part.counted.items():
            self.count(what, times, None, part.groups.get(what, ""))
        for what, examples in part.examples.items():
            self._keep(what, examples)

    def as_json(self) -> dict[str, Any]:
        """Return the account as JSON values."""
        return {
            name: dict(value) if isinstance(value, Counter) else value for name, value in vars(self).items()
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> StepAccount:
        """Read what :meth:`as_json` returned."""
        return cls(**{**content, "removed": Counter(content["removed"])})

    def _keep(self, what: str, examples: list[str]) -> None:
        kept = self.examples.setdefault(what, [])
        if len(kept) == EXAMPLES:
            return
        kept += [example for example in dict.fromkeys(examples) if example not in kept][
            : EXAMPLES - len(kept)
        ]
