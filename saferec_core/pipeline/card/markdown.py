"""The dataset card: what a dataset holds, what was lost on the way, and how to train on it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from saferec_core.pipeline.card.counting import describe
from saferec_core.pipeline.card.facts import CardFacts
from saferec_core.pipeline.card.parts import CardAnswer, CardCell, CardSection, Dialogue, Table
from saferec_core.pipeline.card.sections import SUMMARY, headline, sections

__all__ = ["CardFacts", "describe", "markdown"]

_MARKS = re.compile(r"([\\`*_\[\]|#~$])")
_STEPS = ((10**3, "1K"), (10**4, "10K"), (10**5, "100K"), (10**6, "1M"), (10**7, "10M"), (10**8, "100M"))


def markdown(facts: CardFacts) -> str:
    """Write the card as Markdown, with the head in YAML that the Hugging Face hub reads.

    The head makes no claim about the license; a comment in it says where the user states it.
    """
    figures = ", ".join(f"{figure} {what}" for figure, what in headline(facts))
    parts = [f"---\n{_head(facts)}---\n", f"# {_escaped(facts.name)}\n", f"{SUMMARY}\n", f"{figures}.\n"]
    for section in sections(facts):
        parts += _section(section)
    return "\n".join(parts)


def _head(facts: CardFacts) -> str:
    from huggingface_hub import DatasetCardData

    pattern = {"datasets": "{}/*.arrow"}.get(facts.published.form, "{}")
    head = DatasetCardData(
        pretty_name=facts.name,
        size_categories=[_size(facts.samples)],
        task_categories=["text-generation"],
        tags=["recommendation", "safety", "saferec"],
        configs=[
            {
                "config_name": "default",
                "data_files": [
                    {"split": split, "path": pattern.format(file)}
                    for split, file in facts.published.files.items()
                ],
            }
        ],
    )
    return f"{head.to_yaml()}\n# license: (state the license of your data here and remove the #)\n"


def _size(samples: int) -> str:
    below = [(name, bound) for bound, name in _STEPS]
    for (name, bound), smaller in zip(below, ["", *(name for name, _ in below)], strict=False):
        if samples < bound:
            return f"{smaller}<n<{name}" if smaller else f"n<{name}"
    return f"n>{below[-1][0]}"


def _section(section: CardSection) -> Iterator[str]:
    yield f"## {section.title}\n"
    if section.text:
        yield f"{_escaped(section.text)}\n"
    for table in section.tables:
        yield from _table(table, captioned=len(section.tables) > 1)
    for dialogue in section.dialogues:
        yield from _dialogue(dialogue)
    if section.code:
        yield f"```bash\n{section.code}```\n"


def _dialogue(dialogue: Dialogue) -> Iterator[str]:
    turns = [
        *dialogue.turns,
        *([("assistant, to imitate", dialogue.completion)] if dialogue.completion else []),
    ]
    lines = [f"> **{role}**: {_escaped(line)}" for role, line in turns]
    yield "\n>\n".join(lines) + "\n"
    constraints = ", ".join(map(_escaped, dialogue.constraints)) or "none"
    truth = ", ".join(map(_escaped, dialogue.ground_truth)) or "none"
    yield f"Split: {dialogue.split}. Constraints: {constraints}. Ground truth: {truth}.\n"


def _table(table: Table, *, captioned: bool) -> Iterator[str]:
    if captioned:
        yield f"{_escaped(table.caption)}:\n"
    columns = zip(*table.rows, strict=True)
    numeric = [all(isinstance(cell, int) or not cell for cell in column) for column in columns]
    lines = [
        _line(table.head),
        "|" + "|".join("---:" if right else "---" for right in numeric) + "|",
        *(_line(row) for row in table.rows),
    ]
    yield "\n".join(lines) + "\n"


def _line(cells: tuple[CardCell, ...]) -> str:
    return "| " + " | ".join(map(_shown, cells)) + " |"


def _shown(cell: CardCell) -> str:
    if isinstance(cell, int):
        return f"{cell:,}"
    return f"**{cell.text}**" if isinstance(cell, CardAnswer) else _escaped(cell)


def _escaped(text: str) -> str:
    """Write text from the data so that Markdown, and HTML within it, treat it as plain text."""
    one_line = " ".join(text.split())
    return _MARKS.sub(r"\\\1", html.escape(one_line, quote=False))
