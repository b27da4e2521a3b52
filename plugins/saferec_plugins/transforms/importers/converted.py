"""Dialogues in a plain JSONL form: ``turns`` with role, text and films, and ``movies`` by key."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal
from urllib.parse import unquote

from saferec_core.data.rows import Row, whole_year
from saferec_core.errors import DataError
from saferec_plugins.transforms.importers.dialogues import Dialogue, Film, Turn, merged
from saferec_plugins.transforms.importers.raw_values import is_nothing, name_of

__all__ = ["read_converted"]

_ROLES: Mapping[Any, Literal["user", "assistant"]] = {"seeker": "user", "recommender": "assistant"}


def read_converted(row: Row) -> Dialogue:
    """Read ``{id, turns: [{role, text, movies}], movies: {key: {title, year, suggested, liked}}}``.

    The form has no users, so every dialogue has its own. A mention of a film that is missing in ``movies`` is
    dropped; its key is among the dialogue's ``unnamed``.

    Raises:
        DataError: It is something else.
    """
    name = name_of(row, "id")
    movies = row.get("movies") or {}
    if not isinstance(movies, Mapping):
        raise DataError(f"movies: expected an object with films by key, but got {movies!r}")
    known = {key: movie for key, movie in movies.items() if movie is not None}
    films = {key: film for key, movie in known.items() if (film := _film(movie, f"movies[{key!r}]"))}
    respelt = {known[key]["title"]: film.title[0] for key, film in films.items()}
    turns = row.get("turns")
    if not isinstance(turns, Sequence) or isinstance(turns, str):
        raise DataError(f"turns: expected a list, but got {turns!r}")
    read = merged(_turn(turn, f"turns[{number}]", respelt) for number, turn in enumerate(turns))
    mentioned = dict.fromkeys(key for turn in read for key in turn.films)
    unnamed = tuple(key for key in dict.fromkeys((*known, *mentioned)) if key not in films)
    named = [replace(turn, films=tuple(key for key in turn.films if key in films)) for turn in read]
    return Dialogue(id=name, user=name, turns=named, films=films, unnamed=unnamed)


def _film(movie: Any, where: str) -> Film | None:
    if not isinstance(movie, Mapping):
        raise DataError(f"{where}: expected an object with title and year, but got {movie!r}")
    name, year = movie.get("title"), movie.get("year")
    if is_nothing(name):
        return None
    if not isinstance(name, str):
        raise DataError(f"{where}: expected a title, but got {name!r}")
    known = None if is_nothing(year) else whole_year(year, f"{where}: the year of {name!r}")
    title = unquote(html.unescape(name)).strip(), known
    return Film(title, suggested=movie.get("suggested") != 0, liked=movie.get("liked") != 0)


def _turn(turn: Any, where: str, respelt: Mapping[str, str]) -> Turn:
    if not isinstance(turn, Mapping):
        raise DataError(f"{where}: expected an object, but got {turn!r}")
    role = turn.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise DataError(f"{where}: role must be seeker or recommender, but is {role!r}")
    text, keys = turn.get("text"), turn.get("movies") or ()
    if not isinstance(text, str):
        raise DataError(f"{where}: text must be text, but is {text!r}")
    if isinstance(keys, str) or not isinstance(keys, Sequence):
        raise DataError(f"{where}: movies must be a list of keys, but is {keys!r}")
    if not all(isinstance(key, str | int) for key in keys):
        raise DataError(f"{where}: movies must be a list of keys, but is {keys!r}")
    for raw, clean in respelt.items():
        if raw != clean:
            text = text.replace(raw, clean)
    return Turn(_ROLES[role], " ".join(html.unescape(text).split()), tuple(dict.fromkeys(map(str, keys))))
