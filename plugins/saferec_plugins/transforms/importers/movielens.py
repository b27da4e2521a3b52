"""MovieLens: ratings, from which each user's liked films become a history and ground truth."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import ClassVar, NamedTuple

from pydantic import Field, field_validator

from saferec_core.data.rows import Row, read_rows, whole_year
from saferec_core.data.sentences import listed
from saferec_core.data.titles import Title, normal_form
from saferec_core.errors import ConfigError, DataError
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.transform import Counted, Outcome, Rejected, Removed, Transform
from saferec_plugins.transforms.importers.raw_values import (
    RawTitle,
    is_nothing,
    moment,
    name_of,
    text_of,
    title_and_year,
)
from saferec_plugins.transforms.importers.samples import sample

__all__ = ["FromMovielens"]

_ID_COLUMNS = ("movieId", "item_id", "id")
"""What identifies a film in ``movies_path``."""


class _Rating(NamedTuple):
    time: int
    title: RawTitle
    liked: bool


def _in_order(rating: _Rating) -> tuple[int, str, int, bool]:
    name, year = rating.title
    return rating.time, name, year or 0, rating.liked


@component
class FromMovielens(Transform):
    """Imports ``ratings.csv``, a sample per user: what they liked, and what they liked next.

    The last *holdout* liked films are the ground truth, and the first of these ratings is the moment
    of the sample. The prompt is a sentence that lists the liked films before it. All films rated up
    to that moment count as seen. Films rated in the same second are ordered by title. Ratings of other
    items in this form are read likewise: *sentence* words their prompt, *undated* keeps those without a year.

    The ratings of a user must be consecutive, as they do in ``ratings.csv`` and ``ratings.dat``;
    sort ``u.data`` by user. Titles stay as written, with a trailing article ("Matrix, The"); a film
    without a year is left out and counted unless *undated*. Of a film under two ids (one title and year)
    that a user has rated twice the later rating counts, and the other is counted.
    """

    columns: ClassVar[tuple[str, ...]] = ("userId", "movieId", "rating", "timestamp")
    group_column: ClassVar[str] = "userId"

    movies_path: Path
    """``movies.csv``, ``movies.dat``, ``u.item`` or RecBole's ``.item``: ``movieId`` (or ``item_id`` or
    ``id``), ``title``, and the year after the title or in ``year``."""
    sentence: str = "I liked {titles}. What should I watch next?"
    """The prompt; ``{titles}`` stands for the history."""
    undated: bool = False
    """Whether items without a year are kept, as in a domain whose parser completes years."""
    min_rating: float = Field(default=4.0, ge=0)
    """A rating of at least this is liked."""
    history: int = Field(default=10, ge=1)
    """Maximum number of liked films in the prompt, the latest ones."""
    holdout: int = Field(default=3, ge=1)
    """How many liked films are the ground truth; a user needs one more than these."""

    @field_validator("sentence")
    @classmethod
    def _names_the_history(cls, sentence: str) -> str:
        if "{titles}" not in sentence:
            raise ValueError("must have {titles}, in whose place the history is written")
        return sentence

    def __call__(self, rows: Iterable[Row]) -> Iterator[Outcome]:
        """Yield the sample of every user, or the reason why there is none."""
        titles = self._titles  # a wrong path is reported before any row is read
        for _, group in groupby(rows, key=lambda row: row["userId"]):
            ratings: dict[tuple[str, int | None], _Rating] = {}
            mine: list[Row] = []
            for row in group:
                try:
                    rating = self._rating(row, titles)
                except DataError as error:
                    yield Rejected(row, str(error))
                    continue
                mine.append(row)
                name, year = rating.title
                if year is None and not self.undated:
                    yield Counted("rated film without a year", example=name)
                    continue
                film = normal_form(name), year
                if film in ratings:
                    yield Counted(
                        "film that one user rated twice, also under two ids", example=str(Title(name, year))
                    )
                ratings[film] = max(rating, ratings.get(film, rating), key=_in_order)
            if mine:
                yield from self._sample(mine, sorted(ratings.values(), key=_in_order))

    def _sample(self, rows: Sequence[Row], ratings: Sequence[_Rating]) -> Iterator[Outcome]:
        user = name_of(rows[0], "userId")
        liked = [rating for rating in ratings if rating.liked]
        past, held_out = liked[: -self.holdout], liked[-self.holdout :]
        if not past:
            evidence = {"liked": len(liked), "wanted": self.holdout + 1}
            yield Removed({"userId": user, "ratings": list(rows)}, "too few liked films", evidence)
            return
        moment_of_cut = held_out[0].time
        yield from sample(
            {"userId": user, "ratings": list(rows)},
            name=f"movielens-{user}",
            user=f"movielens-{user}",
            prompt=[{"role": "user", "content": self._prompt(past[-self.history :])}],
            seen=[r.title for r in ratings if r.time <= moment_of_cut and r not in held_out],
            truth=[rating.title for rating in held_out],
            time=moment_of_cut,
            undated=self.undated,
        )

    def _prompt(self, liked: Sequence[_Rating]) -> str:
        return self.sentence.replace("{titles}", listed([str(Title(*rating.title)) for rating in liked]))

    def _rating(self, row: Row, titles: Mapping[str, RawTitle]) -> _Rating:
        name_of(row, "userId")
        movie = name_of(row, "movieId")
        if movie not in titles:
            raise DataError(f"movieId {movie!r} is not in {self.movies_path}")
        try:
            stars = float(row["rating"])
        except (TypeError, ValueError):
            stars = math.nan
        if math.isnan(stars):
            raise DataError(f"rating: expected a number, but got {row['rating']!r}")
        time = moment(row["timestamp"], "timestamp")
        return _Rating(time, titles[movie], liked=stars >= self.min_rating)

    @cached_property
    def _titles(self) -> Mapping[str, RawTitle]:
        """Titles as written, by film."""
        try:
            return {_id(row): _title(row) for row in read_rows(self.movies_path)}
        except DataError as error:
            raise ConfigError(f"from-movielens: movies_path: {self.movies_path}: {error}") from error


def _title(row: Row) -> RawTitle:
    name, year = title_and_year(text_of(row, "title"))
    return (
        (name, year)
        if is_nothing(row.get("year"))
        else (name, whole_year(row["year"], f"the year of {name!r}"))
    )


def _id(row: Row) -> str:
    column = next((name for name in _ID_COLUMNS if name in row), None)
    if column is None:
        raise DataError(f"expected a column {' or '.join(_ID_COLUMNS)}; columns: {', '.join(row)}")
    return name_of(row, column)
