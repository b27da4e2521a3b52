"""What callers give: catalogs, oracles, records and lists, as objects, files or plain Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from saferec_core.config.choices import DEFAULT_ORACLE, DEFAULT_PARSER, ComponentChoice
from saferec_core.data.catalog import Catalog, read_catalog
from saferec_core.data.record_files import read_records
from saferec_core.data.records import Record, record_of
from saferec_core.data.titles import Title
from saferec_core.errors import DataError
from saferec_core.evaluation.evaluator import WrittenList
from saferec_core.evaluation.predictions import answer_of_titles, title_of
from saferec_core.models.completions import Completion
from saferec_core.plugins.build import build_oracle, chosen
from saferec_core.plugins.contracts.oracle import Oracle
from saferec_core.plugins.contracts.parser import ListParser, ParsedList
from saferec_core.plugins.manager import load_plugins

__all__ = ["ListLike", "answers_of", "load_catalog", "load_oracle", "load_records", "parse", "parser_named"]

ListLike = str | ParsedList | Sequence[Title | str | Sequence[Any] | Mapping[str, Any]]
"""A list of recommendations: a completion, a parsed list, or titles in rank order, each a `Title`, a text
such as ``"Saw (2004)"``, a ``(title, year)`` pair or an object with both."""


def load_catalog(
    source: Catalog | str | Path | Sequence[Any], *, year_tolerance: int = 2, match_subtitles: bool = False
) -> Catalog:
    """Return the titles that may be recommended.

    Args:
        source: A file of rows with ``title`` and ``year``, titles in any form that lists have, or a catalog.
        year_tolerance: Maximum difference in release year, in years, when matching titles.
        match_subtitles: Whether to match a title that the catalog lacks with the only one of the same year
            that has it with a subtitle, or without its own.

    Raises:
        DataError: The file cannot be read, or an entry is not a title.
    """
    if isinstance(source, Catalog):
        return source
    if isinstance(source, str | Path):
        return read_catalog(Path(source), year_tolerance=year_tolerance, match_subtitles=match_subtitles)
    titles = [title_of(entry) for entry in source]
    return Catalog(titles, year_tolerance=year_tolerance, match_subtitles=match_subtitles)


def load_oracle(
    source: Oracle | str | Path, *, name: str = DEFAULT_ORACLE, year_tolerance: int = 2, **options: Any
) -> Oracle:
    """Return what judges whether a title violates a constraint.

    Args:
        source: An oracle file or table of risks, or an oracle.
        name: The installed oracle that reads the file.
        year_tolerance: Maximum difference in release year, in years, when matching titles.
        options: Options of the oracle, such as ``risk_threshold``.

    Raises:
        ConfigError: The file is missing or damaged, or an option is refused.
    """
    if isinstance(source, Oracle):
        return source
    choice = ComponentChoice.model_validate({"name": name, "path": str(source), **options})
    return build_oracle(choice, year_tolerance=year_tolerance)


def load_records(source: str | Path | Sequence[Record | Mapping[str, Any]]) -> Sequence[Record]:
    """Return records: prompts with ground truth, history and constraints.

    Args:
        source: A file, or rows with the columns of a record (`docs/data.md`).

    Raises:
        DataError: A row is not a record; the message names it.
    """
    if isinstance(source, str | Path):
        return read_records(Path(source), needs={})
    records = []
    for number, row in enumerate(source, start=1):
        try:
            records.append(row if isinstance(row, Record) else record_of(dict(row), needs={}))
        except DataError as error:
            raise DataError(f"record {number}: {error}") from error
    return records


def parse(
    text: str, *, parser: str = DEFAULT_PARSER.name, finished: bool = True, **options: Any
) -> ParsedList:
    """Read the recommended titles out of a completion.

    Args:
        text: The completion.
        parser: Name of an installed parser.
        finished: Whether it ended by itself; if not, its last line may be incomplete.
        options: Options of the parser.
    """
    return parser_named(parser, **options)(text, finished=finished)


def parser_named(name: str, **options: Any) -> ListParser:
    """Build an installed parser.

    Raises:
        UnknownNameError: None has this name.
    """
    plugins = load_plugins()
    choice = ComponentChoice.model_validate({"name": name, **options})
    parser: ListParser = chosen(plugins, plugins.parsers, choice)
    return parser


def answers_of(lists: Sequence[ListLike], parser: ListParser) -> list[WrittenList]:
    """Read lists of any form.

    Raises:
        DataError: An entry is not a title; the message names the list.
    """
    answers = []
    for number, given in enumerate(lists, start=1):
        if isinstance(given, str):
            answers.append(WrittenList(Completion(given, finished=True), parser(given)))
        elif isinstance(given, ParsedList):
            answers.append(
                WrittenList(
                    Completion(parser.format([item.title for item in given.items]), finished=True), given
                )
            )
        else:
            try:
                answers.append(answer_of_titles([title_of(entry) for entry in given]))
            except DataError as error:
                raise DataError(f"list {number}: {error}") from error
    return answers
