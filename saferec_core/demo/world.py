"""The demo's users: what each likes, has seen and must not be shown, and what they talk about.

A user has one favorite genre, the *taste*, and draws everything from its most popular films. The
relevant films are mostly popular ones; the demonstrations that a policy is first fine-tuned on know
the taste, but neither the popularity nor, at times, the constraint. So there is something left
to learn from rewards: what is relevant, and what is safe.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from saferec_core.data.titles import Title
from saferec_core.demo.films import Film
from saferec_core.demo.risk import TRAITS, is_violation
from saferec_core.demo.wordings import MOODS, Message, dialogue

__all__ = ["NUM_TITLES", "User", "users"]

NUM_TITLES = 5
"""Titles that every user asks for (K)."""

POOL_SIZE = 16
"""A taste is the most popular films of a genre, this many."""

RULED_OUT = (0.2, 0.6)
"""A user names only traits that rule out this share of the taste: not nothing, not nearly all."""

SECOND_TRAIT = 0.1
"""Share of users who name two traits."""

RELEVANT = 7
"""Films drawn as relevant, before those that violate a constraint are taken out."""

MIN_RELEVANT = 3
"""A user with fewer safe relevant films is drawn anew."""

POPULARITY_SCALE = 4.0
"""Ranks of popularity over which the chance of being relevant falls by the factor e."""

OVERLOOKED = 0.1
"""Chance that a demonstrated title was picked without a look at the constraints."""

OFF_TASTE = 0.05
"""Chance that a demonstrated title comes from the whole catalog instead of the taste."""

SHORT_LIST = 0.12
"""Share of demonstrations that stop one or two titles early."""


@dataclass(frozen=True, slots=True)
class User:
    """One user and one dialogue, ended by a demonstration of an answer."""

    name: str
    taste: str
    constraints: tuple[str, ...]
    liked: tuple[Title, ...]
    """Films named in the dialogue; they count as seen."""
    relevant: tuple[Title, ...]
    """Ground truth: unseen, without a violation."""
    prompt: tuple[Message, ...]
    demonstrated: tuple[Title, ...]
    """What the completion lists; not free of violations."""


def users(films: Sequence[Film], *, seed: int, heeded: bool = True) -> Iterator[User]:
    """Draw users without end, no two of them with the same dialogue.

    Args:
        films: The catalog, most popular first.
        seed: The same seed yields the same users, in every process.
        heeded: Whether demonstrations are drawn with an eye on the constraints.
    """
    rng = random.Random(f"saferec demo users {seed}")
    pools = {taste: [f for f in films if taste in f.genres][:POOL_SIZE] for taste in MOODS}
    traits = {taste: _fitting_traits(pool) for taste, pool in pools.items()}
    tastes = [taste for taste in pools if traits[taste]]
    written: set[str] = set()
    while True:
        taste = rng.choice(tastes)
        number = 2 if rng.random() < SECOND_TRAIT else 1
        constraints = rng.sample(traits[taste], min(number, len(traits[taste])))
        user = _draw_user(
            rng, f"user-{len(written):05d}", taste, pools[taste], films, constraints, heeded=heeded
        )
        text = repr(user.prompt)
        if len(user.relevant) >= MIN_RELEVANT and text not in written:
            written.add(text)
            yield user


def _fitting_traits(pool: Sequence[Film]) -> list[str]:
    low, high = RULED_OUT
    share = {trait: sum(is_violation(f, trait) for f in pool) / len(pool) for trait in TRAITS}
    return [trait for trait in TRAITS if low <= share[trait] <= high]


def _draw_user(
    rng: random.Random,
    name: str,
    taste: str,
    pool: Sequence[Film],
    catalog: Sequence[Film],
    constraints: Sequence[str],
    *,
    heeded: bool,
) -> User:
    liked = rng.sample(pool, rng.choice((2, 3)))
    unseen = [film for film in pool if film not in liked]
    relevant = [film for film in _popular(rng, unseen) if _is_safe(film, constraints)]
    minded = constraints if heeded else ()
    return User(
        name=name,
        taste=taste,
        constraints=tuple(constraints),
        liked=tuple(film.title for film in liked),
        relevant=tuple(film.title for film in relevant),
        prompt=tuple(
            dialogue(
                rng,
                taste=taste,
                liked=[film.title for film in liked],
                constraints=constraints,
                number=NUM_TITLES,
            )
        ),
        demonstrated=tuple(film.title for film in _demonstration(rng, unseen, catalog, liked, minded)),
    )


def _popular(rng: random.Random, films: Sequence[Film]) -> list[Film]:
    """Draw ``RELEVANT`` films without replacement, popular ones rather than others."""
    # A film's key is exponential with its weight as rate; the smallest keys are a weighted sample.
    keys = [-math.log(1.0 - rng.random()) * math.exp(rank / POPULARITY_SCALE) for rank in range(len(films))]
    order = sorted(range(len(films)), key=keys.__getitem__)
    return [films[index] for index in sorted(order[:RELEVANT])]


def _demonstration(
    rng: random.Random,
    unseen: Sequence[Film],
    catalog: Sequence[Film],
    liked: Sequence[Film],
    constraints: Sequence[str],
) -> list[Film]:
    """List films of the taste, evenly drawn and in no order, with slips."""
    length = NUM_TITLES
    if rng.random() < SHORT_LIST:
        length -= rng.choice((1, 2))
    chosen: list[Film] = []
    while len(chosen) < length:
        film = rng.choice(catalog if rng.random() < OFF_TASTE else unseen)
        allowed = rng.random() < OVERLOOKED or _is_safe(film, constraints)
        if allowed and film not in chosen and film not in liked:
            chosen.append(film)
    return chosen


def _is_safe(film: Film, constraints: Sequence[str]) -> bool:
    return not any(is_violation(film, trait) for trait in constraints)
