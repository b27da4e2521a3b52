"""How much of real chat models' lists is read, and what Recall@20 says with and without the rest.

Reads the 228 answers (57 dialogues, four models) to INSPIRED dialogues that lie beside the checkout, and
skips without them:

    python benchmarks/parsed_lists.py
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections import defaultdict
from pathlib import Path

from saferec_core.data.titles import name_keys
from saferec_core.plugins.build import build
from saferec_core.plugins.contracts.parser import ListParser, ParsedList
from saferec_core.plugins.manager import load_plugins

SHARED = Path(__file__).resolve().parents[2] / "shared"
OUTPUTS = SHARED / "data/crs/inspired_llm_outputs.jsonl.gz"
CATALOG = SHARED / "data/catalog/reddit_movie_entities.jsonl"

NUMBERED = re.compile(r"\s*([0-9]{1,2})\.\s+(\S.*)")
TRAILING_YEAR = re.compile(r"\s*\([0-9]{4}\).*$")
K = 20


def numbered_titles(text: str) -> list[str]:
    """Return the titles of the first numbered list, by its numbers alone: what a person would count."""
    titles: list[str] = []
    for line in text.splitlines():
        match = NUMBERED.match(line)
        if line.startswith("[|") or (match and int(match[1]) <= len(titles)):
            break
        if match:
            titles.append(TRAILING_YEAR.sub("", match[2]))
    return titles


def names_of(parsed: ParsedList) -> list[str]:
    """Return what is read at each rank; an unreadable rank names nothing."""
    return [item.name if item.readable else "" for item in parsed.items]


def recall(names: list[str], truth: list[str]) -> float:
    """Return the share of the ground truth among the first K names."""
    listed = {key.form for name in names[:K] if name for key in name_keys(name)}
    named = [any(key.form in listed for key in name_keys(TRAILING_YEAR.sub("", title))) for title in truth]
    return sum(named) / len(named)


def main() -> int:
    """Print a row for each model."""
    if not OUTPUTS.is_file():
        print(f"skipped: {OUTPUTS.name} is not beside this checkout", file=sys.stderr)
        return 0
    entry = load_plugins().parsers.get("title-year")
    parsers: dict[str, ListParser] = {
        "required": build(entry, {"year": "required"}),
        "complete": build(entry, {"year": "complete", "catalog_path": CATALOG}),
    }
    with gzip.open(OUTPUTS, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    cases = {row["index"]: row["groundtruth"] for row in rows if row["kind"] == "case"}
    figures: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row["kind"] != "output":
            continue
        of_model, truth = figures[row["model"]], cases[row["index"]]
        numbered = numbered_titles(row["completion"])
        of_model["numbered lines"].append(len(numbered))
        if truth:
            of_model["recall, all numbered"].append(recall(numbered, truth))
        for name, parser in parsers.items():
            read = names_of(parser(row["completion"]))
            of_model[f"read, {name}"].append(sum(map(bool, read)))
            if truth:
                of_model[f"recall, {name}"].append(recall(read, truth))
    for model, columns in figures.items():
        print(model)
        for column, values in columns.items():
            total = sum(values)
            shown = f"{total / len(values):.3f}" if column.startswith("recall") else f"{total:.0f}"
            print(f"  {column:22} {shown}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
