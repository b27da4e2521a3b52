"""Build an oracle file out of sources of content warnings."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field

from saferec_core.config.choices import Section
from saferec_core.data.rows import numbered_rows, row_name, year_or_none
from saferec_core.data.titles import Title
from saferec_core.data.traits import read_traits
from saferec_core.errors import ConfigError, DataError, PluginError
from saferec_core.files import data_hash
from saferec_core.oracle_files.format import check_oracle_out, write_oracle_file
from saferec_core.oracle_files.join import SourceTitles, TitleJoin
from saferec_core.oracle_files.sources import YEARS, Rejects, SourceRows, findings_of
from saferec_core.plugins.build import build
from saferec_core.plugins.calls import calling
from saferec_core.plugins.contracts.evidence import EvidenceSource
from saferec_core.plugins.isolation import LOGGER
from saferec_core.plugins.manager import load_plugins
from saferec_core.plugins.offered import Plugins
from saferec_core.plugins.registry import Entry

__all__ = ["BuildReport", "OracleBuildConfig", "SourceChoice", "SourceReport", "run_oracle_build"]


class SourceChoice(Section):
    """A source of evidence; every other key is an option of the component."""

    model_config = ConfigDict(extra="allow")

    name: str | None = None
    """Name of the component; that of the source itself if not given."""
    path: Path
    """The file that holds the rows."""

    @property
    def options(self) -> dict[str, Any]:
        """The component's options, without the path."""
        return dict(self.model_extra or {})


class OracleBuildConfig(Section):
    """What an oracle file is made of."""

    sources: dict[str, SourceChoice] = Field(default_factory=dict)
    """Sources, by the name that their evidence carries, such as ``rating-reasons``."""
    out: Path = Path("oracle.arrow")
    """The oracle file."""
    traits_path: Path | None = None
    """Traits (YAML) in place of the built-in twenty."""
    aliases_path: Path | None = None
    """Rows with title, alias and, where titles have years, year and optionally alias_year: further names."""
    join_tolerance: int = Field(default=2, ge=0)
    """Maximum difference in release year, in years, between sources about one work; the name must be the very
    same."""
    max_rejects: float = Field(default=0.01, ge=0, le=1)
    """Share of the rows of a source that may be malformed before the build stops, in 0..1."""
    overwrite: bool = False
    """Replace an existing oracle file once the new one is complete."""


@dataclass(frozen=True)
class SourceReport:
    """What was read from one source."""

    source: str
    component: str
    file: str
    sha256: str
    rows: int
    """Rows of the file, malformed ones included."""
    rejected: int
    """Rows that could not be used."""
    titles: int
    findings: Mapping[str, int]
    """Titles that it says something about, by trait."""
    options: Mapping[str, Any]
    """Options of the component that the configuration sets."""
    by_model: bool
    """Whether a model is the source, so that it counts only where no other source decides."""
    account: str
    """Cost of reading the source, if any; not stored in the file."""
    notes: Mapping[str, int]
    """Oddities of rows that were used, such as tied votes, with the number of rows."""


@dataclass(frozen=True)
class BuildReport:
    """Summary of a build."""

    out: Path
    titles: int
    """Works with evidence from any source."""
    known: Mapping[str, int]
    """Works with evidence, by trait."""
    sources: tuple[SourceReport, ...]
    aliases: int
    """Further names that were read."""
    unknown_aliases: int
    """Those whose title no source has."""
    alias_collisions: int
    """Those that were not used, since one source lists them as another title."""
    rejects_path: Path | None
    """File of the rows that could not be used; None if there are none."""


