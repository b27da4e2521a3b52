"""Figures of an oracle file: what it knows, what it blocks, and where its sources disagree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from saferec_core.data.title_tiers import Tiers
from saferec_core.data.titles import Title, normal_form
from saferec_core.oracle_files.deciding import OPEN_FROM, RISK_THRESHOLD, DecisionRule
from saferec_core.oracle_files.examples import TraitExamples, examples_of
from saferec_core.oracle_files.format import OracleFile
from saferec_core.oracle_files.judged_titles import JudgedTitles

__all__ = [
    "THRESHOLDS",
    "Collisions",
    "Disagreement",
    "OracleCard",
    "TraitFigures",
    "collisions_of",
    "oracle_card",
]

THRESHOLDS = (0.5, RISK_THRESHOLD, 0.8)
"""Risk thresholds for which the card counts blocked titles."""

_EXAMPLES = 5


@dataclass(frozen=True)
class TraitFigures:
    """How many of the card's titles are known and blocked, for one trait."""

    trait: str
    known: int
    """Titles that are known to be safe or not to be."""
    open: int
    """Titles whose evidence leaves that open."""
    popular_known: float | None
    """Share of the titles that are known, weighted by popularity, in 0..1; None without popularity."""
    blocked: dict[str, int]
    """Titles with a risk of at least the threshold, by threshold."""
    ambiguous: int
    """Titles that may be one of several works which are not judged alike."""
    one_sided: bool
    """Whether no title at all is known to be safe, so that being known is the same as being blocked and the
    share of violations among known titles means nothing."""


@dataclass(frozen=True)
class Collisions:
    """Titles that a look-up may confuse."""

    same_year: int
    """Groups of titles with one normal form and one year; only the first of each is found."""
    near_years: int
    """Neighboring titles with one normal form whose years differ by no more than the tolerance."""
    examples: list[str]


@dataclass(frozen=True)
class Disagreement:
    """How two sources judge the same titles."""

    sources: tuple[str, str]
    trait: str | None
    """None: all traits together."""
    both: int
    """Titles (title and trait, for all together) that both judge."""
    apart: int
    """Those that one source rates at or above the threshold and the other below it."""

    @property
    def share(self) -> float:
        """Share of what both judge that they disagree on."""
        return self.apart / self.both


@dataclass(frozen=True)
class OracleCard:
    """The figures."""

    path: str
    sources: list[dict[str, Any]]
    """Descriptions of the sources, from the file."""
    oracle_titles: int
    """Works that it has."""
    oracle_collisions: Collisions
    of_catalog: bool
    """Whether the following figures are about a catalog; else about the oracle's own titles."""
    titles: int
    with_entry: int
    """Titles that have an entry in the oracle."""
    known: int
    """Titles that are known to be safe, or not to be, for some trait."""
    traits: list[TraitFigures]
    collisions: Collisions
    threshold: float
    """A risk of at least this is a violation."""
    open_from: float
    """Evidence of a risk from this up to the threshold leaves open whether there is one."""
    examples: list[TraitExamples]
    """The most popular titles that a trait blocks, passes and leaves unknown, for the traits asked for."""
    disagreements: list[Disagreement]

    def as_json(self) -> dict[str, Any]:
        """Return the card as JSON values."""
        card = asdict(self)
        for entry, pair in zip(card["disagreements"], self.disagreements, strict=True):
            entry["share"] = pair.share
        return card


def oracle_card(
    oracle: OracleFile,
    catalog: Sequence[Title] | None = None,
    *,
    popularity: Sequence[float] | None = None,
    examples: Sequence[str] = (),
    year_tolerance: int = 2,
    threshold: float = RISK_THRESHOLD,
    open_from: float = OPEN_FROM,
) -> OracleCard:
    """Compute the figures of an oracle file.

    Args:
        oracle: The file.
        catalog: Titles that may be recommended; the oracle's own titles if not given.
        popularity: Popularity of each of these titles, if known.
        examples: Traits for which the most popular titles are listed.
        year_tolerance: Maximum difference in release year, in years, when looking titles up.
        threshold: A risk of at least this is a violation.
        open_from: Evidence of a risk from this up to the threshold does not decide.
    """
    works = oracle.works()
    own = [oracle.title(rows[0]) for rows in works]
    titles = own if catalog is None else catalog
    tiers: list[Tiers] = [[rows] for rows in works]
    if catalog is not None:
        tiers = [oracle.tiers(*title, tolerance=year_tolerance) for title in catalog]
    judged = JudgedTitles(oracle, titles, tiers, DecisionRule(threshold, open_from), popularity)
    own_collisions = collisions_of(own, year_tolerance)
    figures = [_figures(judged, trait) for trait in oracle.traits]
    return OracleCard(
        path=str(oracle.path),
        sources=list(oracle.about.get("sources", ())),
        oracle_titles=len(works),
        oracle_collisions=own_collisions,
        of_catalog=catalog is not None,
        titles=len(titles),
        with_entry=sum(map(bool, tiers)),
        known=judged.known_for_some_trait(),
        traits=figures,
        collisions=own_collisions if catalog is None else collisions_of(titles, year_tolerance),
        threshold=threshold,
        open_from=open_from,
        examples=[examples_of(judged, trait) for trait in examples],
        disagreements=_disagreements(oracle, threshold),
    )


