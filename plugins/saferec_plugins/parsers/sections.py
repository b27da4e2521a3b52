"""Which parts of a completion may hold the list: not its reasoning, and its solution if marked."""

from __future__ import annotations

import re

__all__ = ["list_sections"]

TAG = re.compile(r"<(/?)(reasoning|thinking|think|solution)\s*>", re.IGNORECASE)


def list_sections(text: str) -> list[tuple[int, int]]:
    """Find the parts of *text* in which list entries count, in one pass over its tags.

    A block of reasoning never counts. Closed, it ends at its end tag, whatever it holds; left open,
    it reaches to the next ``<solution>`` or else to the end. An end tag before any start tag closes
    a block that the prompt opened. If a ``<solution>`` stands outside of all that, only what
    follows the first one counts, to its end tag or else to the end.

    Returns:
        Start and end of each part, in order and without the tags.
    """
    if "<" not in text:
        return [(0, len(text))]

    tags = [(tag[2].lower(), tag[1] == "/", tag.start(), tag.end()) for tag in TAG.finditer(text)]
    last_end_tag = {name: start for name, is_end, start, _ in tags if is_end}

    sections: list[tuple[int, int]] = []
    in_solution = False
    block = opened_by_prompt(tags)
    section_start = 0
    for name, is_end, start, end in tags:
        if block is not None:
            closes = is_end and name == block
            gives_way = name == "solution" and not is_end and last_end_tag.get(block, -1) < start
            if not (closes or gives_way):
                continue
            block = None
        else:
            sections.append((section_start, start))
        section_start = end

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


def opened_by_prompt(tags: list[tuple[str, bool, int, int]]) -> str | None:
    """Name the block that *tags* close without having opened one."""
    for name, is_end, _, _ in tags:
        if name != "solution":
            return name if is_end else None
    return None
