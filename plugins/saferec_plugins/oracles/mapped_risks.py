"""Tables of risks too large for the memory of every process: indexed once, in a file that all map."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from saferec_core.data.column_views import as_array
from saferec_core.data.machine_cache import find_derived, make_derived
from saferec_core.data.mapped_titles import NO_YEAR, MappedTitles, Texts
from saferec_core.data.sealed_tables import write_sealed
from saferec_core.data.title_map import IndexedKey, TitleMap
from saferec_core.data.title_tiers import Tiers
from saferec_core.data.titles import Title, name_keys
from saferec_core.oracle_files.deciding import Risks
from saferec_core.plugins.contracts.oracle import Evidence
from saferec_plugins.oracles.stated_risks import StatedRisks, Weights

__all__ = ["MappedRisks", "map_risks", "mapped_earlier"]

_KIND = "risks"
_HERE = Path(__file__).parent


class MappedRisks(StatedRisks):
    """The interface of a table of risks in memory, answered from a mapped file."""

    def __init__(self, path: Path, weights: Weights, mapped: Path) -> None:
        """Map the file that was made of the table at *path*."""
        source = pa.memory_map(str(mapped))
        titles, names, risks = (pa.ipc.open_stream(source).read_all() for _ in range(3))
        self._made_of = path, weights, mapped
        self._path = path
        self._titles = MappedTitles(titles)
        self._names = TitleMap(names)
        self._risks = {trait: as_array(risks.column(trait)).data for trait in risks.schema.names}
        self.traits = frozenset(weights).union(self._risks)
        """The traits that the table has a risk for."""

    def __reduce__(self) -> tuple[Any, ...]:
        return MappedRisks, self._made_of

    def tiers(self, name: str, year: int | None, *, tolerance: int) -> Tiers:
        """Return the rows that may be meant by a title, the nearest first."""
        return self._names.tiers(name, year, tolerance=tolerance)

    def risks_of(self, row: int, trait: str) -> Risks | None:
        """Return the risk that the table states, as the lowest and the highest; None if it states none."""
        if trait not in self._risks:
            return None
        risk = self._risks[trait][row]
        return None if risk != risk else Risks(risk, risk)

    def title(self, row: int) -> Title:
        """Return the title of a row."""
        return self._titles[row]

    def evidence(self, row: int, traits: Collection[str]) -> list[Evidence]:
        """Return the risks of a title for some traits: nothing else is known about them."""
        stated = ((trait, self.risks_of(row, trait)) for trait in self._risks if trait in traits)
        return [
            Evidence(trait, risks.highest, self._path.name, "risk stated in the table")
            for trait, risks in stated
            if risks is not None
        ]


def mapped_earlier(path: Path, weights: Weights) -> MappedRisks | None:
    """Map what was made of a table earlier; None if nothing was."""
    made = find_derived(_KIND, path, {"weights": weights}, _HERE)
    return None if made is None else MappedRisks(path, weights, made)


def map_risks(path: Path, weights: Weights, rows: Iterable[tuple[Title, Mapping[str, float]]]) -> MappedRisks:
    """Index the *rows* of a table in a file for all processes of this machine, and map it.

    Raises:
        DataError: The file cannot be written, or a row is malformed.
    """
    made = make_derived(
        _KIND, path, {"weights": weights}, lambda draft: write_sealed(draft, _tables(rows)), _HERE
    )
    return MappedRisks(path, weights, made)


def _tables(rows: Iterable[tuple[Title, Mapping[str, float]]]) -> list[Any]:
    """Arrange titles, names and risks in tables; of several rows for one title the highest risk counts."""
    names, years, hashes = Texts(), array("h"), array("Q")
    stated: dict[str, tuple[array[int], array[float]]] = defaultdict(lambda: (array("i"), array("d")))
    for position, (title, risks) in enumerate(rows):
        names.add(position, title.name)
        years.append(NO_YEAR if title.year is None else title.year)
        digest = xxhash.xxh3_128_intdigest(f"{title.year}\0{title.name}".encode(errors="surrogatepass"))
        hashes.extend(divmod(digest, 1 << 64))
        for trait, risk in risks.items():
            at, values = stated[trait]
            at.append(position)
            values.append(risk)
    first, row_of = _each_once(np.asarray(hashes).reshape(-1, 2))
    titles = pa.table({"text": names.table().column("text"), "year": pa.array(np.asarray(years))})
    titles = titles.take(pa.array(first)).combine_chunks()
    keys = (
        IndexedKey(key, title.year, row, number > 0)
        for row, title in enumerate(MappedTitles(titles))
        for number, key in enumerate(name_keys(title.name))
    )
    columns = {}
    for trait, (at, values) in stated.items():
        columns[trait] = np.full(len(first), np.nan)
        np.fmax.at(columns[trait], row_of[np.asarray(at)], np.asarray(values))
    return [titles, TitleMap.of_keys(keys).table, pa.table(columns)]


def _each_once(
    hashes: npt.NDArray[np.uint64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return where each of the (N, 2) hashes occurs first, in order, and the number there of all N."""
    _, first, which = np.unique(hashes, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    number = np.empty_like(order)
    number[order] = np.arange(len(order))
    return first[order], number[which.reshape(-1)]