def run_oracle_build(
    config: OracleBuildConfig,
    plugins: Plugins | None = None,
    *,
    began: Callable[[str], object] | None = None,
) -> BuildReport:
    """Read all sources, join their titles and write the oracle file.

    The risk of a title for a trait is the highest that any source gives; the evidence of every source
    is kept. The same input gives the same bytes.

    Args:
        config: What to build.
        plugins: The installed plugins; loaded if not given.
        began: Called with the name of each source before it is read.

    Raises:
        ConfigError: No source is named, or an option is not valid.
        DataError: A file cannot be read, has too many malformed rows, or contains no evidence.
        PluginError: A source breaks its contract.
        RunError: The file already exists, or cannot be written.
    """
    if not config.sources:
        raise ConfigError("an oracle needs a source; name one with --source NAME=FILE")
    if config.out.suffix != ".arrow":
        raise ConfigError(f"the name of an oracle file must end in .arrow, but out is {config.out}")
    check_oracle_out(config.out, overwrite=config.overwrite)
    plugins = plugins or load_plugins()
    traits = read_traits(config.traits_path)
    sources = {name: _component(plugins, name, choice) for name, choice in config.sources.items()}
    join = TitleJoin(tolerance=config.join_tolerance)
    aliases = 0 if config.aliases_path is None else _read_aliases(config.aliases_path, join)
    reports = []
    with Rejects(config.out.with_suffix(".rejects.jsonl")) as rejects:
        for name, (entry, source) in sources.items():
            if began is not None:
                began(name)
            rows = SourceRows(name, source.path, rejects)
            titles, notes = SourceTitles(name), Counter[str]()
            for findings in findings_of(rows, entry, source, traits):
                titles.add(findings)
                notes.update(findings.notes)
            _check_rejects(rows, config.max_rejects)
            if not titles.findings():
                raise DataError(
                    f"source {name!r}: none of the {rows.read:,} rows of {source.path} contains evidence for "
                    f"a trait; does it have the columns that 'saferec plugins show {entry.name}' names?"
                )
            join.add(titles)
            reports.append(_report(rows, entry, source, config.sources[name], titles, notes))
    lost = join.join()
    entries = join.titles(list(traits), list(sources))
    write_oracle_file(config.out, entries, list(traits), _about(config, reports), overwrite=config.overwrite)
    known: dict[str, set[int | None]] = {trait: set() for trait in traits}
    for title in entries:
        for evidence in title.evidence:
            known[evidence.trait].add(title.work)
    return BuildReport(
        out=config.out,
        titles=len({title.work for title in entries}),
        known={trait: len(works) for trait, works in known.items()},
        sources=tuple(reports),
        aliases=aliases,
        unknown_aliases=lost.unknown,
        alias_collisions=lost.collisions,
        rejects_path=rejects.path if rejects.number else None,
    )


def _component(
    plugins: Plugins, name: str, choice: SourceChoice
) -> tuple[Entry[EvidenceSource], EvidenceSource]:
    entry = plugins.find(plugins.evidence, choice.name or name)
    return entry, build(entry, {"path": choice.path, **choice.options})


def _read_aliases(path: Path, join: TitleJoin) -> int:
    number_of_aliases = 0
    for number, row in numbered_rows(path):
        where = f"aliases {path}, {row_name(path)} {number}"
        names = row.get("title"), row.get("alias")
        if not all(isinstance(name, str) and name.strip() for name in names):
            raise DataError(f"{where}: expected title and alias, but got {row!r}")
        year = year_or_none(row.get("year"), f"{where}: the year of {names[0]!r}")
        other = year_or_none(row.get("alias_year"), f"{where}: alias_year")
        alias_year = year if other is None else other
        if any(each is not None and each not in YEARS for each in (year, alias_year)):
            raise DataError(f"{where}: expected years in 1..9999, but got {year} and {alias_year}")
        join.add_alias(Title(str(names[0]).strip(), year), Title(str(names[1]).strip(), alias_year))
        number_of_aliases += 1
    return number_of_aliases


def _check_rejects(rows: SourceRows, most: float) -> None:
    if not rows.read:
        raise DataError(f"source {rows.source!r}: {rows.path} holds no rows")
    if rows.rejected > most * rows.read:
        raise DataError(
            f"source {rows.source!r}: {rows.rejected:,} of {rows.read:,} rows of {rows.path} cannot be used, "
            f"more than max_rejects = {most:g} allows; {rows.first_reject}. All of them are in "
            f"{rows.rejects.path}"
        )


def _report(
    rows: SourceRows,
    entry: Entry[EvidenceSource],
    source: EvidenceSource,
    choice: SourceChoice,
    titles: SourceTitles,
    notes: Mapping[str, int],
) -> SourceReport:
    return SourceReport(
        source=rows.source,
        component=entry.name,
        file=rows.path.name,
        sha256=data_hash(rows.path),
        rows=rows.read,
        rejected=rows.rejected,
        titles=len(titles),
        findings=titles.findings(),
        options={name: _stated(getattr(source, name, value)) for name, value in choice.options.items()},
        by_model=source.by_model,
        account=_account_of(entry, source),
        notes=dict(sorted(notes.items())),
    )


def _account_of(entry: Entry[EvidenceSource], source: EvidenceSource) -> str:
    """Return what reading has cost; a source that fails to say so has done its work all the same."""
    try:
        with calling(str(entry), doing=" to say what reading has cost"):
            account = source.account()
            if not isinstance(account, str):
                raise TypeError(f"account must return text, but returned {account!r:.100}")
    except PluginError as error:
        LOGGER.warning("%s", error)
        return ""
    return account


def _stated(value: Any) -> Any:
    """Represent an option in the same way on every machine: a file by its name and content."""
    if isinstance(value, Path):
        return {"file": value.name, "sha256": data_hash(value)}
    return json.loads(json.dumps(value, default=str))


def _about(config: OracleBuildConfig, reports: list[SourceReport]) -> dict[str, Any]:
    return {
        "sources": [
            {name: value for name, value in vars(report).items() if name != "account"} for report in reports
        ],
        "traits_path": None if config.traits_path is None else _stated(config.traits_path),
        "aliases_path": None if config.aliases_path is None else _stated(config.aliases_path),
        "join_tolerance": config.join_tolerance,
    }
