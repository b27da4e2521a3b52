"""Stored completions: those that a run has kept, or rows of another tool."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, TypeGuard

from saferec_core.data.records import Record, record_of
from saferec_core.data.rows import numbered_rows
from saferec_core.errors import DataError, RunError
from saferec_core.models.completions import is_cut_off
from saferec_core.plugins.contracts.parser import EventKind
from saferec_core.runs.layout import RunLayout

__all__ = ["Completion", "StoredBatch", "read_batches", "rollouts_file"]

_TRUTH = "groundtruth_with_release_year"

_OF_RECORD = (_TRUTH, "groundtruth", "seen_titles", "constraints")
"""What rows of one prompt have in common if they are siblings."""


@dataclass(frozen=True)
class Completion:
    """One stored completion with the record that it answers."""

    name: str
    """What to call it, such as ``"step 10, record 44, completion 2"``."""
    record: Record
    text: str
    finished: bool
    """Whether the policy ended it itself."""
    rank_advantages: Sequence[float] | None = None
    """What the run credited by rank, where it is stored."""
    list_advantage: float | None = None
    is_of_list: bool = False
    """Whether the run credited one advantage to the whole completion, as GRPO of TRL does."""


@dataclass(frozen=True)
class StoredBatch:
    """A generation batch: completions that a normalizer sees together, siblings adjacent."""

    step: int | None
    completions: Sequence[Completion]
    group_size: int
    """Completions per prompt (G)."""


@dataclass(frozen=True)
class _Group:
    """The completions of one prompt, in rows that stand next to each other."""

    first_row: int
    completions: Sequence[Completion]


def rollouts_file(source: Path) -> Path:
    """Return the file of rollouts of a run folder, or *source* itself.

    Raises:
        RunError: There are no stored rollouts.
    """
    if not source.exists():
        raise RunError(
            f"{source} does not exist; name a run folder, or a JSONL or Parquet file of completions"
        )
    if not source.is_dir():
        return source
    run = RunLayout(source)
    if not run.exists:
        raise RunError(f"{source} is not a run folder: it has no config.yaml")
    if not run.rollouts.is_file():
        raise RunError(
            f"{source} has no rollouts to replay: {run.rollouts.name} is written by saferec train, every "
            "--rollout-steps optimizer steps"
        )
    return run.rollouts


def read_batches(path: Path, needs: Mapping[str, str]) -> list[StoredBatch]:
    """Read a file of completions, and put those that were sampled together together.

    A row has ``prompt`` and ``completion``, or several ``completions``; the columns of its record
    (``groundtruth_with_release_year``, ``seen_titles``, ``constraints``) stand beside them or in ``record``.
    Rows of one prompt and record that stand next to each other are siblings. ``step`` says which generation
    batch a row belongs to; without it all rows are one.

    Args:
        path: JSONL or Parquet, ``rollouts.jsonl`` of a run included.
        needs: Columns that the records must have, each with what needs it.

    Raises:
        DataError: A row is malformed, lacks a column, or prompts have different numbers of completions.
    """
    rows = _checked(path)
    by_step = groupby(rows, key=lambda numbered: numbered[1].get("step"))
    batches = [_batch(path, step, list(of_step), needs) for step, of_step in by_step]
    if not batches:
        raise DataError(f"{path} holds no completions")
    return batches


def _checked(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, row in numbered_rows(path):
        if row.get("prompt") is None or (row.get("completion") is None and row.get("completions") is None):
            columns = ", ".join(sorted(name for name, value in row.items() if value is not None)) or "none"
            raise DataError(
                f"{path}, line {number}: a row needs 'prompt' and 'completion' (or 'completions'); it has "
                f"{columns}"
            )
        step = row.get("step")
        if step is not None and (isinstance(step, bool) or not isinstance(step, int)):
            raise DataError(f"{path}, line {number}: 'step' must be a whole number, but is {step!r}")
        yield number, row


def _batch(
    path: Path, step: Any, rows: Sequence[tuple[int, Mapping[str, Any]]], needs: Mapping[str, str]
) -> StoredBatch:
    groups = [_group(path, list(siblings), needs) for _, siblings in groupby(rows, key=_key)]
    sizes = {len(group.completions): group for group in groups}
    where = "" if step is None else f", step {step}"
    if len(sizes) > 1:
        (first, _), (other, group) = list(sizes.items())[:2]
        raise DataError(
            f"{path}{where}: advantages compare the completions of a prompt, of which there must be equally "
            f"many, but the prompt in line {group.first_row} has {other} and an earlier one {first}"
        )
    size = next(iter(sizes))
    if size < 2:
        raise DataError(
            f"{path}{where}: every prompt has one completion; advantages compare at least two. Rows of one "
            "prompt have to stand next to each other"
        )
    together = [completion for group in groups for completion in group.completions]
    return StoredBatch(step, together, size)


def _key(numbered: tuple[int, Mapping[str, Any]]) -> str:
    """Return what rows have in common that answer one record; a row of several completions stands alone."""
    number, row = numbered
    if row.get("completions") is not None:
        return f"line {number}"
    columns = row["record"] if isinstance(row.get("record"), Mapping) else row
    about = [row["prompt"], *(columns.get(name) for name in _OF_RECORD)]
    if not isinstance(row.get("record"), Mapping):
        about.append(row.get("record"))  # of a run: its position
    return str(about)


def _group(path: Path, rows: Sequence[tuple[int, Mapping[str, Any]]], needs: Mapping[str, str]) -> _Group:
    number, first = rows[0]
    columns = _columns(row for _, row in rows)
    try:
        record = record_of(columns, needs=needs)
    except DataError as error:
        raise DataError(f"{path}, line {number}: {error}") from error
    of_run = "" if isinstance(first.get("record"), Mapping | None) else f", record {first['record']}"
    where = f"step {first['step']}{of_run}" if first.get("step") is not None else f"line {number}"
    completions: list[Completion] = []
    for line, row in rows:
        texts = row["completions"] if row.get("completions") is not None else [row["completion"]]
        if not isinstance(texts, list):
            raise DataError(
                f"{path}, line {line}: 'completions' must be a list, but is {type(texts).__name__}; a single "
                "one is called 'completion'"
            )
        for own, text in zip(_by_completion(row, texts, f"{path}, line {line}"), texts, strict=True):
            name = f"{where}, completion {len(completions) + 1}"
            completions.append(_completion(name, record, own, text, f"{path}, line {line}"))
    return _Group(number, completions)


def _by_completion(row: Mapping[str, Any], texts: Sequence[Any], where: str) -> list[Mapping[str, Any]]:
    """Return what a row says of each of its completions; of several, ``advantage`` may be one for each."""
    stored = row.get("advantage")
    if row.get("completions") is None or not isinstance(stored, list):
        return [row] * len(texts)
    if len(stored) != len(texts):
        raise DataError(
            f"{where}: 'advantage' must be one for each of {len(texts)} completions, but has {len(stored)}"
        )
    return [{**row, "advantage": advantage} for advantage in stored]


def _completion(name: str, record: Record, row: Mapping[str, Any], text: Any, where: str) -> Completion:
    if isinstance(text, list) and text and isinstance(text[-1], Mapping):
        text = text[-1].get("content")  # messages
    if not isinstance(text, str):
        raise DataError(f"{where}: a completion must be text or messages, but is {type(text).__name__}")
    was_cut = EventKind.TRUNCATED in (row.get("events") or ()) or is_cut_off(row.get("finish_reason"))
    finished = not was_cut and row.get("finished") is not False
    stored = row.get("advantage")
    if _is_number(stored):
        return Completion(name, record, text, finished, [float(stored)], float(stored), is_of_list=True)
    of_list = row.get("list_advantage")
    if stored is None:
        return Completion(name, record, text, finished)
    if not (isinstance(stored, list) and all(map(_is_number, stored)) and _is_number(of_list)):
        raise DataError(
            f"{where}: 'advantage' must be a number, or a number for each rank beside 'list_advantage', but "
            f"they are {stored!r:.60} and {of_list!r:.60}"
        )
    return Completion(name, record, text, finished, [float(value) for value in stored], float(of_list))


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _columns(siblings: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the columns of the record that the rows of one prompt answer.

    A run stores its ground truth by another name and, of the history, what its completions named of it.
    """
    rows = list(siblings)
    first = rows[0]
    record = first.get("record")
    columns = {**first, **record} if isinstance(record, Mapping) else dict(first)
    for taken in ("completion", "completions", "record"):
        columns.pop(taken, None)
    if "groundtruth" in columns:
        columns.setdefault(_TRUTH, columns["groundtruth"])
    if all(isinstance(row.get(name), list) for name in ("seen", "titles") for row in rows):
        named = [
            title
            for row in rows
            for title, is_seen in zip(row["titles"], row["seen"], strict=False)
            if is_seen
        ]
        columns.setdefault("seen_titles", named)
    return columns
