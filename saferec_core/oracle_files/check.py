"""An oracle's verdict on one title, with its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from saferec_core.data.catalog import read_catalog
from saferec_core.data.titles import Title
from saferec_core.oracle_files.deciding import OPEN_FROM, RISK_THRESHOLD
from saferec_core.oracle_files.format import OracleFile
from saferec_core.oracle_files.near_titles import near_titles, years_apart
from saferec_core.plugins.contracts.oracle import Evidence, Oracle, Question, ask, explain

__all__ = ["TitleCheck", "TraitCheck", "check_title"]


@dataclass(frozen=True)
class TraitCheck:
    """The verdict on one trait."""

    trait: str
    risk: float | None
    """The risk that counts, or the highest that leaves it open; None without evidence."""
    known: bool
    """Whether the title is known to violate the trait or to be safe; else its evidence, if any, leaves it
    open."""
    violated: bool
    ambiguous: bool
    """Whether it may refer to several works that are judged differently; the highest risk counts then."""
    evidence: tuple[Evidence, ...]
    """What the risk rests on, the highest risk first."""


@dataclass(frozen=True)
class TitleCheck:
    """What an oracle says about a title."""

    title: Title
    """As it was asked for."""
    has_entry: bool
    """Whether the oracle has an entry for it."""
    entry: Title | None
    """The title in the oracle file; None without an entry, or if the oracle is a table."""
    risk_threshold: float
    open_from: float
    """Evidence of a risk from this up to the threshold does not decide."""
    traits: tuple[TraitCheck, ...]
    near: tuple[Title, ...]
    """Titles that may have been meant, if there is no entry."""

    def as_json(self) -> dict[str, Any]:
        """Return the verdict as JSON values."""
        verdict = asdict(self)
        for trait in verdict["traits"]:
            trait["evidence"] = [Evidence(*evidence)._asdict() for evidence in trait["evidence"]]
        return verdict


def check_title(
    oracle: Oracle,
    title: Title,
    traits: Sequence[str] = (),
    *,
    path: Path,
    risk_threshold: float = RISK_THRESHOLD,
    open_from: float = OPEN_FROM,
    year_tolerance: int = 2,
) -> TitleCheck:
    """Ask an oracle that reads an oracle file or a table about a title.

    Args:
        oracle: Built with the threshold, open band and tolerance below.
        title: The title, in any spelling with the same normal form.
        traits: Those to ask for; all that the oracle has if none is named.
        path: The file that the oracle reads, in which its entry and similar titles are looked up.
        risk_threshold: A risk of at least this is a violation.
        open_from: Evidence of a risk from this up to the threshold does not decide.
        year_tolerance: Maximum difference in release year, in years, when looking titles up.

    Raises:
        UnknownNameError: The oracle has no such trait; near misses are named.
        DataError: The file does not exist or cannot be read.
    """
    file = OracleFile(path) if path.suffix == ".arrow" else None
    asked = tuple(traits) or (sorted(oracle.traits) if file is None else file.traits)
    has_entry = ask(oracle, [Question(*title, ())])[0].known
    verdicts = ask(oracle, [Question(*title, (trait,)) for trait in asked])
    checks = []
    for trait, verdict in zip(asked, verdicts, strict=True):
        question = Question(*title, (trait,))
        checks.append(
            TraitCheck(
                trait,
                risk=verdict.risks.get(trait),
                known=verdict.known,
                violated=bool(verdict.violated),
                ambiguous=verdict.ambiguous,
                evidence=explain(oracle, question),
            )
        )
    entry = None
    if file is not None and has_entry:
        nearest, *_ = file.tiers(*title, tolerance=year_tolerance)
        entry = min(map(file.title, nearest), key=lambda other: years_apart(other.year, title.year))
    near: tuple[Title, ...] = ()
    if not has_entry:
        near = tuple(near_titles(file.titles() if file is not None else read_catalog(path).titles, *title))
    return TitleCheck(title, has_entry, entry, risk_threshold, open_from, tuple(checks), near)
