"""Reddit-Movie and Reddit-v2 in the form of the Safe-Rank-GRPO paper's reference implementation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from saferec_core.data.records import constraints_of, messages_of
from saferec_core.data.rows import Row
from saferec_core.errors import DataError
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.transform import Outcome, Transform
from saferec_plugins.transforms.importers.raw_values import is_nothing, moment, name_of, titles_in
from saferec_plugins.transforms.importers.samples import content_id, ending_with_the_user, sample

__all__ = ["FromReddit"]

_IDS = ("id", "sample_id", "turn_id")
_OURS = frozenset(
    {
        *("id", "user", "time", "prompt", "completion", "seen_titles", "groundtruth_with_release_year"),
        *("constraints", "assigned_trait"),
    }
)


@component
class FromReddit(Transform):
    """Imports rows that are nearly records, and normalizes them.

    ``prompt`` and ``completion`` may be messages or text; titles may be "Title (Year)", pairs or
    objects, with years as text; ``constraints`` may be ``{trait: true}``, also as a struct
    filled with None, or a list. Without constraints, ``assigned_trait`` is used.

    A row without ``id`` (or ``sample_id`` or ``turn_id``) is named after its content, so two equal
    rows get one name. Without ``user``, all rows with the same prompt count as one user: the data
    have several lists for one post, which must stay in one split.

    Other columns are passed on.
    """

    columns: ClassVar[tuple[str, ...]] = ("prompt", "groundtruth_with_release_year")

    def __call__(self, rows: Iterable[Row]) -> Iterator[Outcome]:
        """Yield every row in the normalized form."""
        for row in rows:
            prompt = ending_with_the_user(messages_of(row))
            truth = titles_in(row.get("groundtruth_with_release_year"), "groundtruth_with_release_year")
            seen = titles_in(row.get("seen_titles"), "seen_titles")
            further = {key: value for key, value in row.items() if key not in _OURS}
            if constraints := _constraints(row):
                further["constraints"] = list(constraints)
            if not is_nothing(row.get("completion")):
                further["completion"] = messages_of(row, "completion")
            named = next((column for column in _IDS if not is_nothing(row.get(column))), None)
            yield from sample(
                row,
                name=name_of(row, named) if named else content_id(row),
                user=content_id(prompt) if is_nothing(row.get("user")) else name_of(row, "user"),
                prompt=prompt,
                seen=seen,
                truth=truth,
                time=None if is_nothing(row.get("time")) else moment(row["time"], "time"),
                further=further,
            )


def _constraints(row: Row) -> tuple[str, ...]:
    if constraints := constraints_of(row):
        return constraints
    assigned: Any = row.get("assigned_trait")
    if is_nothing(assigned):
        return ()
    if not isinstance(assigned, str):
        raise DataError(f"assigned_trait: expected the name of a trait, but got {assigned!r}")
    return (assigned,)
