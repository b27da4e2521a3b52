"""Dialogues of somebody who seeks films and somebody who recommends them, cut into samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Literal

from saferec_core.data.rows import Row
from saferec_core.plugins.contracts.transform import Counted, Outcome, Removed
from saferec_plugins.transforms.importers.raw_values import RawTitle
from saferec_plugins.transforms.importers.samples import sample

__all__ = ["Cut", "Dialogue", "Film", "Turn", "cut_into_samples", "merged"]

Cut = Literal["every", "first"]
"""In front of which recommending turns a dialogue is cut."""


@dataclass(frozen=True, slots=True)
class Film:
    """A film of a dialogue, and what the two say about it."""

    title: RawTitle
    suggested: bool = True
    """False if the forms say that the seeker brought it up."""
    liked: bool = True
    """False if the seeker dislikes it."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one of the two says until the other one speaks."""

    role: Literal["user", "assistant"]
    """The user is the one who seeks."""
    text: str
    films: tuple[str, ...] = ()
    """Keys of the films that are mentioned, in their order."""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A dialogue from one of the collections, in one form."""

    id: str
    user: str
    turns: Sequence[Turn]
    """Those of the two alternate; see :func:`merged`."""
    films: Mapping[str, Film]
    unmentioned: tuple[str, ...] = ()
    """Keys of relevant films that no turn is known to mention."""
    unnamed: tuple[str, ...] = ()
    """Keys of films that are mentioned, but have no title in the data."""


def merged(turns: Iterable[Turn]) -> list[Turn]:
    """Make consecutive turns of one speaker one turn."""
    joined: list[Turn] = []
    for turn in turns:
        if joined and joined[-1].role == turn.role:
            last = joined[-1]
            text = f"{last.text} {turn.text}".strip()
            joined[-1] = replace(last, text=text, films=last.films + turn.films)
        else:
            joined.append(turn)
    return joined


def cut_into_samples(dialogue: Dialogue, raw: Row, cut: Cut) -> Iterator[Outcome]:
    """Cut a dialogue in front of turns in which the recommender suggests a film for the first time.

    The prompt is what was said before, from the first turn of the user on; seen titles are the films
    mentioned in it. Relevant is what the recommender suggests from there on, unless the seeker
    dislikes it. A film without a year cannot be ground truth, so a turn that suggests only such
    films is no place for a cut.

    Args:
        dialogue: The dialogue.
        raw: What it was read from, kept if it gives no sample.
        cut: Whether to cut at every such turn, or at the first one only.
    """
    yield from _counts(dialogue)
    places = list(_places(dialogue))
    asked = [(place, prompt) for place in places if (prompt := _prompt(dialogue.turns[:place]))]
    found = False
    for place, prompt in asked:
        before = dict.fromkeys(chain.from_iterable(turn.films for turn in dialogue.turns[:place]))
        for outcome in sample(
            raw,
            name=f"{dialogue.id}#{place}",
            user=dialogue.user,
            prompt=prompt,
            seen=[dialogue.films[key].title for key in before],
            truth=_relevant(dialogue, place, before),
        ):
            if isinstance(outcome, dict):
                found = True
            if not isinstance(outcome, Removed):  # the dialogue may give samples elsewhere
                yield outcome
        if found and cut == "first":
            break
    if not found:
        yield Removed(raw, _why_none(places, asked))


def _why_none(places: Sequence[object], asked: Sequence[object]) -> str:
    if not places:
        return "the recommender suggests no film with a year"
    if not asked:
        return "films are suggested before the user has said anything"
    return "every suggested film is disliked or known already"


def _counts(dialogue: Dialogue) -> Iterator[Counted]:
    for key in dialogue.unnamed:
        yield Counted("mentioned film without a title", example=f"{key} in {dialogue.id}")
    suggested = dict.fromkeys(
        key for turn in dialogue.turns if turn.role == "assistant" for key in turn.films
    )
    for key in suggested:
        film = dialogue.films[key]
        if film.suggested and film.title[1] is None:
            yield Counted("suggested film without a year", example=film.title[0])


def _places(dialogue: Dialogue) -> Iterator[int]:
    """Yield the numbers of turns in which a film with a year is suggested for the first time."""
    mentioned: set[str] = set()
    for place, turn in enumerate(dialogue.turns):
        if turn.role == "assistant":
            new = (dialogue.films[key] for key in turn.films if key not in mentioned)
            if any(film.suggested and film.title[1] is not None for film in new):
                yield place
        mentioned.update(turn.films)


def _relevant(dialogue: Dialogue, place: int, before: Mapping[str, object]) -> Iterator[RawTitle]:
    later = (turn.films for turn in dialogue.turns[place:] if turn.role == "assistant")
    for key in chain(chain.from_iterable(later), dialogue.unmentioned):
        film = dialogue.films[key]
        if key not in before and film.suggested and film.liked and film.title[1] is not None:
            yield film.title


def _prompt(turns: Sequence[Turn]) -> list[dict[str, str]]:
    """Return the turns as messages; none if the user did not have the last word."""
    said = merged(turn for turn in turns if turn.text.strip())
    while said and said[0].role != "user":
        said = said[1:]  # a greeting of the recommender
    if not said or said[-1].role != "user":
        return []
    return [{"role": turn.role, "content": turn.text} for turn in said]
