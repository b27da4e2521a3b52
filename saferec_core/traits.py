"""Traits: what a user may be sensitive to, how that is asked, weighed and said."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from saferec_core.config import Section

__all__ = ["PARENT_GUIDE", "Trait", "read_traits"]

PARENT_GUIDE = (
    "sex_nudity",
    "violence_gore",
    "profanity",
    "alcohol_drugs_smoking",
    "frightening_intense",
)
"""The five categories of a parental guide, in the order of severities and weights."""


class Trait(Section):
    """One sensitivity."""

    about: str
    """What somebody with this trait does not want to see, in one sentence."""
    questions: list[str] = Field(min_length=1)
    """Yes/no questions about a title; one yes is a warning."""
    parent_guide: dict[str, float] = Field(default_factory=dict)
    """Weight of each category of the parental guide that matters to the trait; none: no signal."""
    explicit: list[str] = Field(min_length=1)
    """Sentences with which a user states the constraint."""
    implied: list[str] = Field(min_length=1)
    """Sentences from which it follows without being stated."""

    @property
    def weights(self) -> tuple[float, ...]:
        """The weights in the order of the categories."""
        return tuple(self.parent_guide.get(category, 0.0) for category in PARENT_GUIDE)


def read_traits(path: Path | None = None) -> dict[str, Trait]:
    """Read traits by name from a YAML file, the built-in twenty if none is named.

    Raises:
        ConfigError: The file cannot be read, or a trait is not what is wanted.
    """
    raise NotImplementedError
