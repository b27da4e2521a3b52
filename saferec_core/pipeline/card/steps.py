"""The sections of a dataset card about its steps: what they read, wrote, left out and counted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from textwrap import shorten

from saferec_core.pipeline.card.facts import CardFacts
from saferec_core.pipeline.card.parts import CardCell, CardSection, Table, percent
from saferec_core.pipeline.step_report import StepAccount

__all__ = ["coverage_section", "steps_section"]

_FOLDERS = re.compile(r"^.*?(?=[^/\\]+, (?:line|row) [0-9])")
"""Folders in front of file names, which are private."""

_MOST_COUNTS = 6
"""Counts of a step that are shown."""


def steps_section(facts: CardFacts) -> CardSection | None:
    """Describe what each step read, wrote, removed, rejected and counted."""
    if not facts.accounts:
        return None
    steps: list[tuple[CardCell, ...]] = [
        (account.step, account.read, account.written, account.removed.total(), account.rejected)
        for account in facts.accounts
    ]
    tables = [Table("Rows by step", ("step", "read", "written", "removed", "rejected"), steps)]
    removed: list[tuple[CardCell, ...]] = [
        (account.step, reason, times)
        for account in facts.accounts
        for reason, times in account.removed.most_common()
    ]
    if removed:
        tables.append(Table("Rows removed on purpose", ("step", "reason", "rows"), removed))
    rejected: list[tuple[CardCell, ...]] = [
        (account.step, _FOLDERS.sub("", rejection, count=1))
        for account in facts.accounts
        for rejection in account.rejections[:3]
    ]
    if rejected:
        tables.append(Table("The first rows that were rejected", ("step", "where and why"), rejected))
    counted = [row for account in facts.accounts for row in _counted(account)]
    if counted:
        tables.append(Table("What else the steps counted", ("step", "what", "count", "examples"), counted))
    text = "Rows that a step leaves out are kept next to its output, with the evidence."
    return CardSection("What each step did", text, tables, charts=("steps",))


def _counted(account: StepAccount) -> Iterator[tuple[CardCell, ...]]:
    """Return the largest counts of a step; a count for each trait and reason would fill pages."""
    alone = [(what, times) for what, times in account.counted.items() if what not in account.groups]
    by_size = sorted(alone, key=lambda item: -item[1])
    for what, times in by_size[:_MOST_COUNTS]:
        yield account.step, what, _number(times), _examples(account, what)
    if len(by_size) > _MOST_COUNTS:
        yield account.step, f"{len(by_size) - _MOST_COUNTS} more counts in the manifest", "", ""


def _examples(account: StepAccount, what: str) -> str:
    return "; ".join(shorten(text, 90, placeholder=" ...") for text in account.examples.get(what, ())[:3])


def coverage_section(facts: CardFacts) -> CardSection | None:
    """Show the counts that steps group, such as the results of a look-up, as shares of their group."""
    rows: list[tuple[CardCell, ...]] = []
    for account in facts.accounts:
        totals: dict[str, float] = {}
        for what, group in account.groups.items():
            totals[group] = totals.get(group, 0) + account.counted[what]
        by_size = sorted(
            account.groups.items(), key=lambda item: (item[1], -account.counted[item[0]], item[0])
        )
        for what, group in by_size:
            times = account.counted[what]
            rows.append((what, _number(times), percent(times, totals[group]), _examples(account, what)))
    if not rows:
        return None
    text = "Titles that were looked up in the catalog, by result."
    table = Table("Results of the look-up", ("titles", "count", "share", "examples"), rows)
    return CardSection("Coverage of the catalog", text, [table])


def _number(times: float) -> CardCell:
    """Most counts are whole numbers; costs are not."""
    return int(times) if times == int(times) else f"{times:.6g}"
