"""Dialogues between a seeker and a recommender of films, cut into samples."""

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
"""The recommending turns before which a dialogue is cut."""


@dataclass(frozen=True, slots=True)
class Film:
    """A film of a dialogue, with the speakers' answers about it."""

    title: RawTitle
    suggested: bool = True
    """False if the forms state that the seeker brought it up."""
    liked: bool = True
    """False if the seeker dislikes it."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Everything that one speaker says until the other one speaks."""

    role: Literal["user", "assistant"]
    """The user is the one who seeks."""
    text: str
    films: tuple[str, ...] = ()
    """Keys of the films that are mentioned, in order."""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A dialogue from one of the collections, in one form."""

    id: str
    user: str
    turns: Sequence[Turn]
    """Those of the two alternate; see :func:`merged`."""
    films: Mapping[str, Film]
    unmentioned: tuple[str, ...] = ()
    """Keys of relevant films that are not known to be mentioned in any turn."""
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
    """Cut a dialogue before turns in which the recommender suggests a film for the first time.

    The prompt consists of the earlier turns, from the first turn of the user on; seen titles are the films
    mentioned in it. The ground truth is what the recommender suggests from there on, unless the seeker
    dislikes it. A film without a year cannot be ground truth, so a dialogue is not cut before a turn that
    suggests only such films.

    Args:
        dialogue: The dialogue.
        raw: The row it was read from, kept if it gives no sample.
        cut: Whether to cut at every such turn, or at the first one only.
    """
    yield from _counts(dialogue)
    cuts = list(_cut_points(dialogue))
    asked = [(cut_at, prompt) for cut_at in cuts if (prompt := _prompt(dialogue.turns[:cut_at]))]
    has_sample = False
    for cut_at, prompt in asked:
        before = dict.fromkeys(chain.from_iterable(turn.films for turn in dialogue.turns[:cut_at]))
        for outcome in sample(
            raw,
            name=f"{dialogue.id}#{cut_at}",
            user=dialogue.user,
            prompt=prompt,
            seen=[dialogue.films[key].title for key in before],
            truth=_relevant(dialogue, cut_at, before),
        ):
            if isinstance(outcome, dict):
                has_sample = True
            if not isinstance(outcome, Removed):  # other cuts of the dialogue may give samples
                yield outcome
        if has_sample and cut == "first":
            break
    if not has_sample:
        yield Removed(raw, _why_none(cuts, asked))


def _why_none(cuts: Sequence[object], asked: Sequence[object]) -> str:
    if not cuts:
        return "the recommender suggests no film with a year"
    if not asked:
        return "films are suggested before the user has said anything"
    return "every suggested film is disliked or already known"


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


def _cut_points(dialogue: Dialogue) -> Iterator[int]:
    """Yield the numbers of turns in which a film with a year is suggested for the first time."""
    mentioned: set[str] = set()
    for number, turn in enumerate(dialogue.turns):
        if turn.role == "assistant":
            new = (dialogue.films[key] for key in turn.films if key not in mentioned)
            if any(film.suggested and film.title[1] is not None for film in new):
                yield number
        mentioned.update(turn.films)


def _relevant(dialogue: Dialogue, cut_at: int, before: Mapping[str, object]) -> Iterator[RawTitle]:
    later = (turn.films for turn in dialogue.turns[cut_at:] if turn.role == "assistant")
    for key in chain(chain.from_iterable(later), dialogue.unmentioned):
        film = dialogue.films[key]
        if key not in before and film.suggested and film.liked and film.title[1] is not None:
            yield film.title


def _prompt(turns: Sequence[Turn]) -> list[dict[str, str]]:
    """Return the turns as messages; none unless the last turn is the user's."""
    spoken = merged(turn for turn in turns if turn.text.strip())
    while spoken and spoken[0].role != "user":
        spoken = spoken[1:]  # a greeting of the recommender
    if not spoken or spoken[-1].role != "user":
        return []
    return [{"role": turn.role, "content": turn.text} for turn in spoken]
