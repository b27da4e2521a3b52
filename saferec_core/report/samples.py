"""Completions to look through: rollouts and held-out lists, brought into one small form.

A group is what a reader compares: the siblings of one prompt in training, or what one held-out prompt
was answered before and after.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any

from saferec_core.errors import DataError
from saferec_core.report.moments import MOMENTS, lists_of
from saferec_core.report.reading import Run

__all__ = [
    "HIT",
    "OUT_OF_CATALOG",
    "REPEATED",
    "SEEN",
    "UNKNOWN",
    "VIOLATION",
    "Group",
    "evenly",
    "held_out_groups",
    "rollout_groups",
]

HIT, VIOLATION, UNKNOWN, OUT_OF_CATALOG, REPEATED, SEEN = 1, 2, 4, 8, 16, 32
"""Marks of a rank; its mark is their sum."""

Group = dict[str, Any]
"""``run`` (name), ``when``, ``record``, ``prompt`` ([[role, content], ...]), ``constraints``, ``truth``
([[title, year], ...], None: not stored) and ``rows``, each with

- ``label``, ``sample`` (which of several completions to the prompt), ``text``, ``titles``
  ([[title, year], ...]), ``events``;
- ``marks``: two hexadecimal digits per title, ``--`` for one that has none of the ranks that count;
- ``violated``, ``evidence``: traits, and [trait, risk, source, detail], by rank index, where there are any;
- ``reward`` by function, a list by rank or one number for the list, ``advantage`` by rank, ``list``
  (advantage of the tokens of no rank) and ``tokens``, [rank index, first character of the first token,
  length of each token but the last, ...]: only of rollouts.
