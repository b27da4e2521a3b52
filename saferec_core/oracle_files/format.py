"""The oracle file: risks and evidence of many titles, read through a memory map.

One file of three parts, so that it is complete or not at all:

1. An Arrow IPC stream with a row per entry. An entry holds the evidence under one name and year, or, where a
   source distinguishes works with that name and year, for one of them: ``title``, ``year``, ``id``, ``film``
   (a number that entries of one work share), for each trait two float32 columns, the highest risk of any
   evidence (null without evidence) and, as ``lowest: TRAIT``, the lowest, and ``evidence``, a list of the
   evidence. Sources that are models have two further columns per trait, ``model: TRAIT`` and
   ``lowest by model: TRAIT``. The schema's metadata, JSON under the key ``saferec``, holds the version of
   the format, traits and sources.
2. An Arrow IPC stream with the table of a :class:`~saferec_core.data.title_map.TitleMap`.
3. 32 bytes: a mark, the length of the first two parts, and their xxh3-128 hash.

Opening turns nothing into Python objects, and processes that read one file share its memory.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from saferec_core.data.sealed_tables import is_whole, write_sealed
from saferec_core.data.title_map import TitleMap
from saferec_core.data.title_tiers import Tiers
from saferec_core.data.titles import Title
from saferec_core.errors import DataError, RunError
from saferec_core.files import replacing
from saferec_core.oracle_files.deciding import Risks as RiskRange
from saferec_core.plugins.contracts.oracle import Evidence

__all__ = ["FORMAT_VERSION", "OracleFile", "OracleTitle", "check_oracle_out", "write_oracle_file"]

FORMAT_VERSION = 2

Risks = npt.NDArray[np.float32]

_KEY = b"saferec"
_OWN_COLUMNS = ("title", "year", "id", "film", "evidence")
_LOWEST = "lowest: "
_MODEL, _MODEL_LOWEST = "model: ", "lowest by model: "
_EVIDENCE = pa.list_(
    pa.struct(
        [("trait", pa.string()), ("risk", pa.float32()), ("source", pa.string()), ("detail", pa.string())]
    )
)


@dataclass(frozen=True)
class OracleTitle:
    """What an oracle file says about a title."""

    title: Title
    evidence: tuple[Evidence, ...]
    """Evidence of all sources; the risk of a trait is the highest of its evidence."""
    other_names: tuple[Title, ...] = field(default=())
    """Further names and years of the title."""
    work: int | None = None
    """A number that entries of one work share; by default the work has no other entry."""
    id: str = ""
    """Distinguishes it from other works of its name and year, if a source has ids."""


def check_oracle_out(path: Path, *, overwrite: bool) -> None:
    """Refuse to overwrite anything but an oracle file, and that only if asked to.

    Raises:
        RunError: There is a folder, a file of another kind, or an oracle and *overwrite* is False.
    """
    if path.is_dir():
        raise RunError(f"{path} is a folder; name a file")
    if path.exists() and not overwrite:
        raise RunError(f"{path} already exists; name another file, or replace it with --overwrite")
    if path.exists() and not _begins_as_oracle(path):
        raise RunError(f"{path} is not an oracle file and is not overwritten; name another file")


def _begins_as_oracle(path: Path) -> bool:
    """Return whether a file begins as an oracle file, even a damaged one or one of another version."""
    try:
        with pa.OSFile(str(path)) as source:
            return _KEY in (pa.ipc.open_stream(source).schema.metadata or {})
    except (pa.ArrowException, OSError):
        return False


def write_oracle_file(
    path: Path,
    titles: Sequence[OracleTitle],
    traits: Sequence[str],
    about: Mapping[str, Any],
    *,
    overwrite: bool = False,
) -> None:
    """Write an oracle file; the same content gives the same bytes.

    Args:
        path: The file, written as a whole or not at all.
        titles: What is known, in the order of the rows.
        traits: Every trait that evidence may be about.
        about: Further metadata (JSON), such as the sources.
        overwrite: Replace an existing file once the new one is complete.

    Raises:
        DataError: A trait has the name of a column.
        RunError: The file already exists, or cannot be written; an existing file is unchanged.
    """
    check_oracle_out(path, overwrite=overwrite)
    if taken := sorted(set(traits) & set(_OWN_COLUMNS)):
        raise DataError(f"an oracle file cannot have a trait called {taken[0]!r}; that is one of its columns")
    metadata = {"version": FORMAT_VERSION, "traits": list(traits), **about}
    models = {source["source"] for source in about.get("sources", ()) if source.get("by_model")}
    table = _title_table(titles, traits, models).replace_schema_metadata(
        {_KEY: json.dumps(metadata, sort_keys=True)}
    )
    names = _title_map(titles)
    with replacing(path) as draft:
        write_sealed(draft, (table, names.table.combine_chunks()))


def _title_table(titles: Sequence[OracleTitle], traits: Sequence[str], models: Collection[str]) -> Any:
    """Arrange the titles in columns; the value under a null is NaN.

    Args:
        titles: The rows.
        traits: Every trait that evidence may be about.
        models: Sources that are models.
    """
    column = {trait: number for number, trait in enumerate(traits)}
    # Evidence from people first, then from models: (2, traits, titles) each.
    highest = np.full((2, len(traits), len(titles)), np.nan, dtype=np.float32)
    lowest = highest.copy()
    for row, title in enumerate(titles):
        for evidence in title.evidence:
            cell = int(evidence.source in models), column[evidence.trait], row
            highest[cell] = np.fmax(highest[cell], np.float32(evidence.risk))
            lowest[cell] = np.fmin(lowest[cell], np.float32(evidence.risk))
    prefixes = ("", _LOWEST, _MODEL, _MODEL_LOWEST) if models else ("", _LOWEST)
    risks = [*highest[0], *lowest[0], *highest[1], *lowest[1]][: len(prefixes) * len(traits)]
    all_evidence = [[evidence._asdict() for evidence in title.evidence] for title in titles]
    works = [row if title.work is None else title.work for row, title in enumerate(titles)]
    return pa.table(
        [
            pa.array([title.title.name for title in titles], type=pa.string()),
            pa.array([title.title.year for title in titles], type=pa.int16()),
            pa.array([title.id for title in titles], type=pa.string()),
            pa.array(works, type=pa.int32()),
            *(pa.array(risk, type=pa.float32(), mask=np.isnan(risk)) for risk in risks),
            pa.array(all_evidence, type=_EVIDENCE),
        ],
        names=[
            *("title", "year", "id", "film"),
            *(prefix + trait for prefix in prefixes for trait in traits),
            "evidence",
        ],
    )


def _title_map(titles: Sequence[OracleTitle]) -> TitleMap:
    """Index the titles' own names first, so that they are found before another title's further names."""
    own = [(title.title, row) for row, title in enumerate(titles)]
    others = [(name, row) for row, title in enumerate(titles) for name in title.other_names]
    names, rows = zip(*own, *others, strict=True) if own else ((), ())
    return TitleMap.of(names, rows, aliases=len(others))


class OracleFile:
    """An oracle file that is open for reading."""

    def __init__(self, path: Path) -> None:
        """Map the file into memory.

        Raises:
            DataError: It is missing, damaged, cut off, of another version, or not an oracle file.
        """
        self.path = path
        if not path.is_file():
            raise DataError(f"oracle {path} does not exist; make one with 'saferec oracle build'")
        try:
            source = pa.memory_map(str(path))
            self.about: Mapping[str, Any] = _metadata(pa.ipc.open_stream(source).schema, path)
            """The metadata."""
            source.seek(0)
            if not is_whole(path):
                raise DataError(f"oracle {path} is damaged or cut off; build it again")
            self.table = pa.ipc.open_stream(source).read_all().combine_chunks()
            """The first stream, a row per entry."""
            self._names = TitleMap(pa.ipc.open_stream(source).read_all().combine_chunks())
        except (pa.ArrowException, OSError) as error:
            raise DataError(
                f"oracle {path} is not an oracle file of 'saferec oracle build', or is cut off: {error}"
            ) from error
        self.traits: tuple[str, ...] = tuple(self.about["traits"])
        """Every trait that it has a column for."""
        column = self.table.column
        self._risks: dict[str, Risks] = {trait: _values(column(trait), np.float32) for trait in self.traits}
        self._lowest = {trait: _values(column(_LOWEST + trait), np.float32) for trait in self.traits}
        self._by_model: dict[str, tuple[Risks, Risks]] = {}
        if any(source.get("by_model") for source in self.about.get("sources", ())):
            for trait in self.traits:
                columns = (column(_MODEL_LOWEST + trait), column(_MODEL + trait))
                lowest, highest = (_values(each, np.float32) for each in columns)
                self._by_model[trait] = lowest, highest
        self._works = _values(column("film"), np.int32)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __reduce__(self) -> tuple[Any, ...]:
        return OracleFile, (self.path,)

    def tiers(self, name: str, year: int | None, *, tolerance: int) -> Tiers:
        """Return all rows that may be meant by a title, the nearest first; see `tiers_of`."""
        return self._names.tiers(name, year, tolerance=tolerance)

    def risks(self, trait: str) -> Risks:
        """Return the highest risk of every entry, NaN without evidence; shares the file's memory."""
        return self._risks[trait]

    def lowest_risks(self, trait: str) -> Risks:
        """Return the lowest risk of every entry for a trait, as `risks` returns the highest."""
        return self._lowest[trait]

    def risks_of(self, row: int, trait: str) -> RiskRange | None:
        """Return the lowest and the highest risk of an entry by people's sources, None without evidence."""
        highest = float(self._risks[trait][row])
        return None if highest != highest else RiskRange(float(self._lowest[trait][row]), highest)

    def model_risks_of(self, row: int, trait: str) -> RiskRange | None:
        """Return the lowest and the highest risk of an entry by models, None without evidence."""
        if trait not in self._by_model:
            return None
        lowest, highest = (float(risks[row]) for risks in self._by_model[trait])
        return None if highest != highest else RiskRange(lowest, highest)

    def work_of(self, row: int) -> int:
        """Return the number that entries of one work share."""
        return int(self._works[row])

    def evidence_counts(self) -> npt.NDArray[np.int64]:
        """Return how many pieces of evidence each entry has."""
        offsets = self.table.column("evidence").chunk(0).offsets.to_numpy(zero_copy_only=False)
        counts: npt.NDArray[np.int64] = np.diff(offsets)
        return counts

    def works(self) -> list[list[int]]:
        """Return the rows of each work, in the order of their first rows."""
        rows: dict[int, list[int]] = {}
        for row, work in enumerate(self._works.tolist()):
            rows.setdefault(work, []).append(row)
        return list(rows.values())

    def title(self, row: int) -> Title:
        """Return the title of a row as its first source wrote it."""
        return Title(self.table.column("title")[row].as_py(), self.table.column("year")[row].as_py())

    def id(self, row: int) -> str:
        """Return the id that distinguishes an entry from works of its name and year; empty if it has none."""
        return str(self.table.column("id")[row].as_py())

    def titles(self) -> Iterator[Title]:
        """Yield all titles, in the order of the rows."""
        for batch in self.table.select(["title", "year"]).to_batches(max_chunksize=10_000):
            yield from map(Title, *(column.to_pylist() for column in batch.columns))

    def evidence(self, row: int) -> list[Evidence]:
        """Return the evidence of an entry."""
        evidence: Iterable[Mapping[str, Any]] = self.table.column("evidence")[row].as_py()
        return [
            Evidence(each["trait"], _decimal(each["risk"]), each["source"], each["detail"])
            for each in evidence
        ]


def _decimal(risk: float) -> float:
    """Return a float32 as it was written: 0.7, not 0.699999988079071."""
    return float(str(np.float32(risk)))


def _values(column: Any, kind: type[Any]) -> npt.NDArray[Any]:
    """Return a column's numbers without copying them; the value under a null is NaN."""
    chunk = column.chunk(0) if column.num_chunks else pa.array([], type=column.type)
    values = np.frombuffer(chunk.buffers()[1] or b"", dtype=kind)
    return values[chunk.offset : chunk.offset + len(chunk)]


def _metadata(schema: Any, path: Path) -> Mapping[str, Any]:
    try:
        metadata = json.loads((schema.metadata or {})[_KEY])
        version = metadata["version"]
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(f"oracle {path} is an Arrow file, but not an oracle file") from error
    if version != FORMAT_VERSION:
        what = "build the oracle again" if version in range(FORMAT_VERSION) else "upgrade saferec"
        raise DataError(
            f"oracle {path} has format {version}, and this saferec reads {FORMAT_VERSION}; {what}"
        )
    return dict(metadata)
