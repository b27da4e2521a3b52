"""The rows of a source of evidence; rows that cannot be used are written down."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from numbers import Real
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Self

from saferec_core.data.rows import Row, row_name, try_rows
from saferec_core.data.titles import Title
from saferec_core.data.traits import Trait
from saferec_core.errors import DataError, PluginError, RunError
from saferec_core.plugins.calls import yielded_by
from saferec_core.plugins.contracts.evidence import EvidenceSource, Finding, Findings
from saferec_core.plugins.endless import check_end
from saferec_core.plugins.registry import Entry
from saferec_core.plugins.time_limits import still_working

__all__ = ["YEARS", "Rejects", "SourceRows", "findings_of"]

YEARS = range(1, 10_000)
"""Years that a title may have."""


class Rejects:
    """The rows that could not be used, written as they come, even if the build fails later."""

    def __init__(self, path: Path) -> None:
        """Write to *path* (JSONL) from the first reject on.

        Raises:
            RunError: Another file has that name.
        """
        if path.exists() and not _holds_rejects(path):
            raise RunError(f"{path} already exists and does not hold rejects; move it, or name another out")
        self.path = path
        self.number = 0
        """Rows that were written down."""
        self._draft = path.with_name(f".{path.name}.draft")
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            self._file.close()
            self._draft.replace(self.path)
        elif error[0] is None:
            self.path.unlink(missing_ok=True)  # left by an earlier build

    def add(self, **reject: Any) -> None:
        """Write a row, its origin and what is wrong with it."""
        try:
            if self._file is None:
                self._draft.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._draft.open("w", encoding="utf-8", errors="backslashreplace")
            self._file.write(json.dumps(reject, ensure_ascii=False, default=str) + "\n")
        except OSError as error:
            raise RunError(f"{self.path} cannot be written: {error}") from error
        self.number += 1


def _holds_rejects(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8") as file:
            first = json.loads(file.readline())
    except (OSError, ValueError):
        return False
    return isinstance(first, dict) and {"source", "file", "reason", "row"} <= first.keys()


class SourceRows:
    """The well-formed rows of a source's file; remembers the last row read."""

    def __init__(self, source: str, path: Path, rejects: Rejects) -> None:
        """Read the file at *path*, which is that of the *source*."""
        self.source = source
        self.path = path
        self.rejects = rejects
        self.read = 0
        """Rows so far, malformed ones included."""
        self.rejected = 0
        self.first_reject = ""
        """The first rejected row and what is wrong with it."""
        self.broken = False
        """Whether the file as a whole turned out to be unreadable."""
        self._rows = try_rows(path)
        self._last: tuple[int, Any] | None = None

    def __iter__(self) -> Iterator[Row]:
        return self

    def __next__(self) -> Row:
        while True:
            self.broken = True
            still_working()
            number, row = next(self._rows)  # fails if the file as a whole cannot be read
            self.broken = False
            self.read += 1
            self._last = number, row
            if not isinstance(row, DataError):
                return row
            self._last = number, None
            self.reject(row)

    def reject(self, error: DataError) -> bool:
        """Note that the row that was read last cannot be used; False if there is no such row."""
        if self._last is None:
            return False
        (number, row), self._last = self._last, None
        self.rejected += 1
        where = f"{row_name(self.path)} {number}"
        self.first_reject = self.first_reject or f"{where}: {error}"
        self.rejects.add(source=self.source, file=str(self.path), location=where, reason=str(error), row=row)
        return True


def findings_of(
    rows: SourceRows, entry: Entry[EvidenceSource], source: EvidenceSource, traits: Mapping[str, Trait]
) -> Iterator[Findings]:
    """Yield the findings of the source; after a row that it rejects, it is called again with the rest."""
    yielded = 0
    while True:
        try:
            for findings in yielded_by(str(entry), lambda: source(rows, MappingProxyType(dict(traits)))):
                yielded += 1
                check_end(str(entry), yielded, rows.read, "findings")
                if not isinstance(findings, Findings):
                    raise PluginError(
                        f"evidence {entry.name!r} of {entry.origin} must yield Findings, but yielded "
                        f"{findings!r}"
                    )
                if not isinstance(findings.title, Title):
                    raise PluginError(
                        f"evidence {entry.name!r} of {entry.origin} must give a Title(name, year), but "
                        f"gave {findings.title!r:.100}"
                    )
                if findings.title.year is None or findings.title.year in YEARS:
                    _check_contract(findings, entry, traits)
                    yield findings
                else:
                    rows.reject(DataError(f"expected a year in 1..9999, but got {findings.title.year}"))
        except DataError as error:
            if rows.broken or not rows.reject(error):
                raise
        else:
            break
    if next(rows, None) is not None:
        raise PluginError(f"{entry} stopped before it had read all rows of {rows.path}")


def _check_contract(findings: Findings, entry: Entry[EvidenceSource], traits: Mapping[str, Trait]) -> None:
    seen: set[str] = set()
    for finding in findings.findings:
        if not isinstance(finding, tuple) or len(finding) != len(Finding._fields):
            raise PluginError(
                f"evidence {entry.name!r} of {entry.origin} must give a Finding(trait, risk, detail) "
                f"for each trait, but gave {finding!r} ({findings.title})"
            )
        trait, risk, detail = finding
        is_number = isinstance(risk, Real) and not isinstance(risk, bool)
        if not isinstance(trait, str) or trait not in traits or not is_number or not 0 <= risk <= 1:
            raise PluginError(
                f"evidence {entry.name!r} of {entry.origin} must give risks in 0..1 for traits it is asked "
                f"for, but gave {risk!r} for {trait!r} ({findings.title})"
            )
        if trait in seen:
            raise PluginError(
                f"evidence {entry.name!r} of {entry.origin} must give at most one Finding for a trait and "
                f"row, but gave two for {trait!r} ({findings.title})"
            )
        seen.add(trait)
        if not isinstance(detail, str):
            raise PluginError(
                f"evidence {entry.name!r} of {entry.origin} must say in words what a risk rests on, but gave "
                f"{detail!r} for {trait!r} ({findings.title})"
            )