"""


def evenly(number: int, most: int) -> list[int]:
    """Return the indices of at most *most* things out of *number*, spread evenly, the ends included."""
    if number <= most:
        return list(range(number))
    if most < 2:
        return [0] * most
    return [round(step * (number - 1) / (most - 1)) for step in range(most)]


def rollout_groups(run: Run, most: int) -> tuple[list[Group], int]:
    """Return at most *most* rollouts of a run in whole groups, spread evenly over its steps.

    Returns:
        The groups, and how many rollouts the run has stored.
    """
    sizes = [sum(1 for _ in rows) for _, rows in groupby(run.rollouts(), key=_key)]
    total = sum(sizes)
    number = len(sizes) if total <= most else max(1, len(sizes) * most // total)
    chosen = set(evenly(len(sizes), number))
    groups = [
        _group(run, list(rows))
        for index, (_, rows) in enumerate(groupby(run.rollouts(), key=_key))
        if index in chosen
    ]
    return groups, total


def _key(row: Mapping[str, Any]) -> tuple[Any, Any]:
    return row["step"], row["record"]


def _group(run: Run, rows: Sequence[Mapping[str, Any]]) -> Group:
    try:
        return _rollout_group(run, rows)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        where = f"step {rows[0]['step']}, record {rows[0]['record']}"
        raise DataError(
            f"{run.folder / 'rollouts.jsonl'}, {where}: a rollout is not what saferec writes "
            f"({type(error).__name__}: {error})"
        ) from error


def _rollout_group(run: Run, rows: Sequence[Mapping[str, Any]]) -> Group:
    first = rows[0]
    return {
        "run": run.name,
        "when": f"training, step {first['step']}",
        "record": first["record"],
        "prompt": _turns(first["prompt"]),
        "constraints": list(first.get("constraints") or ()),
        "truth": first.get("groundtruth"),
        "rows": [_rollout(row, sample) for sample, row in enumerate(rows)],
    }


def _rollout(row: Mapping[str, Any], sample: int) -> dict[str, Any]:
    hits = row.get("hit") or []
    violated = row.get("violated") or [[]] * len(hits)
    known, inside = (row.get(name) or [True] * len(hits) for name in ("known", "in_catalog"))
    repeated, seen = (row.get(name) or [False] * len(hits) for name in ("repeated", "seen"))
    marks = _marks(hits, violated, known, inside, repeated, seen)
    evidence = [
        [
            [ground["trait"], _rounded(ground["risk"]), ground["source"], ground["detail"]]
            for ground in by_rank
        ]
        for by_rank in row.get("evidence") or ()
    ]
    return {
        "label": str(sample + 1),
        "sample": sample,
        "text": str(row["completion"]),
        "titles": [[name, year] for name, year in row["titles"]],
        "events": row.get("events") or [],
        "marks": marks,
        "violated": _where_any(violated),
        "evidence": _where_any(evidence),
        "reward": {name: _rounded(value) for name, value in row["reward"].items()},
        "advantage": _rounded(row["advantage"]),
        "list": _rounded(row.get("list_advantage")),
        "tokens": [_lengths(rank, starts) for rank, starts in row.get("tokens") or ()],
    }


def _lengths(rank: int | None, starts: Sequence[int | None]) -> list[int | None]:
    """Write a run of tokens as its first character and the lengths of all but the last token.

    Tokens that write nothing are left out; a run of only such ones has no first character.
    """
    written = [start for start in starts if start is not None]
    if not written:
        return [rank, None]
    return [rank, written[0], *(after - before for before, after in pairwise(written))]


def held_out_groups(run: Run, most: int) -> tuple[list[Group], int]:
    """Return completions to at most *most* held-out records per decoding, before and after together.

    Returns:
        The groups, and how many completions the run has stored.
    """
    groups, total = [], 0
    for decoding in dict.fromkeys(moment.decoding for moment in run.evaluations):
        of_decoding = {m.when: results for m, results in run.evaluations.items() if m.decoding == decoding}
        total += sum(map(len, of_decoding.values()))
        records = sorted(set(next(iter(of_decoding.values())).table.column("record").to_pylist()))
        chosen = {records[index] for index in evenly(len(records), most)}
        by_record: dict[int, list[tuple[str, Mapping[str, Any]]]] = {}
        for when in sorted(of_decoding, key=MOMENTS.index):
            for row in _rows_of(of_decoding[when].table, chosen):
                by_record.setdefault(row["record"], []).append((when, row))
        groups += [_held_out(run, decoding, rows) for _, rows in sorted(by_record.items())]
    return groups, total


def _rows_of(table: Any, records: Iterable[int]) -> Iterator[Mapping[str, Any]]:
    wanted = set(records)
    rows = [n for n, record in enumerate(table.column("record").to_pylist()) if record in wanted]
    yield from table.take(rows).to_pylist()


def _held_out(run: Run, decoding: str, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> Group:
    _, first = rows[0]
    return {
        "run": run.name,
        "when": f"held out, {lists_of(decoding).removesuffix(' lists').lower()}",
        "record": first["record"],
        "prompt": _turns(first["prompt"] or ()),
        "constraints": list(first["constraints"] or ()),
        "truth": [[title["title"], title["year"]] for title in first["groundtruth"] or ()],
        "rows": [_held_out_row(when, row) for when, row in rows],
    }


def _held_out_row(when: str, row: Mapping[str, Any]) -> dict[str, Any]:
    titles = row["titles"] or []
    violated = [title["violated"] or [] for title in titles]
    return {
        "label": when if not row["sample"] else f"{when} {row['sample'] + 1}",
        "sample": row["sample"],
        "text": row["completion"] or "",
        "titles": [[title["title"], title["year"]] for title in titles],
        "events": row["events"] or [],
        "marks": _marks(
            [title["hit"] for title in titles],
            violated,
            [title["known"] is not False for title in titles],
            [title["in_catalog"] is not False for title in titles],
            [bool(title["repeated"]) for title in titles],
            [bool(title["seen"]) for title in titles],
        ),
        "violated": _where_any(violated),
    }


def _turns(messages: Iterable[Mapping[str, str]]) -> list[list[str]]:
    return [[message["role"], message["content"]] for message in messages]


def _marks(
    hits: Sequence[bool | None],
    violated: Sequence[Sequence[str]],
    known: Sequence[bool],
    in_catalog: Sequence[bool],
    repeated: Sequence[bool],
    seen: Sequence[bool],
) -> str:
    digits = []
    for hit, traits, sure, inside, again, before in zip(
        hits, violated, known, in_catalog, repeated, seen, strict=False
    ):
        marks = VIOLATION * bool(traits) + UNKNOWN * (not sure) + OUT_OF_CATALOG * (not inside)
        marks += REPEATED * again + SEEN * before
        digits.append("--" if hit is None else f"{HIT * hit + marks:02x}")
    return "".join(digits)


def _where_any(by_rank: Iterable[Sequence[Any]]) -> dict[str, Sequence[Any]]:
    return {str(rank): values for rank, values in enumerate(by_rank) if values}


def _rounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    if isinstance(value, float):
        return round(value, 3) if math.isfinite(value) else None  # as many decimals as are shown
    return value
