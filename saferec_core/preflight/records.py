"""What ``saferec data show`` shows: one record as the policy reads it, or what is wrong with all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from saferec_core.config.choices import DEFAULT_ORACLE, DEFAULT_PARSER, ComponentChoice
from saferec_core.config.domain import read_domain
from saferec_core.config.sections import ModelConfig
from saferec_core.config.settings import read_settings
from saferec_core.data.catalog import read_catalog
from saferec_core.data.records import Record, record_of
from saferec_core.data.rows import Row, try_rows
from saferec_core.errors import DataError, RunError
from saferec_core.models.loading import context_length, end_token_ids, load_tokenizer
from saferec_core.models.record_view import RecordReader, RecordView
from saferec_core.plugins.build import build_oracle, build_parser
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.recommendation.verdicts import JudgedTitle, judged_titles
from saferec_core.runs.checkpoints import resolve_folder, run_folder_of
from saferec_core.runs.layout import RunLayout

__all__ = ["InspectedRecords", "RecordFaults", "ShownRecord", "open_records"]


@dataclass(frozen=True)
class ShownRecord:
    """One record as the policy reads it."""

    row: int
    """From 1."""
    view: RecordView
    constraints: tuple[str, ...]
    titles: tuple[JudgedTitle, ...]
    """The target list with verdicts; empty without a catalog."""
    problems: list[str]

    def as_data(self) -> dict[str, Any]:
        """Return the record as JSON has it."""
        return {
            "row": self.row,
            "prompt": self.view.prompt,
            "completion": self.view.completion,
            "prompt_tokens": len(self.view.prompt_tokens),
            "completion_tokens": len(self.view.completion_tokens),
            "tokens_with_loss": list(self.view.completion_tokens),
            "constraints": list(self.constraints),
            "titles": [title.as_data() for title in self.titles],
            "problems": self.problems,
        }


@dataclass(frozen=True)
class RecordFaults:
    """What looks wrong with the records of a dataset."""

    rows: int
    """How many rows were looked at."""
    rows_by_problem: dict[str, list[int]]
    """The rows that have each problem, from 1."""

    def as_data(self) -> dict[str, Any]:
        """Return the problems as JSON has them."""
        return {"rows": self.rows, "problems": self.rows_by_problem}


@dataclass(frozen=True)
class InspectedRecords:
    """The records of a dataset beside the tokenizer of a model."""

    path: Path
    reader: RecordReader

    def show(self, row: int) -> ShownRecord:
        """Return one row as the policy reads it.

        Raises:
            DataError: There is no such row, it is not a record, or the chat template refuses it.
        """
        numbered = next(islice(try_rows(self.path), row - 1, None), None)
        if numbered is None:
            raise DataError(f"{self.path} has no row {row}; rows are counted from 1")
        try:
            record = _record(numbered[1])
            view = self.reader.view(record)
        except DataError as error:
            raise DataError(f"{self.path}, row {row}: {error}") from error
        titles: tuple[JudgedTitle, ...] = ()
        if self.reader.judge is not None and record.completion:
            target = self.reader.target(record)
            [titles] = judged_titles([target], [record], self.reader.judge, len(target.items))
        problems = [str(problem) for problem in self.reader.problems(record)]
        return ShownRecord(row, view, record.constraints, titles, problems)

    def problems(self) -> RecordFaults:
        """Return what looks wrong with any of the rows."""
        rows = 0
        rows_by_problem: dict[str, list[int]] = defaultdict(list)
        for rows, (_, row) in enumerate(try_rows(self.path), start=1):
            for problem in self._problems_of(row):
                rows_by_problem[problem].append(rows)
        return RecordFaults(rows, dict(rows_by_problem))

    def _problems_of(self, row: Row | DataError) -> Iterator[str]:
        try:
            yield from map(str, self.reader.problems(_record(row)))
        except DataError as error:
            yield str(error)


def open_records(
    dataset: Path,
    model: str,
    *,
    catalog_path: Path | None = None,
    oracle_path: Path | None = None,
    domain_path: Path | None = None,
    max_length: int | None = None,
) -> InspectedRecords:
    """Open a dataset beside the tokenizer of a model.

    Args:
        dataset: Any file of records, or a folder; of a folder with splits the training split.
        model: Hub id or folder of the model, or a run.
        catalog_path: Its titles are looked up in target lists.
        oracle_path: Judges target lists.
        domain_path: Says how target lists are written; None: as in the run of the model, else as for films.
        max_length: Tokens that a record may have; by default those that the model can read.

    Raises:
        SaferecError: Something cannot be read.
    """
    config = ModelConfig(model=model)
    reference = resolve_folder(model)
    tokenizer = load_tokenizer(reference, config)
    written = _parser_of_run(Path(model)) if domain_path is None else read_domain(domain_path).parser
    parser = build_parser(written, catalog_path=catalog_path)
    judge = None
    if catalog_path is not None:
        choice = {"name": DEFAULT_ORACLE, "path": str(oracle_path)}
        oracle = (
            None
            if oracle_path is None
            else build_oracle(ComponentChoice.model_validate(choice), year_tolerance=2)
        )
        judge = Judge(read_catalog(catalog_path), oracle)
    reader = RecordReader(
        tokenizer,
        end_token_ids(reference, tokenizer, config),
        parser,
        judge,
        context_length(reference, config) if max_length is None else max_length,
    )
    return InspectedRecords(_split_of(dataset), reader)


def _parser_of_run(model: Path) -> ComponentChoice:
    """Return the parser of the run that a model belongs to, the default one where it belongs to none."""
    try:
        run = RunLayout(run_folder_of(model))
    except RunError:
        return DEFAULT_PARSER
    data = read_settings(run.config).get("data") or {}
    return ComponentChoice.model_validate(data.get("parser") or DEFAULT_PARSER)


def _split_of(dataset: Path) -> Path:
    train = dataset / "train"
    return train if dataset.is_dir() and train.is_dir() else dataset


def _record(row: Row | DataError) -> Record:
    if isinstance(row, DataError):
        raise row
    return record_of(row, needs={})
