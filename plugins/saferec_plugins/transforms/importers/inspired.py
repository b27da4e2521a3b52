"""INSPIRED: dialogues in which one worker recommends a film and the other may watch its trailer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar, Literal

from saferec_core.data.rows import Row, read_rows
from saferec_core.data.titles import normal_form
from saferec_core.errors import ConfigError, DataError
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.transform import Counted, Outcome, Rejected, Transform
from saferec_plugins.transforms.importers.converted import read_converted
from saferec_plugins.transforms.importers.dialogues import Cut, Dialogue, Film, Turn, cut_into_samples, merged
from saferec_plugins.transforms.importers.named_films import SHORTEST_NAME, names_film
from saferec_plugins.transforms.importers.raw_values import RawTitle, is_nothing, text_of, titles_in

__all__ = ["FromInspired"]

_LABELS = ("fine_label", "case")
"""The column that states whether the seeker accepted the recommendation, in the file and in its README."""

_TURNED_DOWN = ("reject", "accept_uninterested")


@component
class FromInspired(Transform):
    """Imports INSPIRED: the official TSV, an utterance a row, or the plain form with ``turns``.

    The official ``movies`` column lists titles that a program detected, so that "this Friday" becomes
    "Friday (1995)". A title counts only if whole words of the utterance spell it, if it has at least four
    letters and, for a title of one word, a capital; the others are counted. The data do not distinguish a
    mention from a suggestion: films that the recommender names first count as suggested.

    The film that was recommended at the end is given as the id of a video. With *movies_path* it is ground
    truth even if no turn names it, unless the seeker rejected it or was not interested.

    The plain form lists the recommended films of a whole dialogue, which are then searched for in its turns.

    The data have neither users, so every dialogue has its own, nor times.
    """

    group_column: ClassVar[str] = "dialog_id"

    cut: Cut = "every"
    """``every`` recommending turn gives a sample, or the ``first`` only."""
    movies_path: Path | None = None
    """The official ``movie_database.tsv``, which has ``video_id``, ``title`` and ``year``."""

    def __call__(self, rows: Iterable[Row]) -> Iterator[Outcome]:
        """Yield the samples of every dialogue, or the reason why there are none."""
        trailers = self._trailers  # a wrong path is reported before any row is read
        for name, group in groupby(rows, key=lambda row: row.get("dialog_id")):
            if is_nothing(name):
                for row in group:
                    yield from self._converted(row)
            else:
                yield from self._official(str(name).removesuffix(".pkl"), list(group), trailers)

    def _converted(self, row: Row) -> Iterator[Outcome]:
        if "turns" not in row:
            had = ", ".join(sorted(row)) or "none"
            raise DataError(f"expected dialog_id, as INSPIRED has, or turns; columns: {had}")
        dialogue = read_converted(row)
        names = {key: film.title[0] for key, film in dialogue.films.items()}
        turns = [
            replace(turn, films=tuple(key for key, name in names.items() if names_film(turn.text, name)))
            for turn in dialogue.turns
        ]
        named = {key for turn in turns for key in turn.films}
        for key, name in names.items():
            if key not in named:
                yield Counted("recommended film that no turn names", example=name)
        yield from cut_into_samples(replace(dialogue, turns=turns), row, self.cut)

    def _official(
        self, name: str, rows: Sequence[Row], trailers: Mapping[str, RawTitle]
    ) -> Iterator[Outcome]:
        """Yield the outcomes of one dialogue; rows that cannot be used are left out of it."""
        turns: list[Turn] = []
        films: dict[str, Film] = {}
        used: list[Row] = []
        for row in rows:
            try:
                role, text, titles = _utterance(row)
            except DataError as error:
                yield Rejected(row, str(error))
                continue
            keys = []
            for title in titles:
                if names_film(text, title[0], capital=True):
                    keys.append(_key(title))
                    films[_key(title)] = Film(title)
                else:
                    yield Counted(
                        f"listed title not spelled out in its utterance, or under {SHORTEST_NAME} letters",
                        example=f"{title[0]}: {text}",
                    )
            turns.append(Turn(role, text, tuple(dict.fromkeys(keys))))
            used.append(row)
        if not used:
            return
        dialogue = Dialogue(f"inspired-{name}", f"inspired-{name}", merged(turns), films)
        if trailers:
            recommended = trailers.get(str(used[0].get("movie_id")).strip())
            if recommended is None:
                yield Counted("recommended film that the movie database does not have", example=name)
            else:
                dialogue = _with_recommended(dialogue, recommended, taken=not _was_turned_down(used[0]))
        yield from cut_into_samples(dialogue, {"dialog_id": used[0]["dialog_id"], "rows": used}, self.cut)

    @cached_property
    def _trailers(self) -> Mapping[str, RawTitle]:
        """Titles by the id of their trailer."""
        path = self.movies_path
        if path is None:
            return {}
        wanted = ("video_id", "title", "year")
        try:
            rows = list(read_rows(path))
        except DataError as error:
            raise ConfigError(f"from-inspired: movies_path: {error}") from error
        if not rows or not all(column in rows[0] for column in wanted):
            raise ConfigError(f"from-inspired: movies_path: {path} must have columns {', '.join(wanted)}")
        named = [row for row in rows if isinstance(row.get("title"), str) and row["title"].strip()]
        return {str(row.get("video_id")).strip(): (row["title"], _year(row.get("year"))) for row in named}


def _utterance(row: Row) -> tuple[Literal["user", "assistant"], str, list[RawTitle]]:
    speaker = text_of(row, "speaker").upper()
    if speaker not in {"SEEKER", "RECOMMENDER"}:
        raise DataError(f"speaker must be SEEKER or RECOMMENDER, but is {row['speaker']!r}")
    text = text_of(row, "text").replace("QUOTATION_MARK", '"')
    listed = row.get("movies")
    titles = [] if is_nothing(listed) else titles_in(listed, "movies", separator=";")
    return ("user" if speaker == "SEEKER" else "assistant"), text, titles


def _with_recommended(dialogue: Dialogue, title: RawTitle, *, taken: bool) -> Dialogue:
    """Add the film that was recommended in the end to the turns that name it."""
    key = _key(title)
    turns = [
        replace(turn, films=(*turn.films, key))
        if key not in turn.films and names_film(turn.text, title[0])
        else turn
        for turn in dialogue.turns
    ]
    return replace(
        dialogue,
        turns=turns,
        films={**dialogue.films, key: Film(title, liked=taken)},
        unmentioned=(key,),
    )


def _was_turned_down(row: Row) -> bool:
    label: Any = next((row[column] for column in _LABELS if not is_nothing(row.get(column))), "")
    return label in _TURNED_DOWN


def _year(value: Any) -> int | None:
    """Read a year of the movie database, which may be missing, or a range for series."""
    match = re.match("(?:1[89]|20)[0-9]{2}", str(value).strip())
    return int(match[0]) if match else None


def _key(title: RawTitle) -> str:
    return f"{normal_form(title[0])} {title[1]}"
