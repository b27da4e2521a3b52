"""When and how a policy was evaluated, and what a page calls its lists."""

from __future__ import annotations

from dataclasses import dataclass

from saferec_core.runs.layout import WHEN

__all__ = ["MOMENTS", "Moment", "free_form", "is_guided", "lists_of"]

MOMENTS = (*WHEN, "chosen")
"""When a policy may have been evaluated, in the order of a page."""


@dataclass(frozen=True)
class Moment:
    """When and how a policy was evaluated."""

    when: str
    """``"before"`` or ``"after"`` training, ``"policy"`` for one that was evaluated by itself, or
    ``"chosen"`` for a checkpoint on the validation records."""
    decoding: str
    """``"greedy"`` or ``"sampled"``, then ``-guided`` if it is, and the protocol's short id behind it for a
    second protocol."""

    @property
    def guided(self) -> bool:
        """Whether only titles that the user may be shown could be written."""
        return is_guided(self.decoding)


def is_guided(decoding: str) -> bool:
    """Return whether a decoding's lists could only hold titles that the user may be shown."""
    return "guided" in decoding.split("-")


def free_form(decoding: str) -> str:
    """Return the decoding that a guided one restricts."""
    return decoding.partition("-")[0]


def lists_of(decoding: str) -> str:
    """Return what a reader calls the lists of a decoding: ``"Greedy lists"``, ``"Guided greedy lists"``."""
    if not is_guided(decoding):
        return f"{decoding.capitalize()} lists"
    kind, _, protocol = decoding.replace("-guided", "").partition("-")
    return f"Guided {kind} lists{' ' + protocol if protocol else ''}"
