"""Plain tables: CSV, TSV, JSONL or Parquet with columns of any names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field, field_validator

from saferec_core.data.records import Message, constraints_of, messages_of
from saferec_core.data.rows import Row, says_nothing
from saferec_core.errors import DataError, near_misses
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.transform import Counted, Outcome, Transform
from saferec_plugins.transforms.importers.raw_values import (
    RawTitle,
    is_nothing,
    moment,
    name_of,
    text_of,
    title_and_year,
    titles_in,
)
from saferec_plugins.transforms.importers.samples import content_id, ending_with_the_user, sample

__all__ = ["FromTable"]

_LOOKED_FOR: Mapping[str, tuple[str, ...]] = {
    "id": ("id",),
    "user": ("user",),
    "time": ("time",),
    "prompt": ("prompt",),
    "completion": ("completion",),
    "groundtruth": ("groundtruth", "groundtruth_with_release_year"),
    "title": ("title",),
    "year": ("year",),
    "seen": ("seen", "seen_titles"),
    "constraints": ("constraints",),
}
"""The values of a table, and the columns that hold them unless the map names others."""


@component
class FromTable(Transform):
    """Imports a plain table, one sample a row, by a map of its columns.

    - ``prompt``: text of the user, or messages. Needed.
    - ``groundtruth``: titles, such as "Heat (1995)|Saw (2004)"; in JSONL and Parquet also a list, of
      texts, of ``[title, year]`` or of ``{title, year}``. Needed, or instead of it
      ``title``: one title, its year behind it or in ``year``. Where no year is known, ``map-titles`` takes
      that of the catalog.
    - ``seen``: titles as in ``groundtruth``, with or without years.
    - ``user``: without it, every sample has a user of its own.
    - ``time``: seconds since 1970, or a date such as 2019-12-01.
    - ``id``: without it, a sample is named after its content.
    - ``constraints``: names of traits. ``completion``: text or messages.

    Other columns are passed on, unless they have the name of one of ours.
    """

    column_map: dict[str, str | None] = Field(default_factory=dict)
    """Our names to those of the table: ``{prompt: question, seen: history}``. Others are
    looked up under our own name; null ignores a column of our name."""
    separator: str = Field(default="|", min_length=1)
    """Separator of the titles or traits in one cell."""

    @field_validator("column_map")
    @classmethod
    def _targets_exist(cls, column_map: dict[str, str | None]) -> dict[str, str | None]:
        for ours in column_map:
            if ours not in _LOOKED_FOR:
                raise ValueError(
                    f"unknown target {ours!r}.{near_misses(ours, _LOOKED_FOR)} "
                    f"Available: {', '.join(_LOOKED_FOR)}"
                )
        return column_map

    def __call__(self, rows: Iterable[Row]) -> Iterator[Outcome]:
        """Yield the sample of every row."""
        for row in rows:
            columns = self._columns_by_meaning(row)
            values = {ours: row[theirs] for ours, theirs in columns.items()}
            prompt = self._prompt(values, row)
            truth = self._truth(values, row)
            seen = titles_in(values.get("seen"), "seen", separator=self.separator)
            used = _OUR_COLUMNS.union(columns.values())
            further = {key: value for key, value in row.items() if key not in used} | self._further(values)
            name = content_id(row) if is_nothing(values.get("id")) else name_of(values, "id")
            user = name if is_nothing(values.get("user")) else name_of(values, "user")
            time = None if is_nothing(values.get("time")) else moment(values["time"], "time")
            for ours, theirs in self.column_map.items():
                if theirs is not None and theirs not in row:
                    yield Counted(f"row without the column that column_map names for {ours}", example=theirs)
            yield from sample(
                row,
                name=name,
                user=user,
                prompt=prompt,
                seen=seen,
                truth=truth,
                time=time,
                further=further,
                undated=True,
            )

    def _columns_by_meaning(self, row: Row) -> dict[str, str]:
        """Return the columns of this row by their meaning."""
        columns: dict[str, str] = {}
        for ours, usual in _LOOKED_FOR.items():
            looked_for = (self.column_map[ours],) if ours in self.column_map else usual
            for theirs in looked_for:
                if theirs is not None and theirs in row:
                    columns[ours] = theirs
                    break
        return columns

    def _prompt(self, values: Row, row: Row) -> Sequence[Message]:
        if "prompt" not in values:
            raise DataError(f"{self._wanted('prompt')} Columns: {', '.join(sorted(row)) or 'none'}")
        if is_nothing(values["prompt"]):
            raise DataError(f"prompt: expected text or messages, but got {values['prompt']!r}")
        return ending_with_the_user(messages_of(values))

    def _truth(self, values: Row, row: Row) -> list[RawTitle]:
        """Read the ground truth; "N/A" and the like are a title only with a year, as "Unknown (2011)"."""
        titles = self._titles_of_truth(values, row)
        return [(name, year) for name, year in titles if year is not None or not says_nothing(name)]

    def _titles_of_truth(self, values: Row, row: Row) -> list[RawTitle]:
        if "groundtruth" in values:
            return titles_in(values["groundtruth"], "groundtruth", separator=self.separator)
        if "title" not in values:
            raise DataError(f"{self._wanted('groundtruth')} Columns: {', '.join(sorted(row)) or 'none'}")
        name, year = title_and_year(text_of(values, "title"))
        given: Any = values.get("year")
        return titles_in([[name, year if is_nothing(given) else given]], "title")

    def _further(self, values: Row) -> Row:
        further: Row = {}
        traits = values.get("constraints")
        if isinstance(traits, str):
            traits = [trait.strip() for trait in traits.split(self.separator) if trait.strip()]
        if constraints := constraints_of({"constraints": traits}):
            further["constraints"] = list(constraints)
        if not is_nothing(values.get("completion")):
            further["completion"] = messages_of(values, "completion")
        return further

    def _wanted(self, ours: str) -> str:
        theirs = self.column_map.get(ours) or ours
        return f"column {theirs!r} is missing; column_map says which one holds the {ours}."


_OUR_COLUMNS = frozenset(
    {
        *("id", "user", "time", "prompt", "completion", "constraints"),
        *("seen_titles", "groundtruth_with_release_year"),
    }
)
