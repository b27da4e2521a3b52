"""What every completion is held against before its row is passed on."""

from __future__ import annotations

from collections.abc import Sequence

from saferec_core.lists import Title
from saferec_core.oracle import Oracle, Question
from saferec_core.records import Record
from saferec_core.titles import normal_form
from saferec_plugins.targets.list_filling import Place, Source
from saferec_plugins.transforms.verdicts import answers_of

__all__ = ["against_the_oracle", "against_the_user"]


def against_the_user(titles: Sequence[Title], seen: Sequence[Title | str], tolerance: int) -> list[str]:
    """Return what is wrong with a list for somebody who has *seen* these titles; nothing if all is well."""
    user = Record(prompt=(), seen_titles=tuple(seen))
    forms = [(normal_form(name), year) for name, year in titles]
    problems = [
        f"holds {title}, which the user has seen"
        for title, (form, year) in zip(titles, forms, strict=True)
        if user.has_seen(form, year, tolerance)
    ]
    if len(set(forms)) < len(forms):
        problems.append("holds a title twice")
    return problems


def against_the_oracle(
    titles: Sequence[Title],
    places: Sequence[Place],
    constraints: tuple[str, ...],
    oracle: Oracle,
    *,
    unknown_allowed: bool,
) -> list[str]:
    """Return what the oracle, asked for all constraints at once, has against a list.

    Args:
        titles: The list.
        places: Why each of them is in it; ground truth need not be known.
        constraints: What is active for the user.
        oracle: What tells violations.
        unknown_allowed: Whether other titles need not be known either.
    """
    problems = []
    verdicts = answers_of(oracle, [Question(*title, constraints) for title in titles])
    for title, place, verdict in zip(titles, places, verdicts, strict=True):
        if verdict.known and verdict.violated:
            problems.append(f"holds {title}, which violates {', '.join(verdict.violated)}")
        elif not (verdict.known or unknown_allowed or place.source is Source.TRUTH):
            problems.append(f"holds {title}, which the oracle does not know")
    return problems
