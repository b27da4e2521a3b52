"""Content descriptors of the ESRB as evidence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from saferec_core.data.rows import Row, year_or_none
from saferec_core.data.titles import Title
from saferec_core.data.traits import Trait
from saferec_core.errors import DataError
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.evidence import EvidenceSource, Finding, Findings

__all__ = ["EsrbDescriptors"]

_RISKS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "Anti-gore / squeamish": {
            "blood and gore": 1.0,
            "blood": 0.7,
            "animated blood": 0.5,
            "violence": 0.4,
        },
        "Avoid torture & extreme violence": {"intense violence": 1.0, "blood and gore": 0.7, "violence": 0.5},
        "Sexual violence sensitive": {"sexual violence": 1.0},
        "Substance recovery / avoid drugs & alcohol": {
            "use of drugs": 1.0,
            "use of drugs and alcohol": 1.0,
            "use of alcohol": 0.8,
            "drug reference": 0.7,
            "alcohol reference": 0.5,
            "alcohol and tobacco reference": 0.5,
        },
    }
)
"""What a descriptor means for a trait, as a risk in 0..1; 0.34 to 0.65 leaves it open."""


@component
class EsrbDescriptors(EvidenceSource):
    """Reads a table with title, year and descriptors, such as "Blood and Gore, Strong Language".

    The ESRB looks at the whole game, so a trait that no descriptor of this game speaks of has a risk of 0.
    Of a game that was not rated nothing is said.
    """

    path: Path
    """The table (JSONL, CSV, TSV or Parquet)."""

    def __call__(self, rows: Iterable[Row], traits: Mapping[str, Trait]) -> Iterator[Findings]:
        """Yield what the descriptors of each game say."""
        judged = {trait: risks for trait, risks in _RISKS.items() if trait in traits}
        for row in rows:
            name, descriptors = row.get("title"), row.get("descriptors")
            if not isinstance(name, str) or not name.strip():
                raise DataError(f"title: expected a name, but got {name!r}")
            if descriptors is not None and not isinstance(descriptors, str):
                raise DataError(
                    f"descriptors of {name!r}: expected words with commas, but got {descriptors!r}"
                )
            title = Title(name, year_or_none(row.get("year"), f"the year of {name!r}"))
            words = [] if descriptors is None else [each.strip() for each in descriptors.split(",")]
            is_rated = any(words)
            findings = (
                tuple(_finding(trait, risks, words) for trait, risks in judged.items()) if is_rated else ()
            )
            yield Findings(title, findings)


def _finding(trait: str, risks: Mapping[str, float], words: Iterable[str]) -> Finding:
    """Return the highest risk that any of the descriptors means."""
    risk, word = max(((risks.get(word.lower(), 0.0), word) for word in words), key=lambda pair: pair[0])
    return Finding(trait, risk, word if risk else "no descriptor of the ESRB speaks of it")
