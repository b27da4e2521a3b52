"""Reports of runs: one HTML page with the figures, the curves and the lists themselves."""

from __future__ import annotations

from saferec_core.report.writing import write_report

__all__ = ["write_report"]
