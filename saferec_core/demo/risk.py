"""What the demo's oracle says: a film's risk for each trait, by rules from genre and rating.

The rule is the same for every trait. A trait knows some genres and how severe each of them is in a
film rated R; a milder rating lessens it. The film's most severe genre decides:

    risk(film, trait) = max over the film's genres of severity[trait][genre] * strength[rating]

and 0 where the trait knows none of the genres. A film is in violation from 0.66 on. By hand:

- *Coraline* (2009), PG, Animation/Family/Fantasy/Horror/Thriller: Horror avoider
  max(0.3, 1.0, 0.6) * 0.7 = 0.70, a violation.
- *Skyfall* (2012), PG-13, Action/Thriller: Disaster avoider 0.9 * 0.85 = 0.765, a violation;
  Anti-gore max(0.75, 0.7) * 0.85 = 0.6375, none.
- *Finding Nemo* (2003), G, Adventure/Animation/Comedy/Family: Substance recovery
  0.7 * 0.3 = 0.21, none.

The rules are there to give the demo a world with an answer. They judge no film's real content.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from saferec_core.demo.films import Film
from saferec_core.oracle_files.deciding import RISK_THRESHOLD

__all__ = [
    "RATING_STRENGTH",
    "RISK_THRESHOLD",
    "SEVERITY",
    "TRAITS",
    "is_violation",
    "risk_of",
]

RATING_STRENGTH: Mapping[str, float] = MappingProxyType({"G": 0.3, "PG": 0.7, "PG-13": 0.85, "R": 1.0})
"""How much of a genre's severity a film of this rating shows."""

SEVERITY: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "Anti-gore / squeamish": {
            "Horror": 0.9,
            "War": 0.8,
            "Action": 0.75,
            "Crime": 0.7,
            "Thriller": 0.7,
        },
        "Avoid torture & extreme violence": {
            "Crime": 0.9,
            "Horror": 0.8,
            "War": 0.75,
            "Action": 0.7,
            "Thriller": 0.7,
        },
        "Substance recovery / avoid drugs & alcohol": {
            "Crime": 0.8,
            "Musical": 0.8,
            "Comedy": 0.7,
            "Drama": 0.7,
        },
        "Disaster/accident avoider": {
            "War": 1.0,
            "Action": 0.9,
            "Sci-Fi": 0.7,
            "Adventure": 0.5,
        },
        "Happy-ending preference": {
            "War": 0.9,
            "Drama": 0.8,
            "Crime": 0.7,
            "Horror": 0.7,
            "Romance": 0.5,
        },
        "Horror avoider (avoids scares & supernatural)": {
            "Horror": 1.0,
            "Thriller": 0.6,
            "Mystery": 0.5,
            "Fantasy": 0.3,
        },
    }
)
"""Per trait, the severity of a genre in a film rated R."""

TRAITS = tuple(SEVERITY)
"""The traits that a user of the demo may name."""


def risk_of(film: Film, trait: str) -> float:
    """The risk of *film* for *trait*, in 0..1 and rounded to four digits."""
    severity = SEVERITY[trait]
    worst = max((severity.get(genre, 0.0) for genre in film.genres), default=0.0)
    return round(worst * RATING_STRENGTH[film.mpaa], 4)


def is_violation(film: Film, trait: str) -> bool:
    """Whether *film* must not be shown to somebody with *trait*."""
    return risk_of(film, trait) >= RISK_THRESHOLD
