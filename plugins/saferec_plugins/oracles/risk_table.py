"""Read a table of risks, and the weights of the parental guide."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from saferec_core.data.cell_text import not_as_text
from saferec_core.data.machine_cache import SMALLEST
from saferec_core.data.rows import read_rows
from saferec_core.data.title_cells import plain_columns, title_of_row
from saferec_core.data.title_tiers import Tiers
from saferec_core.data.titles import Title, TitleIndex
from saferec_core.errors import DataError
from saferec_core.oracle_files.deciding import Risks
from saferec_core.plugins.contracts.oracle import Evidence
from saferec_plugins.oracles.risk import MOST_SEVERE, trait_risk
from saferec_plugins.oracles.stated_risks import StatedRisks, Weights

if TYPE_CHECKING:
    from saferec_plugins.oracles.mapped_risks import MappedRisks

__all__ = ["RiskTable", "read_weights", "risk_rows", "shared_table"]

IN_MEMORY = 100_000
"""Titles that are kept as Python objects; of more, all are mapped from a file."""


class RiskTable(StatedRisks):
    """A table of stated risks, in memory."""

    def __init__(self, path: Path, weights: Weights, risks: Mapping[Title, Mapping[str, float]]) -> None:
        """Index *risks*, which `risk_rows` read from the table at *path*."""
        self.traits = frozenset(weights).union(*risks.values())
        """The traits that the table has a risk for."""
        self._path = path
        self._titles, self._risks = list(risks), list(risks.values())
        self._index = TitleIndex(risks)

    def tiers(self, name: str, year: int | None, *, tolerance: int) -> Tiers:
        """Return the rows that may be meant by a title, the nearest first."""
        return self._index.tiers(name, year, tolerance=tolerance)

    def risks_of(self, row: int, trait: str) -> Risks | None:
        """Return the risk that the table states, as the lowest and the highest; None if it states none."""
        risk = self._risks[row].get(trait)
        return None if risk is None else Risks(risk, risk)

    def title(self, row: int) -> Title:
        """Return the title of a row."""
        return self._titles[row]

    def evidence(self, row: int, traits: Collection[str]) -> list[Evidence]:
        """Return the risks of a title for some traits: nothing else is known about them."""
        return [
            Evidence(trait, risk, self._path.name, "risk stated in the table")
            for trait, risk in self._risks[row].items()
            if trait in traits
        ]


def shared_table(path: Path, traits_path: Path | None) -> RiskTable | MappedRisks:
    """Return a table that a process reads only once for all of its oracles, unless the files change.

    Of more than ``IN_MEMORY`` titles none is kept in memory: they are indexed once on a machine, in a file
    that all processes map.

    Args:
        path: The table; see `risk_rows`.
        traits_path: The weights; see `read_weights`.
    """
    return _table(path, _state(path), traits_path, _state(traits_path))


@lru_cache(maxsize=1)
def _table(
    path: Path, _table_state: object, traits_path: Path | None, _traits_state: object
) -> RiskTable | MappedRisks:
    weights = {} if traits_path is None else read_weights(traits_path)
    if path.is_file() and path.stat().st_size >= SMALLEST:
        from saferec_plugins.oracles.mapped_risks import mapped_earlier  # Arrow; not for small tables

        if (mapped := mapped_earlier(path, weights)) is not None:
            return mapped
    rows = risk_rows(path, weights)
    risks: dict[Title, Mapping[str, float]] = {}
    for title, risk in rows:
        _add(risks, title, risk)
        if len(risks) > IN_MEMORY:
            from saferec_plugins.oracles.mapped_risks import map_risks

            return map_risks(path, weights, chain(risks.items(), rows))
    if not risks:
        raise DataError(f"oracle table {path} is empty; expected rows with title, year and risk")
    return RiskTable(path, weights, risks)


def _state(path: Path | None) -> tuple[int, ...] | None:
    """Return what changes with a file."""
    if path is None or not path.exists():
        return None
    state = path.stat()
    return state.st_ino, state.st_size, state.st_mtime_ns


def risk_rows(path: Path, weights: Weights) -> Iterator[tuple[Title, Mapping[str, float]]]:
    """Yield the title of every row with its risk for every trait in the row.

    Raises:
        DataError: The table is missing, or a row is malformed.
    """
    for number, row in enumerate(map(plain_columns, read_rows(path)), start=1):
        where = f"oracle table {path}, row {number}"
        yield title_of_row(row, where), _risk(row, weights, where)


def _add(risks: dict[Title, Mapping[str, float]], title: Title, risk: Mapping[str, float]) -> None:
    """Add a row; of several for one title the highest risk counts."""
    before = risks.get(title, {})
    risks[title] = {trait: max(before.get(trait, 0.0), risk.get(trait, 0.0)) for trait in {**before, **risk}}


def read_weights(path: Path) -> Weights:
    """Read ``{trait: [weight, ...]}``.

    Raises:
        DataError: The file cannot be read or holds something else.
    """
    try:
        weights = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"trait weights {path} cannot be read: {error}") from error
    if not isinstance(weights, Mapping):
        raise DataError(f"trait weights {path}: expected {{trait: [weight, ...]}}, but got {weights!r}")
    for trait, row in weights.items():
        if not _numbers(row, most=float("inf")) or not any(row):
            raise DataError(
                f"trait weights {path}: {trait!r} must have a list of weights of at least 0, not all 0, "
                f"but has {row!r}"
            )
    return weights


def _risk(row: Mapping[str, Any], weights: Weights, where: str) -> Mapping[str, float]:
    stated = not_as_text(row.get("risk"), f"{where}: risk")
    if isinstance(stated, Mapping):
        return _stated_risk(stated, where)
    if stated is not None:
        raise DataError(f"{where}: risk must be an object of trait and risk, but is {stated!r:.60}")
    if "warnings" not in row and "severity" not in row:
        raise DataError(f"{where}: expected risk, or warnings and severity; columns: {', '.join(row)}")
    warnings, severity = (not_as_text(row.get(name), f"{where}: {name}") for name in ("warnings", "severity"))
    if warnings is not None and not (
        isinstance(warnings, list) and all(isinstance(trait, str) for trait in warnings)
    ):
        raise DataError(f"{where}: warnings must be a list of trait names, but is {warnings!r}")
    raised = dict.fromkeys(warnings or (), 1.0)
    if severity is None:
        unraised = {} if warnings is None else dict.fromkeys(weights, 0.0)
        return {**unraised, **raised}
    if not weights:
        raise DataError(f"{where} has severities, but the oracle has no traits_path with weights")
    categories = {len(row) for row in weights.values()}
    if not _numbers(severity, most=MOST_SEVERE) or {len(severity)} != categories:
        raise DataError(
            f"{where}: severity must be a list of {max(categories)} numbers in 0..{MOST_SEVERE}, one for "
            f"each weight, but is {severity!r}"
        )
    guided = {
        trait: trait_risk(warning=trait in raised, severities=severity, weights=relevance)
        for trait, relevance in weights.items()
    }
    return {**raised, **guided}


def _stated_risk(risk: Mapping[str, Any], where: str) -> Mapping[str, float]:
    stated = {trait: value for trait, value in risk.items() if value is not None}
    for trait, value in stated.items():
        if (type(value) is not float and not _is_number(value)) or not 0 <= value <= 1:
            raise DataError(f"{where}: the risk of {trait!r} must be in 0..1, but is {value!r}")
    return stated


def _numbers(values: Any, *, most: float) -> bool:
    """Return whether *values* is a list of numbers in 0..most."""
    return isinstance(values, list) and all(_is_number(value) and 0 <= value <= most for value in values)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
