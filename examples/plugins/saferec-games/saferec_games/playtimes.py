"""Play times, of which each player's games become a history and what to recommend."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import ClassVar

from pydantic import Field

from saferec_core.data.rows import Row, whole_year
from saferec_core.data.titles import Title
from saferec_core.errors import DataError
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.transform import Counted, Outcome, Rejected, Removed, Transform

__all__ = ["FromPlaytimes"]


@component
class FromPlaytimes(Transform):
    """Makes a sample of every player: the last *holdout* games that they liked are the ground truth.

    The rows of a player follow one another in order of time. What was played for fewer than *min_hours* is
    seen, but was not liked.
    """

    columns: ClassVar[tuple[str, ...]] = ("user", "game", "hours")
    group_column: ClassVar[str] = "user"

    min_hours: float = Field(default=2.0, ge=0)
    """A game that was played for at least this many hours was liked."""
    holdout: int = Field(default=2, ge=1)
    """Liked games that are the ground truth; a player needs one more than these."""
    history: int = Field(default=10, ge=1)
    """Liked games that the prompt lists at most, the latest ones."""
    sentence: str = "I enjoyed {games}. Which video games should I play next?"
    """The prompt; ``{games}`` stands for the history."""

    def __call__(self, rows: Iterable[Row]) -> Iterator[Outcome]:
        """Yield the sample of every player, or why there is none."""
        for user, group in groupby(rows, key=lambda row: row["user"]):
            played: dict[Title, bool] = {}
            mine: list[Row] = []
            for row in group:
                try:
                    title, hours = _game(row), _hours(row["hours"])
                except DataError as error:
                    yield Rejected(row, str(error))
                    continue
                mine.append(row)
                if title in played:
                    yield Counted("game that one player has several rows of", example=str(title))
                played[title] = played.get(title, False) or hours >= self.min_hours
            if mine:
                yield self._sample(str(user), mine, played)

    def _sample(self, user: str, rows: Sequence[Row], played: dict[Title, bool]) -> Outcome:
        liked = [title for title, is_liked in played.items() if is_liked]
        past, truth = liked[: -self.holdout], liked[-self.holdout :]
        if not past:
            wanted = self.holdout + 1
            return Removed(
                {"user": user, "rows": list(rows)},
                "too few liked games",
                {"liked": len(liked), "wanted": wanted},
            )
        games = ", ".join(map(str, past[-self.history :]))
        return {
            "id": f"playtimes-{user}",
            "user": user,
            "prompt": [{"role": "user", "content": self.sentence.format(games=games)}],
            "seen_titles": [list(title) for title in played if title not in truth],
            "groundtruth_with_release_year": [list(title) for title in truth],
        }


def _game(row: Row) -> Title:
    name = row["game"]
    if not isinstance(name, str) or not name.strip():
        raise DataError(f"game: expected a name, but got {name!r}")
    year = row.get("year")
    return Title(name.strip(), None if year in {None, ""} else whole_year(year, f"the year of {name!r}"))


def _hours(value: object) -> float:
    try:
        hours = float(str(value))
    except ValueError:
        hours = math.nan
    if not hours >= 0:
        raise DataError(f"hours: expected a number of at least 0, but got {value!r}")
    return hours
