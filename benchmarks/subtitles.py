"""How many titles that a catalog lacks are found by their subtitles, and which: to be read one by one.

Looks up the films of the ReDial and INSPIRED dialogues, and the titles of four chat models' lists, that lie
beside the checkout, and skips without them:

    python benchmarks/subtitles.py
"""

from __future__ import annotations

import gzip
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from saferec_core.data.catalog import Catalog, read_catalog
from saferec_core.data.titles import Title
from saferec_core.plugins.build import build
from saferec_core.plugins.manager import load_plugins

SHARED = Path(__file__).resolve().parents[2] / "shared"
DATA = SHARED / "data"
CATALOG = DATA / "catalog/reddit_gt_catalog.jsonl"


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a compressed JSONL file."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def mentioned(path: Path) -> Counter[Title]:
    """Count the dialogues that mention each film that has a year."""
    films = (film for dialogue in rows_of(path) for film in dialogue["movies"].values())
    return Counter(Title(unquote(film["title"]), int(film["year"])) for film in films if film.get("year"))


def listed(path: Path) -> Counter[Title]:
    """Count how often each title with a year stands in the lists of chat models."""
    parser = build(load_plugins().parsers.get("title-year"), {"year": "complete", "catalog_path": CATALOG})
    outputs = (row["completion"] for row in rows_of(path) if row["kind"] == "output")
    items = (item for text in outputs for item in parser(text).items)
    return Counter(item.title for item in items if item.readable and item.year is not None)


def print_row(name: str, titles: Counter[Title], catalog: Catalog) -> None:
    """Print how many titles are found, and each that its subtitle finds."""
    matches = {title: catalog.match(*title) for title in titles}
    known = {title for title, match in matches.items() if match.position is not None}
    by_subtitle = sorted(title for title in known if matches[title].by_subtitle)
    mentions = sum(titles[title] for title in by_subtitle)
    lacking = titles.total() - sum(titles[title] for title in known - set(by_subtitle))
    print(f"{name}: {titles.total():,} mentions of {len(titles):,} titles; {lacking:,} found by no name,")
    print(f"  of these {mentions:,} ({len(by_subtitle)} titles) by a subtitle:")
    for title in by_subtitle:
        print(f"  {titles[title]:5}  {title} -> {matches[title].title}")


def main() -> int:
    """Print each source."""
    if not CATALOG.is_file():
        print(f"skipped: {CATALOG.name} is not beside this checkout", file=sys.stderr)
        return 0
    catalog = read_catalog(CATALOG, match_subtitles=True)
    print_row("ReDial, films of dialogues", mentioned(DATA / "crs/redial_train.jsonl.gz"), catalog)
    print_row("INSPIRED, films of dialogues", mentioned(DATA / "crs/inspired_train.jsonl.gz"), catalog)
    print_row("Chat models' lists", listed(DATA / "crs/inspired_llm_outputs.jsonl.gz"), catalog)
    return 0


if __name__ == "__main__":
    sys.exit(main())
