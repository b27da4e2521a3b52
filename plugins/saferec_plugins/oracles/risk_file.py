"""An oracle file, asked as a table of risks is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from saferec_core.oracle_files.format import OracleFile
from saferec_core.plugins.contracts.oracle import Evidence

__all__ = ["RiskFile"]

_DECIMALS = 6
"""Digits of a risk that a float32 holds: it is 0.7 then, not 0.699999988."""


class RiskFile:
    """The risks of an oracle file, read where they lie in the mapped file."""

    def __init__(self, path: Path, *, risk_threshold: float) -> None:
        """Open the file at *path*."""
        self._file = OracleFile(path)
        self._risks = {trait: self._file.risks(trait) for trait in self._file.traits}
        self.traits = frozenset(self._file.traits)
        """The traits that the file has a column for."""
        self.threshold = risk_threshold - 0.5 * 10**-_DECIMALS
        """A risk of at least this is a violation; what was rounded down still reaches the threshold."""

    def find_many(self, names: Sequence[str], years: Sequence[int | None], *, tolerance: int) -> list[int]:
        """Return the rows of titles, -1 for one that is not known."""
        rows: list[int] = self._file.find_many(names, years, tolerance=tolerance).tolist()
        return rows

    def risk(self, row: int, trait: str) -> float | None:
        """Return the risk of a title for a trait, None if it is not known."""
        risk = float(self._risks[trait][row])
        return None if risk != risk else round(risk, _DECIMALS)

    def evidence(self, row: int, traits: Collection[str]) -> list[Evidence]:
        """Return what the risks of a title for some traits rest on."""
        return [evidence for evidence in self._file.evidence(row) if evidence.trait in traits]
