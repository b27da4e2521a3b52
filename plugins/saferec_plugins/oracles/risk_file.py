"""An oracle file with the interface of a table of risks."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from saferec_core.data.title_tiers import Tiers
from saferec_core.data.titles import Title
from saferec_core.oracle_files.deciding import Risks
from saferec_core.oracle_files.format import OracleFile
from saferec_core.plugins.contracts.oracle import Evidence

__all__ = ["RiskFile"]


class RiskFile:
    """The risks of an oracle file, read from the mapped file."""

    def __init__(self, path: Path) -> None:
        """Open the file at *path*."""
        self._file = OracleFile(path)
        self.traits = frozenset(self._file.traits)
        """The traits that the file has a column for."""

    def tiers(self, name: str, year: int | None, *, tolerance: int) -> Tiers:
        """Return the rows that may be meant by a title, the nearest first."""
        return self._file.tiers(name, year, tolerance=tolerance)

    def risks_of(self, row: int, trait: str) -> Risks | None:
        """Return the lowest and the highest risk that sources give, None without evidence."""
        return self._file.risks_of(row, trait)

    def model_risks_of(self, row: int, trait: str) -> Risks | None:
        """Return the lowest and the highest risk that models give, None without evidence."""
        return self._file.model_risks_of(row, trait)

    def work_of(self, row: int) -> int:
        """Return the number that entries of one work share."""
        return self._file.work_of(row)

    def title(self, row: int) -> Title:
        """Return the title of an entry."""
        return self._file.title(row)

    def evidence(self, row: int, traits: Collection[str]) -> list[Evidence]:
        """Return the evidence of an entry for some traits."""
        return [evidence for evidence in self._file.evidence(row) if evidence.trait in traits]
