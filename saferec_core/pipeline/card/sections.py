"""The content of a dataset card, section by section, independent of its format."""

from __future__ import annotations

from datetime import UTC, datetime

from saferec_core.data.traits import short_names
from saferec_core.pipeline.card.facts import DAY, CardFacts
from saferec_core.pipeline.card.parts import CardAnswer, CardCell, CardSection, Table, percent, sizes
from saferec_core.pipeline.card.steps import coverage_section, steps_section

__all__ = ["SUMMARY", "headline", "sections"]

SUMMARY = (
    "Conversations with the titles that are relevant to their users and the constraints on what they "
    "want to see, for Safe SFT and Safe-Rank-GRPO with saferec."
)
"""What a dataset is for, in one sentence."""


def headline(facts: CardFacts) -> list[tuple[str, str]]:
    """Return the headline figures, each with what it counts."""
    traits = sum(bool(trait.samples.total()) for trait in facts.traits.values())
    constrained = sum(split.constrained for split in facts.splits.values())
    completions = sum(split.completions for split in facts.splits.values())
    shown = [
        (f"{facts.samples:,}", "samples"),
        (f"{facts.users:,}" if facts.users else "", "users"),
        (percent(constrained, facts.samples), "with a constraint"),
        (f"{traits}", "trait" if traits == 1 else "traits"),
        (percent(completions, facts.samples), "with a completion"),
        (f"{facts.titles:,}", "titles in ground truths"),
    ]
    return [(figure, what) for figure, what in shown if figure]


def sections(facts: CardFacts) -> list[CardSection]:
    """Return the sections of a card in their order; empty ones are left out."""
    every = (
        _dialogues(facts),
        _splits(facts),
        steps_section(facts),
        coverage_section(facts),
        _constraints(facts),
        _ground_truth(facts),
        _lists(facts),
        _leakage(facts),
        _columns(facts),
        _training(facts),
        CardSection(
            "License",
            "Not stated: the license is that of the data that the samples were made from. State it here "
            "before you share the dataset.",
        ),
    )
    return [section for section in every if section is not None]


def _dialogues(facts: CardFacts) -> CardSection | None:
    if not facts.dialogues:
        return None
    return CardSection("Sample dialogues", dialogues=facts.dialogues)


def _splits(facts: CardFacts) -> CardSection:
    """Give each split a column, which fits a phone."""
    splits = facts.splits.values()
    figures: list[tuple[str, list[CardCell]]] = [
        ("samples", [split.samples for split in splits]),
        ("users", [split.users or "not stated" for split in splits]),
        ("turns per prompt", [f"{split.turns / split.samples:.1f}" for split in splits]),
        ("with a constraint", [split.constrained for split in splits]),
        ("with a completion", [split.completions for split in splits]),
    ]
    timed = any(split.days for split in splits)
    if timed:
        figures.append(("first day", [_day(min(split.days, default=None)) for split in splits]))
        figures.append(("last day", [_day(max(split.days, default=None)) for split in splits]))
    rows: list[tuple[CardCell, ...]] = [(what, *of_splits) for what, of_splits in figures]
    table = Table("What each split holds", ("figure", *facts.splits), rows)
    return CardSection("Splits", tables=[table], charts=("time",) if timed else ())


def _day(day: int | None) -> str:
    return "" if day is None else f"{datetime.fromtimestamp(day * DAY, UTC):%Y-%m-%d}"


def _constraints(facts: CardFacts) -> CardSection | None:
    if not facts.traits:
        return None
    names, short = list(facts.splits), short_names(facts.traits)
    ways = sorted({way for trait in facts.traits.values() for way in trait.stated})
    rows: list[tuple[CardCell, ...]] = [
        (
            short[name],
            *(trait.samples[split] for split in names),
            *(trait.stated[way] for way in ways),
            trait.removed,
        )
        for name, trait in facts.traits.items()
    ]
    head = ("trait", *names, *(f"stated: {way}" for way in ways), "titles removed")
    tables = [Table("Samples with each trait as a constraint", head, rows)]
    numbers: list[tuple[CardCell, ...]] = [
        (number, times, percent(times, facts.samples)) for number, times in sorted(facts.constraints.items())
    ]
    tables.append(Table("Constraints per sample", ("constraints", "samples", "share"), numbers))
    if facts.positions:
        total = facts.positions.total()
        positions: list[tuple[CardCell, ...]] = [
            (position, times, percent(times, total)) for position, times in facts.positions.most_common()
        ]
        tables.append(
            Table("Where the last turn states the constraints", ("position", "samples", "share"), positions)
        )
    return CardSection("Constraints", tables=tables, charts=("traits",))


def _ground_truth(facts: CardFacts) -> CardSection:
    rows: list[tuple[CardCell, ...]] = [
        (size, *times) for size, times in sizes([facts.truth_before, facts.truth_after])
    ]
    table = Table("Samples by size of the ground truth", ("titles", "before", "after"), rows)
    text = (
        "Before: including the titles that the sample's constraints removed. Samples that lost their whole "
        "ground truth are not counted here; see what each step did."
    )
    return CardSection("Ground truth", text, [table], charts=("truth",))


def _lists(facts: CardFacts) -> CardSection | None:
    rows: list[tuple[CardCell, ...]] = [(size, *times) for size, times in sizes([facts.list_lengths])]
    if not rows:
        return None
    table = Table("Completions by number of titles", ("titles", "completions"), rows)
    return CardSection("Lists to imitate", tables=[table], charts=("lists",))


def _leakage(facts: CardFacts) -> CardSection | None:
    rows: list[tuple[CardCell, ...]] = [
        (
            check.question,
            CardAnswer(f"{check.count:,}" if check.count else "no", not check.count),
            check.meaning,
        )
        for check in facts.checks
    ]
    if not rows:
        return None
    text = "Checked in the finished rows."
    return CardSection("Leakage", text, [Table("Checks", ("check", "found", "what is counted"), rows)])


def _columns(facts: CardFacts) -> CardSection:
    rows: list[tuple[CardCell, ...]] = [
        ("prompt", "the conversation: messages with role and content, the last one the user's"),
        ("completion", "for Safe SFT: a message with the list to imitate"),
        (
            "groundtruth_with_release_year",
            "relevant titles with their years; none violates a constraint of the user",
        ),
        ("seen_titles", "titles that the user has seen; the year is null where it is unknown"),
        ("constraints", "traits that are active for the user"),
    ]
    as_text = ", ".join(facts.published.json_columns)
    others = "Other columns are kept and passed on."
    return CardSection(
        "Columns",
        f"{others} Stored as JSON text because their values have mixed types: {as_text}."
        if as_text
        else others,
        [Table("What saferec reads", ("column", "holds"), rows)],
    )


def _training(facts: CardFacts) -> CardSection:
    files = facts.published.files
    flags = "".join(
        f" \\\n    --{split}-path {file}" for split, file in files.items() if split in {"train", "validation"}
    )
    common = " \\\n    --catalog-path CATALOG --oracle-path ORACLE"
    test = f" \\\n    --test-path {files['test']}" if "test" in files else ""
    sft = f"saferec sft --model MODEL{flags}{common}\n"
    completions = any(split.completions for split in facts.splits.values())
    start = "--sft-checkpoint runs/SFT_RUN" if completions else ""
    train = (
        f"saferec train --model MODEL {start}".rstrip() + f"{flags}{test}{common} \\\n"
        "    --reward relevance --reward safety --reward count\n"
    )
    text = "Run these in the folder of the dataset; replace MODEL, CATALOG and ORACLE with your own."
    return CardSection("Train on it", text, code=(sft if completions else "") + train)
