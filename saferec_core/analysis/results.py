"""What an evaluation measured, row by row: the one form that comparisons, gates and reports read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from saferec_core.errors import DataError
from saferec_core.files import replacing

__all__ = ["COLUMNS", "MetricFacts", "Results", "read_results", "results_of"]

_KEY = b"saferec"
_VERSION = 1
_TITLE = pa.struct(
    [
        ("title", pa.string()),
        ("year", pa.int32()),
        ("hit", pa.bool_()),
        ("in_catalog", pa.bool_()),
        ("repeated", pa.bool_()),  # names the title of an earlier rank
        ("seen", pa.bool_()),  # the user has already seen it
        ("known", pa.bool_()),
        ("violated", pa.list_(pa.string())),
    ]
)
_NEWER = ("repeated", "seen")
_EARLIER_TITLES = pa.list_(pa.struct([field for field in _TITLE if field.name not in _NEWER]))
COLUMNS = pa.schema(
    [
        ("record", pa.int32()),  # position of the prompt among the held-out records
        ("sample", pa.int16()),  # which of its completions
        ("user", pa.string()),
        ("constraints", pa.list_(pa.string())),
        ("prompt", pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))),
        ("groundtruth", pa.list_(pa.struct([("title", pa.string()), ("year", pa.int32())]))),
        ("completion", pa.string()),
        ("titles", pa.list_(_TITLE)),  # the listed ones in rank order, the first K judged
        ("events", pa.list_(pa.string())),  # what the parser noticed
    ]
)
"""Columns that every file has before those of the metrics."""


@dataclass(frozen=True)
class MetricFacts:
    """What a reader of a metric's column has to know."""

    better: str
    """``"higher"``, ``"lower"``, or ``"none"`` where neither is better."""
    kind: str
    """``"mean"``, or ``"share"`` where a row is 0 or 1."""
    summary: str
    """What it measures, in one line."""
    label: str = ""
    """What tables and pages call it, without its depth; empty where a file does not record it."""
    unit: str = ""
    """What a value counts: ``"titles"``, ``"share of titles"``, ``"share of lists"``, or nothing."""
    role: str = "context"
    """``"relevance"``, ``"safety"``, ``"list"`` or ``"context"``."""
    primary: bool = False
    """Whether it stands for its role where there is room for one metric only."""


@dataclass(frozen=True)
class Results:
    """The evaluation of one policy under one protocol."""

    table: Any
    """Arrow table: `COLUMNS`, then a float64 column per metric, null where a row has no value."""
    protocol: Mapping[str, Any]
    """Every choice that moves a number, by name; ``id`` is their short name."""
    policy: str
    """What was evaluated: a folder, or the id of a model."""
    data_sha256: str
    """Hash of the held-out records that were used."""
    metrics: Mapping[str, MetricFacts]
    """By column, such as ``recall@10``."""

    def values(self, metric: str) -> npt.NDArray[np.float64]:
        """Return a metric's value for each of the N rows, NaN where there is none."""
        return self.table.column(metric).to_numpy().astype(np.float64)  # type: ignore[no-any-return]

    def mean(self, metric: str) -> float:
        """Return the mean of a metric over the rows that have a value; NaN if none has."""
        values = self.values(metric)
        present = values[~np.isnan(values)]
        return float(present.mean()) if len(present) else float("nan")

    @cached_property
    def users(self) -> npt.NDArray[np.int64]:
        """Number of the user of each of the N rows; rows of one user are not independent.

        Where no user is named each record has one of its own.
        """
        record = pc.cast(self.table.column("record"), pa.string())
        nobody = pc.binary_join_element_wise("record", record, "\0")
        named = pc.coalesce(self.table.column("user"), nobody).combine_chunks()
        return named.dictionary_encode().indices.to_numpy().astype(np.int64)  # type: ignore[no-any-return]

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def write(self, path: Path) -> None:
        """Write a Parquet file, as a whole or not at all."""
        facts = {
            "version": _VERSION,
            "protocol": self.protocol,
            "policy": self.policy,
            "data_sha256": self.data_sha256,
            "metrics": {name: vars(metric) for name, metric in self.metrics.items()},
        }
        table = self.table.replace_schema_metadata({_KEY: json.dumps(facts).encode()})
        with replacing(path) as draft:
            pq.write_table(table, draft, compression="zstd")


def results_of(
    rows: Sequence[Mapping[str, Any]],
    values: Mapping[str, Sequence[float]],
    *,
    protocol: Mapping[str, Any],
    policy: str,
    data_sha256: str,
    metrics: Mapping[str, MetricFacts],
) -> Results:
    """Put rows and metrics together.

    Args:
        rows: N rows with the columns of `COLUMNS`.
        values: Each metric's N values, NaN for none.
        protocol: Every choice that moves a number, ``id`` among them.
        policy: What was evaluated.
        data_sha256: Hash of the held-out records.
        metrics: Facts about each metric in *values*.
    """
    table = pa.Table.from_pylist([dict(row) for row in rows], schema=COLUMNS)
    for name in metrics:
        table = table.append_column(name, pa.array(values[name], type=pa.float64(), from_pandas=True))
    return Results(table, protocol, policy, data_sha256, metrics)


def read_results(path: Path) -> Results:
    """Read the file that `Results.write` wrote.

    Raises:
        DataError: It is missing, damaged, or not a file of results.
    """
    try:
        table = pq.read_table(path)
        facts = json.loads((table.schema.metadata or {})[_KEY])
        if facts["version"] != _VERSION:
            raise DataError(
                f"{path} has format version {facts['version']}; this saferec reads version {_VERSION}"
            )
        metrics = {name: MetricFacts(**stored) for name, stored in facts["metrics"].items()}
        missing = sorted({*COLUMNS.names, *metrics} - set(table.column_names))
        if missing:
            raise DataError(f"{path} lacks the columns {', '.join(missing)}")
        table = _with_title_marks(table)
        expected = {**{field.name: field.type for field in COLUMNS}, **dict.fromkeys(metrics, pa.float64())}
        for name, wanted in expected.items():
            if not (actual := table.schema.field(name).type).equals(wanted):
                raise DataError(f"{path}: column {name!r} must be of type {wanted}, but is of type {actual}")
        return Results(
            table, dict(facts["protocol"]), str(facts["policy"]), str(facts["data_sha256"]), metrics
        )
    except (OSError, pa.ArrowException, AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{path} does not hold a readable evaluation ({type(error).__name__}: {error}); evaluate again"
        ) from error


def _with_title_marks(table: Any) -> Any:
    """Give titles the fields `_NEWER`, as nulls, where an earlier version wrote the file without them."""
    column = table.column_names.index("titles")
    if not table.schema.field(column).type.equals(_EARLIER_TITLES):
        return table
    field = COLUMNS.field("titles")
    return table.set_column(column, field, table.column(column).cast(field.type))
