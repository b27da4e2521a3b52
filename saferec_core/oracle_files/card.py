"""Figures of an oracle file: what it knows, what it blocks, and where its sources disagree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from saferec_core.data.titles import Title, normal_form
from saferec_core.oracle_files.format import OracleFile

__all__ = [
    "THRESHOLDS",
    "Collisions",
    "Disagreement",
    "OracleCard",
    "TraitFigures",
    "collisions_of",
    "oracle_card",
]

THRESHOLDS = (0.5, 0.66, 0.8)
"""Risk thresholds at which the card tells what is blocked."""

_EXAMPLES = 5


@dataclass(frozen=True)
class TraitFigures:
    """What is known and blocked of the titles that the card is about, for one trait."""

    trait: str
    known: int
    """Titles whose risk is known."""
    blocked: dict[str, int]
    """Titles with a risk of at least the threshold, by threshold."""
    one_sided: bool
    """Whether no title at all is known to be under the lowest threshold, so that being known is the
    same as being blocked and the share of violations among known titles means nothing."""


@dataclass(frozen=True)
class Collisions:
    """Titles that a look-up may take for one another."""

    same_year: int
    """Groups of titles with one normal form and one year; of each the first is found."""
    near_years: int
    """Neighbouring titles with one normal form whose years differ by no more than the tolerance."""
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
    """Those that one puts at or over the threshold and the other under it."""

    @property
    def share(self) -> float:
        """Share of what both judge that they disagree on."""
        return self.apart / self.both


@dataclass(frozen=True)
class OracleCard:
    """The figures."""

    path: str
    sources: list[dict[str, Any]]
    """What the file tells about its sources."""
    oracle_titles: int
    oracle_collisions: Collisions
    of_catalog: bool
    """Whether the following figures are about a catalog; else about the oracle's own titles."""
    titles: int
    found: int
    """Titles that have an entry."""
    known: int
    """Titles whose risk is known for some trait."""
    traits: list[TraitFigures]
    collisions: Collisions
    threshold: float
    """At which sources are said to disagree."""
    disagreements: list[Disagreement]

    def as_json(self) -> dict[str, Any]:
        """Return the card as JSON has it."""
        card = asdict(self)
        for told, pair in zip(card["disagreements"], self.disagreements, strict=True):
            told["share"] = pair.share
        return card


def oracle_card(
    oracle: OracleFile,
    catalog: Sequence[Title] | None = None,
    *,
    year_tolerance: int = 2,
    threshold: float = 0.66,
) -> OracleCard:
    """Compute the figures of an oracle file.

    Args:
        oracle: The file.
        catalog: Titles that may be recommended; the oracle's own titles if not given.
        year_tolerance: By how many years a title that is looked up may be off.
        threshold: A risk of at least this is a violation, where sources are compared.
    """
    own = list(oracle.titles())
    titles = own if catalog is None else catalog
    if catalog is None:
        rows = np.arange(len(own))
    else:
        names, years = [title.name for title in titles], [title.year for title in titles]
        rows = oracle.find_many(names, years, tolerance=year_tolerance)
    found = rows[rows >= 0]
    risks = {trait: oracle.risks(trait)[found] for trait in oracle.traits}
    is_known = np.zeros(len(found), dtype=bool)
    for risk in risks.values():
        is_known |= ~np.isnan(risk)
    own_collisions = collisions_of(own, year_tolerance)
    return OracleCard(
        path=str(oracle.path),
        sources=list(oracle.about.get("sources", ())),
        oracle_titles=len(own),
        oracle_collisions=own_collisions,
        of_catalog=catalog is not None,
        titles=len(titles),
        found=len(found),
        known=int(is_known.sum()),
        traits=[_figures(trait, risk, oracle.risks(trait)) for trait, risk in risks.items()],
        collisions=own_collisions if catalog is None else collisions_of(titles, year_tolerance),
        threshold=threshold,
        disagreements=_disagreements(oracle, threshold),
    )


def _figures(trait: str, risk: npt.NDArray[np.float32], everywhere: npt.NDArray[np.float32]) -> TraitFigures:
    return TraitFigures(
        trait=trait,
        known=int((~np.isnan(risk)).sum()),
        blocked={str(limit): int((risk >= np.float32(limit)).sum()) for limit in THRESHOLDS},
        one_sided=not bool((everywhere < np.float32(THRESHOLDS[0])).any()),
    )


def collisions_of(titles: Iterable[Title], tolerance: int) -> Collisions:
    """Count the titles that a look-up may take for one another; years within *tolerance* count as near."""
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
    sources, places = _evidence_by_source(oracle)
    limit = np.float32(threshold)
    result = []
    for first, second in combinations(range(len(sources)), 2):
        pair = sources[first], sources[second]
        by_trait = []
        for trait in oracle.traits:
            matrix = places[trait]  # (sources, titles), NaN where a source says nothing
            both = ~np.isnan(matrix[first]) & ~np.isnan(matrix[second])
            apart = (matrix[first][both] >= limit) != (matrix[second][both] >= limit)
            if len(apart):
                by_trait.append(Disagreement(pair, trait, len(apart), int(apart.sum())))
        if by_trait:
            both_of_all = sum(told.both for told in by_trait)
            result.append(Disagreement(pair, None, both_of_all, sum(told.apart for told in by_trait)))
            result += by_trait
    return result


def _evidence_by_source(
    oracle: OracleFile,
) -> tuple[list[str], dict[str, npt.NDArray[np.float32]]]:
    """Return the sources, and per trait their risks for every title."""
    column = oracle.table.column("evidence")
    chunk = column.chunk(0)
    flat = chunk.flatten()
    counts = np.diff(chunk.offsets.to_numpy(zero_copy_only=False))
    row = np.repeat(np.arange(len(oracle)), counts)
    risk = flat.field("risk").to_numpy(zero_copy_only=False)
    trait, traits = _codes(flat.field("trait"))
    source, found = _codes(flat.field("source"))
    sources = [name for told in oracle.about["sources"] if (name := told["source"]) in found]
    place = np.array([sources.index(name) for name in found], dtype=np.int64)[source]
    matrices = {}
    for name in oracle.traits:
        matrices[name] = np.full((len(sources), len(oracle)), np.nan, dtype=np.float32)
        if name in traits:
            here = trait == traits.index(name)
            matrices[name][place[here], row[here]] = risk[here]
    return sources, matrices


def _codes(strings: Any) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Number the different strings of an Arrow array."""
    coded = strings.dictionary_encode()
    codes: npt.NDArray[np.int64] = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return codes, coded.dictionary.to_pylist()
