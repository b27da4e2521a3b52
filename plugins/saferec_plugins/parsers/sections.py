"""Which parts of a completion may contain the list: not its reasoning, and only a marked solution."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

__all__ = ["list_sections", "may_bound_section"]

REASONING = (
    "reasoning", "reason", "reflection", "thinking", "think", "thoughts", "thought", "analysis",
    "scratchpad", "monologue", "inner_monologue", "deliberation", "planning", "plan", "cot",
)  # fmt: skip
"""Names of blocks in which models think."""

SOLUTION = ("solution", "final_answer", "answer")
"""Names of blocks that contain only the answer."""

MARKED_TURN = re.compile(
    r"""
    \[\|\s*(?:human|user)\s*\|?\] | \[/?INST\] | <<SYS>>
    | <\|\s*(?:im_start|start_header_id|start_of_role)\s*\|>\s*(?:user|human|system)
    | <\|\s*(?:user|human|prompter|system|user_token|system_token|end_of_turn_token)\s*\|>
    | <start_of_turn>\s*user
    | <\|\s*(?:im_end|eot_id|endoftext|end_of_text|end_of_turn|return)\s*\|> | <end_of_turn> | </s>
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Start of another speaker's turn in the notations of chat templates, all of which begin with a bracket."""

SPEAKER = r"""
    [ \t]*(?:\#{1,6}[ \t]*|[*_]{1,3})?
      (?:user|human|(?-i:SEEKER)|customer|client|instruction|system|conversation|new\ conversation)
      [*_]{0,3}[ \t]*:(?=[\s*_]|\Z)
    | [ \t]*\#{2,6}[ \t]*(?:user|human|instruction|input|question)[ \t]*:?[ \t]*\#*[ \t]*$
    """
"""A line that begins with another speaker, as transcripts have it."""

FIRST_SPEAKER = re.compile(SPEAKER, re.IGNORECASE | re.MULTILINE | re.VERBOSE)
NEXT_SPEAKER = re.compile(rf"\n(?:{SPEAKER})", re.IGNORECASE | re.MULTILINE | re.VERBOSE)

