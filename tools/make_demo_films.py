"""Make the film table of the embedded demo from the CC0 snapshot of Wikidata.

    python tools/make_demo_films.py MOVIES_DB

``MOVIES_DB`` is the file ``movies.db`` of the PyPI package ``bokeh-sampledata`` 2026.1 (``pip
download --no-deps bokeh-sampledata==2026.1``, then unzip the wheel). The table is written to
``saferec_core/demo/films.csv``; the same database always yields the same bytes.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

MOVIES_DB_SHA256 = "1d9c6a02e488d0354b2309e16130c58820a91ac2ce417e814c5964f9579a65ac"
"""The one snapshot this tool was written for; ``licenses/datasets.json`` of the wheel names it."""

RATINGS = ("G", "PG", "PG-13", "R")
"""The ratings in use today; films rated by older or rarer ones are left out."""

GENRES = (
    "Action",
    "Adventure",
    "Animation",
    "Comedy",
    "Crime",
    "Drama",
    "Family",
    "Fantasy",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
)
"""The genres that every taste and rule of the demo can speak of; others are dropped from a row."""

FILMS_PER_GENRE = 35
"""The most reviewed films of each genre are kept; many count for several genres."""

QUERY = """
    SELECT omdb.Title, omdb.Year, omdb.Rating, omdb.Genre, tomatoes.Reviews
    FROM omdb JOIN tomatoes ON omdb.ID = tomatoes.ID
    WHERE omdb.Title <> '' AND omdb.Rating IS NOT NULL AND tomatoes.Reviews IS NOT NULL
"""


class Row(NamedTuple):
    """One film as the table keeps it."""

    title: str
    year: int
    mpaa: str
    genres: tuple[str, ...]
    reviews: int


def read_rows(database: Path) -> list[Row]:
    """All usable films, most reviewed first."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        films = connection.execute(QUERY).fetchall()
    rows = []
    for title, year, mpaa, genre_text, reviews in films:
        genres = tuple(sorted(set(GENRES) & {name.strip() for name in genre_text.split(",")}))
        if mpaa in RATINGS and genres:
            rows.append(Row(title, int(year), mpaa, genres, int(reviews)))
    return sorted(rows, key=lambda row: (-row.reviews, row.title, row.year))


def select(rows: Iterable[Row]) -> list[Row]:
    """Keep each genre's most reviewed films, and one film where title and year are the same."""
    by_name: dict[tuple[str, int], Row] = {}
    for row in rows:
        by_name.setdefault((row.title, row.year), row)
    films = list(by_name.values())
    kept = {
        row for genre in GENRES for row in [film for film in films if genre in film.genres][:FILMS_PER_GENRE]
    }
    return sorted(kept, key=lambda row: (-row.reviews, row.title, row.year))


def write(rows: Iterable[Row], path: Path) -> None:
    """Write the table as CSV, genres joined by ``|``."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Row._fields)
        for row in rows:
            writer.writerow((row.title, row.year, row.mpaa, "|".join(row.genres), row.reviews))


def main() -> None:
    """Read the database named on the command line and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("movies_db", type=Path, help="movies.db of bokeh-sampledata 2026.1")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path(__file__).parents[1] / "saferec_core" / "demo" / "films.csv",
        help="where to write the table (default: %(default)s)",
    )
    arguments = parser.parse_args()
    digest = hashlib.sha256(arguments.movies_db.read_bytes()).hexdigest()
    if digest != MOVIES_DB_SHA256:
        parser.error(f"{arguments.movies_db} is another snapshot: sha256 {digest}")
    rows = select(read_rows(arguments.movies_db))
    write(rows, arguments.output)
    print(f"{len(rows)} films, {arguments.output.stat().st_size} bytes: {arguments.output}")


if __name__ == "__main__":
    main()
