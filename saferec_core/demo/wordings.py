"""How the demo's users talk: what they liked, what they must not be shown, what they ask for."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from saferec_core.data.sentences import listed
from saferec_core.data.titles import Title

__all__ = ["Message", "all_texts", "dialogue"]

Message = dict[str, str]
"""One turn: ``{"role": ..., "content": ...}``."""

LIKED = (
    "I loved {liked}.",
    "My favorites are {liked}.",
    "I really enjoyed {liked}.",
    "I liked {liked}.",
    "We enjoyed {liked}.",
    "More like {liked} please.",
)

MOODS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Action": ("I want some action.", "Fast and loud is my thing."),
        "Adventure": ("I want an adventure.", "Take me on a journey."),
        "Comedy": ("I want to laugh.", "Something funny please."),
        "Crime": ("I like a good crime story.", "Cops and crooks are my thing."),
        "Drama": ("I like a serious drama.", "Serious stories are my thing."),
        "Fantasy": ("I want some magic.", "Other worlds are my thing."),
        "Horror": ("I like to be scared.", "Dark stories are my thing."),
        "Musical": ("I want songs and dance.", "Music is my thing."),
        "Mystery": ("I like a riddle.", "Secrets and clues are my thing."),
        "Romance": ("I want a love story.", "Love is my thing."),
        "Sci-Fi": ("I like science fiction.", "The future and space are my thing."),
        "Thriller": ("I want some suspense.", "Something tense please."),
    }
)
"""Per favorite genre, ways to say so; half of the users do."""

AVOIDED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Anti-gore / squeamish": (
            "I am squeamish, so no blood please.",
            "Please nothing gory.",
            "I can not stand the sight of blood.",
            "Keep the gore away from me.",
        ),
        "Avoid torture & extreme violence": (
            "No torture and no brutal violence please.",
            "Extreme violence is too much for me.",
            "Please skip anything cruel.",
            "I do not want to see torture.",
        ),
        "Substance recovery / avoid drugs & alcohol": (
            "I am in recovery, so no drugs please.",
            "Please nothing with drinking or drugs.",
            "I am sober and avoid alcohol.",
            "Drug use on screen is hard for me.",
        ),
        "Disaster/accident avoider": (
            "No crashes or explosions please.",
            "I had an accident, so no car crashes.",
            "Disasters and gun fights upset me.",
            "Please nothing where things blow up.",
        ),
        "Happy-ending preference": (
            "I need a happy ending.",
            "Please nothing with a sad ending.",
            "It has to end well.",
            "I do not want to cry at the end.",
        ),
        "Horror avoider (avoids scares & supernatural)": (
            "Please nothing scary.",
            "No ghosts and no jump scares please.",
            "I can not sleep after horror.",
            "Keep it free of scares.",
        ),
    }
)
"""Per trait, ways to say it without naming it."""

REQUESTS = (
    "Please recommend {number} movies.",
    "Which {number} films should I watch?",
    "Give me {number} films.",
    "Can you suggest {number} titles?",
)

FIRST_REQUESTS = (
    "Can you help me?",
    "I want to watch something.",
    "What should I watch?",
)

QUESTIONS = (
    "Sure. What do you avoid?",
    "What should I leave out?",
    "Is there anything you avoid?",
)
"""What the assistant asks back in a dialogue of several turns."""


def dialogue(
    rng: random.Random,
    *,
    taste: str,
    liked: Sequence[Title],
    constraints: Sequence[str],
    number: int,
) -> list[Message]:
    """Word a user's wishes as one turn or, every fourth time, as three.

    Args:
        rng: Source of the choices.
        taste: Favorite genre, a key of ``MOODS``.
        liked: Films the user names as liked; at least one.
        constraints: Traits that must be respected; each is worded in a sentence of its own.
        number: Titles asked for.
    """
    likes = [rng.choice(LIKED).format(liked=listed([str(title) for title in liked]))]
    if rng.random() < 0.5:
        likes.append(rng.choice(MOODS[taste]))
    avoided = [rng.choice(AVOIDED[trait]) for trait in constraints]
    request = rng.choice(REQUESTS).format(number=number)
    if rng.random() < 0.25:
        return [
            _turn("user", rng.choice(FIRST_REQUESTS), *likes),
            _turn("assistant", rng.choice(QUESTIONS)),
            _turn("user", *avoided, request),
        ]
    parts = [likes, avoided]
    rng.shuffle(parts)
    return [_turn("user", *parts[0], *parts[1], request)]


def all_texts(number: int) -> list[str]:
    """Every wording once, in a fixed order: what the tokenizer is trained on."""
    texts = [text.format(liked="") for text in LIKED]
    texts += [text.format(number=number) for text in REQUESTS]
    texts += [*FIRST_REQUESTS, *QUESTIONS]
    texts += [text for wordings in (MOODS, AVOIDED) for key in wordings for text in wordings[key]]
    return texts


def _turn(role: str, *sentences: str) -> Message:
    return {"role": role, "content": " ".join(sentences)}