OWN_TURN = re.compile(
    r"""
    \s*(?:
      \[\|\s*(?:ai|assistant)\s*\|?\] | <\|\s*(?:assistant|bot|ai)\s*\|> | <start_of_turn>\s*model
      | <\|\s*(?:im_start|start_header_id)\s*\|>\s*assistant(?:<\|end_header_id\|>)?
      | (?:\#{1,6}[ \t]*|[*_]{1,3})?(?:assistant|system|recommender|response|output)[*_]{0,3}[ \t]*:[*_]{0,3}
    )
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""A role marker at the beginning of the completion."""

STRIPPED_CHANNELS = re.compile(r"\s*analysis(?=[A-Z\s])")
"""Remains of ``<|channel|>analysis<|message|>`` in a text without special tokens."""

FINAL_CHANNEL = "assistantfinal"


_OPENING = "<[◁"
"""Characters with which all tags and turns of chat templates begin."""


class Tag(NamedTuple):
    """A tag that begins or ends a block."""

    name: str
    is_end: bool
    start: int
    end: int
    closes_unopened: bool = True
    """Whether it may close a block that the prompt opened."""


def list_sections(text: str, further_tags: tuple[str, ...] = ()) -> list[tuple[int, int]]:
    """Find the parts of *text* in which list entries count, in one pass over its tags.

    A block of reasoning never counts. A closed block extends to its end tag, whatever it contains; an open
    one extends to the next ``<solution>``, or else to the end. An end tag before any start tag closes a block
    that the prompt opened. If there is a ``<solution>`` (or ``<answer>``) outside of reasoning, only the text
    after the first one counts, up to its end tag, or else to the end. Nothing counts after the beginning of
    another speaker's turn.

    Args:
        text: The completion.
        further_tags: Names of further tags that enclose reasoning.

    Returns:
        Start and end of each part, in order and without the tags.
    """
    start = 0
    if stripped := STRIPPED_CHANNELS.match(text):
        final = text.find(FINAL_CHANNEL, stripped.end())
        if final < 0 and not text[stripped.end() : stripped.end() + 1].isspace():
            return []
        start = final + len(FINAL_CHANNEL) if final >= 0 else 0
    return list(_before_next_turn(text, _outside_reasoning(text, start, further_tags)))


def may_bound_section(line: str) -> bool:
    """Whether a line that is not blank may hold anything that `list_sections` goes by."""
    return (
        any(map(line.__contains__, _OPENING))
        or FIRST_SPEAKER.match(line) is not None
        or OWN_TURN.match(line) is not None
        or STRIPPED_CHANNELS.match(line) is not None
    )


def _outside_reasoning(text: str, start: int, further_tags: tuple[str, ...]) -> list[tuple[int, int]]:
    tags = list(_tags(text, start, further_tags))
    last_end_tag = {tag.name: tag.start for tag in tags if tag.is_end}
    sections: list[tuple[int, int]] = []
    in_solution = False
    block = _opened_by_prompt(tags)
    section_start = start
    for name, is_end, tag_start, tag_end, _ in tags:
        if block is not None:
            closes = is_end and name == block
            gives_way = name == "solution" and not is_end and last_end_tag.get(block, -1) < tag_start
            if not (closes or gives_way):
                continue
            block = None
        else:
            sections.append((section_start, tag_start))
        section_start = tag_end

        if name == "solution":
            if is_end and in_solution:
                return sections
            if not is_end and not in_solution:
                sections.clear()
                in_solution = True
        elif not is_end:
            block = name
    if block is None:
        sections.append((section_start, len(text)))
    return sections


def _before_next_turn(text: str, sections: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Drop a role marker before the first section, and everything from the next speaker on."""
    nothing_yet = True
    for start, stop in sections:
        own = OWN_TURN.match(text, start, stop) if nothing_yet else None
        begin = own.end() if own else start
        turn = _next_turn(text, begin, stop)
        end = stop if turn is None else turn
        yield begin, end
        nothing_yet = nothing_yet and not text[begin:end].strip()
        if turn is not None:
            return


def _next_turn(text: str, start: int, stop: int) -> int | None:
    """Return where another speaker's turn begins."""
    turns = []
    if ("[" in text or "<" in text) and (marked := MARKED_TURN.search(text, start, stop)):
        turns.append(marked.start())
    if (not start or text[start - 1] == "\n") and FIRST_SPEAKER.match(text, start, stop):
        turns.append(start)
    if spoken := NEXT_SPEAKER.search(text, start, stop):
        turns.append(spoken.start() + 1)
    return min(turns, default=None)


def _tags(text: str, start: int, further_tags: tuple[str, ...]) -> Iterator[Tag]:
    if not any(map(text.__contains__, _OPENING)):
        return
    for match in _tag_pattern(further_tags).finditer(text, start):
        if match["channel"] is not None:
            name, is_end = "channel", match["channel"].lower() == "final"
        elif match["end_of_message"] is not None:
            # <|end|> closes a channel where another message follows; elsewhere it ends the turn.
            yield Tag("channel", True, match.start(), match.end(), match["goes_on"] is not None)
            continue
        elif match["unused"] is not None:
            name, is_end = "unused", match["unused"] == "95"
        else:
            name = match["name"].lower()
            name, is_end = ("solution" if name in SOLUTION else name), bool(match["end"])
        yield Tag(name, is_end, match.start(), match.end())


@lru_cache(maxsize=8)
def _tag_pattern(further_tags: tuple[str, ...]) -> re.Pattern[str]:
    names = sorted({*REASONING, *SOLUTION, *further_tags}, key=len, reverse=True)
    return re.compile(
        rf"""
        <\|channel\|>\s*(?P<channel>analysis|commentary|final)\b[^<\n]{{0,80}}(?:<\|message\|>)?
        | (?P<end_of_message><\|end\|>)(?P<goes_on>(?=\s*<\|(?:start|channel)\|>))?
        | <unused(?P<unused>9[45])>
        | (?:<\|?|(?P<square>\[)|◁)\s*(?P<end>/|end_(?:of_)?)?(?:begin_(?:of_)?|start_(?:of_)?)?
          (?:\w{{1,20}}:)?(?P<name>{"|".join(map(re.escape, names))})
          (?(square)\]|(?:\s[^<>\[\]\n]{{0,80}})?\s*(?:\|?>|▷))
        """,
        re.IGNORECASE | re.VERBOSE,
    )


def _opened_by_prompt(tags: Sequence[Tag]) -> str | None:
    """Return the name of the block that *tags* close without opening it."""
    for tag in tags:
        if tag.name != "solution":
            return tag.name if tag.is_end and tag.closes_unopened else None
    return None
