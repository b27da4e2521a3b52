"""Oracles as tables: what they were made of, what they say, and their figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from saferec_cli.consoles import PlainConsole
from saferec_cli.printing import print_line
from saferec_core.oracle_files.build import BuildReport
from saferec_core.oracle_files.card import THRESHOLDS, Collisions, OracleCard
from saferec_core.oracle_files.check import TitleCheck, TraitCheck
from saferec_core.oracle_files.examples import TraitExamples

__all__ = ["build_table", "card_tables", "reading", "title_sheet"]


@contextmanager
def reading() -> Iterator[Callable[[str], None]]:
    """Show which source is being read, where there is a terminal."""
    console = PlainConsole(stderr=True)
    with console.status("Reading") as status:
        yield lambda source: status.update(f"Reading {escape(source)}")


def build_table(report: BuildReport) -> None:
    """Print what each source gave, and what became of it."""
    console = PlainConsole()
    table = _table("Sources", ["source", "file"], ["rows", "titles", "rejected"])
    for source in report.sources:
        named = (
            source.source if source.source == source.component else f"{source.source} ({source.component})"
        )
        figures = (source.rows, source.titles, source.rejected)
        table.add_row(escape(named), escape(source.file), *(f"{figure:,}" for figure in figures))
    console.print(table)
    table = _table("Titles with evidence, by trait", ["trait"], ["titles"])
    table.add_column("by source")
    for trait, known in report.known.items():
        counts = {source.source: source.findings.get(trait, 0) for source in report.sources}
        by_source = ", ".join(f"{source} {count:,}" for source, count in counts.items() if count)
        table.add_row(escape(trait), f"{known:,}", escape(by_source))
    console.print(table)
    for source in report.sources:
        if source.account:
            print_line(console, f"{source.source}: {source.account}")
        for note, rows in source.notes.items():
            print_line(console, f"{source.source}: {note} ({rows:,} rows)")
    if report.aliases:
        unknown = (
            f", {report.unknown_aliases:,} of titles that no source has" if report.unknown_aliases else ""
        )
        print_line(console, f"{report.aliases:,} further names{unknown}")
    if report.rejects_path is not None:
        print_line(console, f"Rows that could not be used: {report.rejects_path}")
    print_line(console, f"{report.titles:,} titles: {report.out}")


def title_sheet(checked: TitleCheck) -> None:
    """Print the verdict on every trait with its evidence, or the titles that may have been meant."""
    console = PlainConsole()
    if not checked.has_entry:
        print_line(console, f"{checked.title} is not known to the oracle.")
        if checked.near:
            print_line(console, f"Known are: {'; '.join(map(str, checked.near))}")
        return
    as_entry = "" if checked.entry in (None, checked.title) else f", found as {checked.entry}"
    print_line(
        console,
        f"{checked.title}{as_entry}; a risk of {checked.risk_threshold:g} is a violation, one from "
        f"{checked.open_from:g} leaves it open",
    )
    table = _table("", ["trait", "verdict"], ["risk"])
    table.add_column("evidence")
    for trait in checked.traits:
        evidence = "\n".join(f"{each.source} ({each.risk:.2f}): {each.detail}" for each in trait.evidence)
        risk = "" if trait.risk is None else f"{trait.risk:.2f}"
        table.add_row(escape(trait.trait), _verdict(trait), risk, escape(evidence))
    console.print(table)


def _verdict(trait: TraitCheck) -> str:
    mark = " (ambiguous)" if trait.ambiguous else ""
    if trait.violated:
        return f"[red]violates[/]{mark}"
    if trait.known:
        return f"[green]safe[/]{mark}"
    return "[dim]unknown[/]" if trait.risk is None else "[yellow]unknown (open)[/]"


def card_tables(card: OracleCard) -> None:
    """Print coverage, what is blocked, examples, collisions and disagreement."""
    console = PlainConsole()
    sources = ", ".join(str(source.get("source")) for source in card.sources)
    print_line(console, f"{card.path}: {card.oracle_titles:,} titles of {sources}")
    for source in card.sources:
        for note, rows in source.get("notes", {}).items():
            print_line(console, f"{source.get('source')}: {note} ({rows:,} rows)")
    whose = "catalog" if card.of_catalog else "oracle"
    if card.of_catalog:
        with_entry, known = (
            f"{part:,} ({_share(part, card.titles)})" for part in (card.with_entry, card.known)
        )
        print_line(
            console,
            f"Of {card.titles:,} titles of the catalog {with_entry} have an entry, and {known} a known "
            "verdict on some trait",
        )
    _shares(console, card, whose)
    for examples in card.examples:
        _examples(console, examples)
    _collisions(console, "oracle", card.oracle_collisions)
    if card.of_catalog:
        _collisions(console, "catalog", card.collisions)
    _disagreements(console, card)


def _shares(console: Console, card: OracleCard, whose: str) -> None:
    """Print what is known and blocked, by trait."""
    is_weighted = any(trait.popular_known is not None for trait in card.traits)
    weighted = ["known, by popularity"] if is_weighted else []
    table = _table(
        f"Share of the {whose}'s titles",
        ["trait"],
        ["known", *weighted, "open", *(f"risk >= {limit}" for limit in THRESHOLDS)],
    )
    for trait in card.traits:
        counts = [trait.known, trait.open, *trait.blocked.values()]
        known, *others = (_share(count, card.titles) for count in counts)
        popular = [f"{trait.popular_known or 0:.1%}"] if is_weighted else []
        table.add_row(escape(trait.trait) + (" *" if trait.one_sided else ""), known, *popular, *others)
    console.print(table)
    print_line(
        console,
        f"A risk of {card.threshold:g} or more is a violation. Evidence from {card.open_from:g} up to there "
        "leaves it open: a title of which nothing else is said is unknown.",
    )
    if ambiguous := {trait.trait: trait.ambiguous for trait in card.traits if trait.ambiguous}:
        listed = ", ".join(f"{trait} {titles:,}" for trait, titles in ambiguous.items())
        may_mean = "Ambiguous titles, which may mean several works with different verdicts"
        print_line(console, f"{may_mean}: {listed}")
    if any(trait.one_sided for trait in card.traits):
        print_line(
            console,
            "* No source names a title that is safe for this trait: whatever is known is blocked, and the "
            "share of violations among known titles means nothing.",
        )


def _examples(console: Console, examples: TraitExamples) -> None:
    """Print the best-known titles of a trait."""
    for verdict, titles in (
        ("blocked", examples.blocked),
        ("passed", examples.passed),
        ("unknown", examples.unknown),
    ):
        table = _table(f"{examples.trait}: {verdict}", ["title"], ["risk"])
        table.add_column("evidence")
        for each in titles:
            mark = " (ambiguous)" if each.ambiguous else ""
            risk = "" if each.risk is None else f"{each.risk:.2f}"
            table.add_row(escape(each.title) + mark, risk, escape(each.evidence))
        console.print(table)


def _collisions(console: Console, whose: str, collisions: Collisions) -> None:
    examples = f", such as {'; '.join(collisions.examples)}" if collisions.examples else ""
    print_line(
        console,
        f"Collisions in the {whose}: {collisions.same_year:,} titles stand there twice (one normal form and "
        f"year), {collisions.near_years:,} have a neighbor within the year tolerance{examples}",
    )


def _disagreements(console: Console, card: OracleCard) -> None:
    if not card.disagreements:
        return
    table = _table(
        f"Where one source says {card.threshold:g} or more and another less",
        ["sources", "trait"],
        ["both judge", "disagree", "share"],
    )
    for pair in card.disagreements:
        names = " and ".join(pair.sources) if pair.trait is None else ""
        figures = (f"{pair.both:,}", f"{pair.apart:,}", f"{pair.share:.1%}")
        table.add_row(escape(names), escape(pair.trait or "all"), *figures)
    console.print(table)


def _table(title: str, texts: Sequence[str], numbers: Sequence[str]) -> Table:
    table = Table(
        title=escape(title),
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
        pad_edge=False,
    )
    for name in texts:
        table.add_column(escape(name), overflow="fold")
    for name in numbers:
        table.add_column(escape(name), justify="right")
    return table


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"
