"""Removes violating titles from the ground truth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from saferec_core.config.choices import ComponentChoice
from saferec_core.data.records import constraints_of, titles_of
from saferec_core.data.rows import Row
from saferec_core.data.titles import Title
from saferec_core.errors import DataError
from saferec_core.plugins.build import build_oracle, chosen_catalog
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.oracle import Verdict
from saferec_core.plugins.contracts.transform import Counted, Outcome, Transform
from saferec_plugins.transforms.verdicts import Verdicts, check_traits

__all__ = ["FilterGroundTruth", "removed_of"]

TRUTH, REMOVED = "groundtruth_with_release_year", "groundtruth_removed"


@component
class FilterGroundTruth(Transform):
    """Removes titles that violate a constraint of their user from the ground truth.

    They are kept in the sample, in ``groundtruth_removed``: an entry for each title and each
    trait that it violates, with the risk and, where the oracle explains itself, the evidence.
    """

    columns: ClassVar[tuple[str, ...]] = ("constraints",)

    oracle: ComponentChoice
    """Oracle that judges violations."""
    catalog_path: Path | None = None
    """Catalog whose titles are judged by all their names, aliases included, and by their own year."""
    year_tolerance: int = Field(default=2, ge=0)
    """Maximum difference in release year, in years, when matching titles; the oracle's own option wins."""
    risk_threshold: float | None = Field(default=None, gt=0, le=1)
    """A risk of at least this is a violation, in 0..1; the oracle's own verdict if not given."""
    unknown: Literal["keep", "remove"] = "keep"
    """How to treat a title that the oracle does not know for some constraint."""

    def __call__(self, rows: Iterable[Row]) -> Iterator[Outcome]:
        """Filter the ground truth of every row."""
        for row in rows:
            constraints = constraints_of(row)
            check_traits(constraints, self._verdicts.oracle)
            titles = titles_of(row)
            removed = removed_of(row)
            kept: list[Title] = []
            counts: list[Counted] = []
            for title, verdicts in zip(titles, self._verdicts.of(titles, constraints, row), strict=True):
                against = self._against(row, title, constraints, verdicts, counts)
                removed += [entry for entry in against if entry not in removed]
                if not against:
                    kept.append(title)
            filtered = {**row, REMOVED: removed}
            if row.get(TRUTH) is not None:
                filtered[TRUTH] = [list(title) for title in kept]
            counts.append(Counted("ground truth: kept", len(kept)))
            counts.append(Counted("ground truth: removed", len(titles) - len(kept)))
            yield from (one for one in counts if one.times)
            yield filtered

    def _against(
        self,
        row: Row,
        title: Title,
        traits: Sequence[str],
        verdicts: Sequence[Verdict],
        counts: list[Counted],
    ) -> list[dict[str, Any]]:
        """Return an entry for each trait because of which the title is removed."""
        answers = list(zip(traits, verdicts, strict=True))
        against = []
        for trait, verdict in answers:
            if self._violates(trait, verdict):
                counts.append(Counted(f"ground truth: violates {trait!r}", example=str(title)))
                against.append(self._entry(row, title, trait, verdict))
        unknown = [(trait, verdict) for trait, verdict in answers if not verdict.known]
        if unknown and not against:
            what = "kept" if self.unknown == "keep" else "removed"
            counts.append(Counted(f"ground truth: unknown to the oracle, {what}", example=str(title)))
            if self.unknown == "remove":
                against = [self._entry(row, title, trait, verdict) for trait, verdict in unknown]
        return against

    def _violates(self, trait: str, verdict: Verdict) -> bool:
        if self.risk_threshold is None:
            return verdict.known and bool(verdict.violated)
        return verdict.risks.get(trait, 0.0) >= self.risk_threshold

    def _entry(self, row: Row, title: Title, trait: str, verdict: Verdict) -> dict[str, Any]:
        return {
            "title": title.name,
            "year": title.year,
            "trait": trait,
            "risk": verdict.risks.get(trait),
            "evidence": self._verdicts.evidence(title, trait, row),
        }

    @cached_property
    def _verdicts(self) -> Verdicts:
        oracle = build_oracle(self.oracle, year_tolerance=self.year_tolerance)
        if self.catalog_path is None:
            return Verdicts(oracle)
        return Verdicts(oracle, chosen_catalog(self.catalog_path, year_tolerance=self.year_tolerance))


def removed_of(row: Row) -> list[dict[str, Any]]:
    """Return the entries that were removed from a row's ground truth earlier.

    Raises:
        DataError: The column holds something else.
    """
    entries = row.get(REMOVED)
    if entries is None:
        return []
    if not isinstance(entries, list) or not all(map(_is_entry, entries)):
        raise DataError(
            f"{REMOVED} must be a list of objects with title, year and trait, but is {entries!r:.80}"
        )
    return list(entries)


def _is_entry(entry: Any) -> bool:
    wanted = {"title": str, "year": int | None, "trait": str}
    return isinstance(entry, dict) and all(isinstance(entry.get(key), kind) for key, kind in wanted.items())