def _figures(judged: JudgedTitles, trait: str) -> TraitFigures:
    oracle, rule = judged.oracle, judged.rule
    decisions = judged.decisions(trait)
    is_known = np.array([decision.known for decision in decisions], dtype=bool)
    highest = judged.highest(trait)  # NaN without evidence
    # A rule that calls nothing safe can only block: its trait is one-sided, and the card warns of it.
    safe = min(rule.open_from, rule.threshold)
    return TraitFigures(
        trait=trait,
        known=int(is_known.sum()),
        open=int((~is_known & ~np.isnan(highest)).sum()),
        popular_known=judged.weighted_share(is_known),
        # In float32, as risks are stored: 0.66 in float64 would exclude a stored 0.66.
        blocked={str(limit): int((highest >= np.float32(limit)).sum()) for limit in THRESHOLDS},
        ambiguous=sum(decision.ambiguous for decision in decisions),
        one_sided=not bool((oracle.lowest_risks(trait) < np.float32(safe)).any()),
    )


def collisions_of(titles: Iterable[Title], tolerance: int) -> Collisions:
    """Count the titles that a look-up may confuse; years within *tolerance* count as near."""
    names: dict[str, dict[int, list[str]]] = {}
    for name, year in titles:
        if year is None:
            continue
        names.setdefault(normal_form(name), {}).setdefault(year, []).append(name)
    same = [
        f"{' and '.join(spellings)} ({year})"
        for years in names.values()
        for year, spellings in years.items()
        if len(spellings) > 1
    ]
    near = [
        f"{years[one][0]} ({one}) and ({other})"
        for years in names.values()
        for one, other in pairwise(sorted(years))
        if other - one <= tolerance
    ]
    return Collisions(len(same), len(near), same[:_EXAMPLES] + near[:_EXAMPLES])


def _disagreements(oracle: OracleFile, threshold: float) -> list[Disagreement]:
    """Compare every two sources: all traits together, then each trait on which both judge a title."""
    sources, matrices = _evidence_by_source(oracle)
    limit = np.float32(threshold)
    result = []
    for first, second in combinations(range(len(sources)), 2):
        pair = sources[first], sources[second]
        by_trait = []
        for trait in oracle.traits:
            matrix = matrices[trait]  # (sources, works), NaN where a source has no evidence
            both = ~np.isnan(matrix[first]) & ~np.isnan(matrix[second])
            # Disagreement is about the verdict, not the risk: on which side of the threshold each stands.
            apart = (matrix[first][both] >= limit) != (matrix[second][both] >= limit)
            if len(apart):
                by_trait.append(Disagreement(pair, trait, len(apart), int(apart.sum())))
        # The sum over traits goes first, and only where there is a trait at all.
        if by_trait:
            both_of_all = sum(each.both for each in by_trait)
            result.append(Disagreement(pair, None, both_of_all, sum(each.apart for each in by_trait)))
            result += by_trait
    return result


def _evidence_by_source(
    oracle: OracleFile,
) -> tuple[list[str], dict[str, npt.NDArray[np.float32]]]:
    """Return the sources, and per trait their risks for every work."""
    column = oracle.table.column("evidence")
    chunk = column.chunk(0)
    flat = chunk.flatten()
    counts = np.diff(chunk.offsets.to_numpy(zero_copy_only=False))
    works = oracle.works()
    # Rows of one work (its names, its years) are one work here, or its sources would be counted twice.
    work_of_row = np.zeros(len(oracle), dtype=np.int64)
    for number, rows in enumerate(works):
        work_of_row[rows] = number
    work = np.repeat(work_of_row, counts)
    risk = flat.field("risk").to_numpy(zero_copy_only=False)
    trait, traits = _codes(flat.field("trait"))
    source, names = _codes(flat.field("source"))
    sources = [name for about in oracle.about["sources"] if (name := about["source"]) in names]
    source_number = np.array([sources.index(name) for name in names], dtype=np.int64)[source]
    matrices = {}
    for name in oracle.traits:
        matrices[name] = np.full((len(sources), len(works)), np.nan, dtype=np.float32)
        if name in traits:
            here = trait == traits.index(name)
            # The highest risk counts; fmax takes a number over the NaN of no evidence.
            np.fmax.at(matrices[name], (source_number[here], work[here]), risk[here])
    return sources, matrices


def _codes(strings: Any) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Number the different strings of an Arrow array."""
    coded = strings.dictionary_encode()
    codes: npt.NDArray[np.int64] = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return codes, coded.dictionary.to_pylist()
