"""Ask an oracle about one title, and have it explain itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from saferec_core.config.sections import DEFAULT_ORACLE, ComponentChoice
from saferec_core.data.catalog import read_catalog
from saferec_core.data.titles import Title
from saferec_core.oracle_files.deciding import OPEN_FROM, RISK_THRESHOLD
from saferec_core.oracle_files.format import OracleFile
from saferec_core.oracle_files.near_titles import near_titles, years_apart
from saferec_core.plugins.build import build_oracle
from saferec_core.plugins.contracts.oracle import Evidence, Explaining, Question

__all__ = ["TitleCheck", "TraitCheck", "check_title"]


@dataclass(frozen=True)
class TraitCheck:
    """The verdict on one trait."""

    trait: str
    risk: float | None
    """The risk that counts, or the highest that leaves it open; None if nothing is said."""
    known: bool
    """Whether the title is known to violate the trait or to be safe; else its evidence, if any, leaves it
    open."""
    violated: bool
    ambiguous: bool
    """Whether several films may be meant that are not judged alike; the highest risk counts then."""
    evidence: tuple[Evidence, ...]
    """What the risk rests on, the highest risk first."""


@dataclass(frozen=True)
class TitleCheck:
    """What an oracle says about a title."""

    title: Title
    """As it was asked for."""
    found: bool
    entry: Title | None
    """What the oracle file calls it; None if it is not found, or the oracle is a table."""
    risk_threshold: float
    open_from: float
    """Evidence of a risk from this up to the threshold does not decide."""
    traits: tuple[TraitCheck, ...]
    near: tuple[Title, ...]
    """Titles that may have been meant, if it is not found."""

    def as_json(self) -> dict[str, Any]:
        """Return the verdict as JSON has it."""
        told = asdict(self)
        for trait in told["traits"]:
            trait["evidence"] = [Evidence(*evidence)._asdict() for evidence in trait["evidence"]]
        return told


def check_title(
    path: Path,
    title: Title,
    traits: Sequence[str] = (),
    *,
    risk_threshold: float = RISK_THRESHOLD,
    open_from: float = OPEN_FROM,
    year_tolerance: int = 2,
) -> TitleCheck:
    """Ask the oracle at *path*, an oracle file or a table, about a title.

    Args:
        path: What ``oracle.path`` of a run may be.
        title: In any spelling that has its normal form.
        traits: Those to ask for; all that the oracle has if none is named.
        risk_threshold: A risk of at least this is a violation.
        open_from: Evidence of a risk from this up to the threshold does not decide.
        year_tolerance: By how many years the year may be off.

    Raises:
        UnknownNameError: The oracle has no such trait; near misses are named.
        DataError: There is no oracle.
    """
    choice = ComponentChoice.model_validate(
        {"name": DEFAULT_ORACLE, "path": str(path), "risk_threshold": risk_threshold, "open_from": open_from}
    )
    oracle = build_oracle(choice, year_tolerance=year_tolerance)
    file = OracleFile(path) if path.suffix == ".arrow" else None
    asked = tuple(traits) or (sorted(oracle.traits) if file is None else file.traits)
    found = oracle.judge([Question(*title, ())])[0].known
    verdicts = oracle.judge([Question(*title, (trait,)) for trait in asked])
    checks = []
    for trait, verdict in zip(asked, verdicts, strict=True):
        question = Question(*title, (trait,))
        evidence = oracle.explain(question) if isinstance(oracle, Explaining) else ()
        checks.append(
            TraitCheck(
                trait,
                risk=verdict.risks.get(trait),
                known=verdict.known,
                violated=bool(verdict.violated),
                ambiguous=verdict.ambiguous,
                evidence=tuple(evidence),
            )
        )
    entry = None
    if file is not None and found:
        nearest, *_ = file.tiers(*title, tolerance=year_tolerance)
        entry = min(map(file.title, nearest), key=lambda other: years_apart(other.year, title.year))
    near: tuple[Title, ...] = ()
    if not found:
        near = tuple(near_titles(file.titles() if file is not None else read_catalog(path).titles, *title))
    return TitleCheck(title, found, entry, risk_threshold, open_from, tuple(checks), near)
