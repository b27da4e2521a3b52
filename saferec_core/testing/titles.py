"""Titles for the checks: eight plain ones, and those that real catalogs trip over."""

from __future__ import annotations

from saferec_core.data.titles import Title

__all__ = ["AWKWARD_TITLES", "OUTSIDE", "TITLES"]

TITLES = tuple(Title(f"Film {letter}", 1990 + number) for number, letter in enumerate("ABCDEFGH"))
"""The titles of the small world that the checks take place in."""

OUTSIDE = Title("Nobody's Film", 1901)
"""A title that is not in its catalog."""

AWKWARD_TITLES = (
    Title("(500) Days of Summer", 2009),
    Title("*batteries not included", 1987),
    Title("1917", 2019),
    Title("2001: A Space Odyssey", 1968),
    Title("10 Things I Hate About You", 1999),
    Title("Amélie", 2001),
    Title("M*A*S*H", 1970),
    Title("Good, the Bad and the Ugly, The", 1966),
    Title("What's Up, Doc?", 1972),
    Title("8½", 1963),
    Title("七人の侍", 1954),
)
"""Titles of real films that hold brackets, numbers, marks of lists, accents and other scripts."""
