"""What holds of every table of risks, wherever it is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from saferec_core.oracle_files.deciding import Risks

__all__ = ["StatedRisks", "Weights"]

Weights = Mapping[str, Sequence[float]]
"""Weight of each category of the parental guide, by trait."""


class StatedRisks:
    """A table that states risks of titles, and nothing about where they come from."""

    def model_risks_of(self, _row: int, _trait: str) -> Risks | None:
        """Return None: a table does not state who estimated its risks."""
        return None

    def work_of(self, row: int) -> int:
        """Return the row itself: a table does not state which rows are one work."""
        return row
