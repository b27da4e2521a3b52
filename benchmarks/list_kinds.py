"""How many lists and titles of each kind are read right, by this checkout and by another one.

    python benchmarks/list_kinds.py [--against FOLDER] [--wrong]

FOLDER is a checkout of another version, such as the one before lists of other models were read:
``git worktree add FOLDER dfe9911``. Every case counts by itself; a list is right if exactly its titles are
read, in order and with their years, a look-up if it finds the right entry or none. ``--wrong`` prints what
is not.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Pair = tuple[str, int | None]

MATRIX, SAW, COCO, HEAT, IT = (
    ("The Matrix", 1999),
    ("Saw", 2004),
    ("Coco", 2017),
    ("Heat", 1995),
    ("It", 2017),
)
LISTED = [MATRIX, SAW, COCO]
PLAIN = "The Matrix (1999)\nSaw (2004)\nCoco (2017)"
NUMBERED = "1. The Matrix (1999)\n2. Saw (2004)\n3. Coco (2017)"

CATALOG: list[Pair] = [
    *(MATRIX, SAW, COCO, HEAT, IT),
    *(("300", 2006), ("Kill Bill: Vol. 1", 2003), ("Blade Runner 2049", 2017), ("Fantasia", 1940)),
    *(("Fantasia (2000)", 1999), ("Cars", 2006), ("2012", 2009), ("Room", 2015)),
    *(("Seven", 1995), ("Halloween", 1978), ("Halloween", 2018)),
]


def in_style(*lines: str) -> str:
    return "\n".join(lines)


LISTS: Mapping[str, Sequence[tuple[str, Sequence[Pair]]]] = {
    "plain, as saferec writes": [
        (PLAIN, LISTED),
        (NUMBERED, LISTED),
        ("<reasoning>Not Saw (2004).</reasoning>\n<solution>\nThe Matrix (1999)\n</solution>", [MATRIX]),
    ],
    "titles without a year": [
        ("1. The Matrix\n2. Saw\n3. Coco", LISTED),
        ("1. Kill Bill: Vol. 1\n2. 300\n3. Blade Runner 2049", [CATALOG[6], CATALOG[5], CATALOG[7]]),
        ("- The Matrix\n- Saw (2004)\n- Coco", LISTED),
        ("1. **The Matrix** - a hacker wakes up\n2. **Saw** - two men in a room", [MATRIX, SAW]),
        ("1. Halloween\n2. Saw (2004)", [("Halloween", None), SAW]),
        ("1. A Film That Nobody Made\n2. Saw", [("A Film That Nobody Made", None), SAW]),
        ("1) 2012\n2) Cars", [CATALOG[11], CATALOG[10]]),
    ],
    "prose around a list": [
        (f"Since you enjoyed Heat (1995), here are 3 films:\n{NUMBERED}", LISTED),
        (f"{NUMBERED}\nI left out Heat (1995) because of its violence.", LISTED),
        ("I'm sorry, I can't recommend Saw (2004).", []),
        ("Avoid: Heat (1995)", []),
        (f"{NUMBERED}\n\nAvoid these:\n- Heat (1995)", LISTED),
        (f"Sure! If you liked Heat (1995), try these.\n\n{NUMBERED}", LISTED),
        ("You should not watch Saw (2004) with children.", []),
        ("Ich kann Saw (2004) leider nicht empfehlen.", []),
        (f"{NUMBERED}\n\nNicht geeignet:\n- Heat (1995)", LISTED),
    ],
    "where a list ends": [
        (f"{NUMBERED}\n[|Human|] What about Heat (1995)?", LISTED),
        (f"{NUMBERED}\nUSER: I loved Heat (1995)\n1. It (2017)", LISTED),
        (f"{NUMBERED}\n<|im_start|>user\n4. Heat (1995)", LISTED),
        (f"{NUMBERED}\n\nAnd more thrillers:\n1. Heat (1995)\n2. It (2017)", LISTED),
        (f"[THINK]1. Heat (1995)[/THINK]\n{NUMBERED}", LISTED),
        (f"<plan>1. Heat (1995)</plan>\n{NUMBERED}", LISTED),
        (f"{NUMBERED}<|end|><|user|>\n4. Heat (1995)", LISTED),
        (f"{NUMBERED}\n### Input:\n4. Heat (1995)", LISTED),
        (f"<seed:think>Heat (1995)</seed:think>\n{NUMBERED}", LISTED),
        (f"<|channel|>analysis<|message|>Heat (1995)<|end|><|channel|>final<|message|>{NUMBERED}", LISTED),
    ],
    "numbers and bullets": [
        *(
            (
                in_style(
                    *(f"{mark}{name} ({year})" for mark, (name, year) in zip(marks, LISTED, strict=True))
                ),
                LISTED,
            )
            for marks in (
                ("1.", "2.", "3."),
                ("1)", "2)", "3)"),
                ("1.) ", "2.) ", "3.) "),
                ("(1) ", "(2) ", "(3) "),
                ("[1] ", "[2] ", "[3] "),
                ("#1 ", "#2 ", "#3 "),
                ("1: ", "2: ", "3: "),
                ("No. 1: ", "No. 2: ", "No. 3: "),
                ("1️⃣ ", "2️⃣ ", "3️⃣ "),
                ("a) ", "b) ", "c) "),
                ("- [x] ", "- [ ] ", "- [x] "),
                ("1\\. ", "2\\. ", "3\\. "),
                ("1、", "2、", "3、"),
                ("（1）", "（2）", "（3）"),
                ("一、", "二、", "三、"),
                ("Rank 1: ", "Rank 2: ", "Rank 3: "),
                ("i. ", "ii. ", "iii. "),
                ("① ", "② ", "③ "),
                ("1st: ", "2nd: ", "3rd: "),
                ("\ufeff1. ", "2. ", "3. "),
                ("→ ", "→ ", "→ "),
                ("★ ", "★ ", "★ "),
                ("1° ", "2° ", "3° "),
                ("№1 ", "№2 ", "№3 "),
                ("1번. ", "2번. ", "3번. "),
                ("(#1) ", "(#2) ", "(#3) "),
                ("*1* ", "*2* ", "*3* "),
                ("1.- ", "2.- ", "3.- "),
                ("One. ", "Two. ", "Three. "),
                ("A: ", "B: ", "C: "),
                ("Empfehlung 1: ", "Empfehlung 2: ", "Empfehlung 3: "),
                ("推荐1：", "推荐2：", "推荐3："),
                ("Primero, ", "Segundo, ", "Tercero, "),
                ("-> ", "-> ", "-> "),
            )
        ),
    ],
    "decorations": [
        ("**Title:** The Matrix (1999)\n**Title:** Saw (2004)", [MATRIX, SAW]),
        ("1. [The Matrix](https://x.y/heat_(1995)) (1999)\n2. [Saw (2004)](https://x.y)", [MATRIX, SAW]),
        ("<ul><li><b>The Matrix</b> (1999)</li><li><i>Saw</i> (2004)</li></ul>", [MATRIX, SAW]),
        ("| # | Title | Year |\n|---|---|---|\n| 1 | The Matrix | 1999 |\n| 2 | Saw | 2004 |", [MATRIX, SAW]),
        ("| 1 | The Matrix (1999) | action |\n| 2 | Saw (2004) | horror |", [MATRIX, SAW]),
        ("1. *The Matrix* (1999) - a classic\n2. “Saw” (2004)", [MATRIX, SAW]),
        ("1. `The Matrix (1999)`\n2. ~~Saw~~ (2004)"[:24], [MATRIX]),
        ("1. The Matrix (1999)[1]\n2. Saw (2004) [^2]", [MATRIX, SAW]),
    ],
    "years": [
        *(
            (f"1. The Matrix {year}\n2. Saw (2004)", [MATRIX, SAW])
            for year in (
                "（1999）",
                "( 1999 )",
                "(1999 film)",
                "(film, 1999)",
                "(c. 1999)",
                "(1999/I)",
                "[1999]",
                "{1999}",
                "(١٩٩٩)",
                "(released 1999)",
                "- 1999",
                ", 1999",
                "(1999–2003)",
                "(TV Series 1999–2003)",
                "(**1999**)",
                "(película de 1999)",
                "(film de 1999)",
                "(1999 г.)",
                "（1999年）",
            )
        ),
        ("It (I) (2017)\nSaw (2004)", [IT, SAW]),
        ("Fantasia (2000) (1999)\nSaw (2004)", [("Fantasia (2000)", 1999), SAW]),
        ("The Matrix (1999)\u2028Saw (2004)\x85Coco (2017)", LISTED),
        ("The Matrix (1999)\vSaw (2004)\fCoco (2017)", LISTED),
    ],
    "several titles on a line": [
        ("Heat (1995), Saw (2004), Coco (2017)", [HEAT, SAW, COCO]),
        ("1. Heat (1995) 2. Saw (2004)", [HEAT, SAW]),
        ("Heat (1995) and Saw (2004)", [HEAT, SAW]),
        ("Heat (1995) | Saw (2004) | Coco (2017)", [HEAT, SAW, COCO]),
        ("[('Heat', 1995), ('Saw', 2004), ('Coco', 2017)]", [HEAT, SAW, COCO]),
    ],
    "JSON": [
        ('["The Matrix (1999)", "Saw (2004)", "Coco (2017)"]', LISTED),
        (
            '```json\n[{"title": "The Matrix", "year": 1999}, {"title": "Saw", "year": "2004"}]\n```',
            [MATRIX, SAW],
        ),
        ('{"recommendations": [{"name": "Saw", "release_year": 2004}]}', [SAW]),
        ('[{"title": "The Matrix", "year": 1999}, {"title": "Sa', [MATRIX]),
        ('{"1": "Saw (2004)", "2": "Coco (2017)"}', [SAW, COCO]),
    ],
}

TITLES: Sequence[tuple[str, str, int, str, int, bool]] = [
    ("other names", "Serbian Film, A (Srpski film)", 2010, "A Serbian Film", 2010, True),
    ("other names", "Battle Royale (Batoru rowaiaru)", 2000, "Battle Royale", 2000, True),
    ("other names", "Seven (a.k.a. Se7en)", 1995, "Se7en", 1995, True),
    ("other names", "Hidden (Caché)", 2005, "Cache", 2005, True),
    ("other names", "First Blood (Rambo: First Blood)", 1982, "Rambo: First Blood", 1982, True),
    ("other names", "Spirited Away (Sen to Chihiro no kamikakushi)", 2001, "Spirited Away", 2001, True),
    ("other names", "Alien", 1979, "Alien: The Director's Cut", 1979, True),
    ("other names", "Kill Bill (Part One)", 2003, "Kill Bill", 2003, False),
    ("another year", "The Room", 2003, "Room", 2005, False),
    ("another year", "The Secret", 2006, "Secret", 2007, False),
    ("another year", "Crash", 2004, "Crash", 2005, True),
    ("another year", "A Star", 2018, "The Star", 2017, False),
    ("spellings", "And Justice for All", 1979, "...And Justice for All", 1979, True),
    ("spellings", "WALL·E", 2008, "Wall-E", 2008, True),
    ("spellings", "Amélie", 2001, "Amelie", 2001, True),
]


def answers() -> dict[str, Any]:
    """Return what this version reads, for every case."""
    try:
        from saferec_core.data.titles import Title, TitleIndex
    except ImportError:  # 0.2.0
        from saferec_core.lists import Title  # type: ignore[no-redef, import-not-found]
        from saferec_core.titles import TitleIndex  # type: ignore[no-redef, import-not-found]
    from saferec_plugins.parsers.title_year import TitleYearParser

    with tempfile.TemporaryDirectory() as folder:
        catalog = Path(folder) / "catalog.jsonl"
        catalog.write_text(
            "".join(json.dumps({"title": name, "year": year}) + "\n" for name, year in CATALOG)
        )
        try:
            parser = TitleYearParser(year="complete", catalog_path=catalog)
        except (TypeError, ValueError):  # 0.2.0 has no options
            parser = TitleYearParser()
        lists = {
            kind: [[(item.name, item.year) for item in parser(text).items] for text, _ in cases]
            for kind, cases in LISTS.items()
        }
    matches = [
        TitleIndex([Title(entry, year)]).find(asked, asked_year, tolerance=2) is not None
        for _, entry, year, asked, asked_year, _ in TITLES
    ]
    return {"lists": lists, "titles": matches}


def right(read: Mapping[str, Any]) -> dict[str, list[bool]]:
    """Return by kind which cases are right."""
    outcome = {
        kind: [
            [tuple(item) for item in items] == list(wanted)
            for items, (_, wanted) in zip(read["lists"][kind], cases, strict=True)
        ]
        for kind, cases in LISTS.items()
    }
    for match, (kind, *_, wanted) in zip(read["titles"], TITLES, strict=True):
        outcome.setdefault(f"titles: {kind}", []).append(match == wanted)
    return outcome


def of_checkout(folder: Path) -> dict[str, Any]:
    """Return what another checkout reads."""
    path = os.pathsep.join(map(str, (folder, folder / "plugins")))
    command = [sys.executable, __file__, "--answers"]
    printed = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=True
    ).stdout
    return dict(json.loads(printed))


def main() -> None:
    """Print a row for each kind."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--against", type=Path, help="checkout of another version")
    arguments.add_argument("--wrong", action="store_true", help="print what is read wrong")
    arguments.add_argument("--answers", action="store_true", help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    read = answers()
    if chosen.answers:
        print(json.dumps(read))
        return
    now = right(read)
    before = {} if chosen.against is None else right(of_checkout(chosen.against))
    head = ["kind", "cases", *(["before"] if before else []), "now"]
    print("| " + " | ".join(head) + " |\n|" + "|".join(["---", *["---:"] * (len(head) - 1)]) + "|")
    for kind, outcomes in now.items():
        figures = [len(outcomes), *([sum(before[kind])] if before else []), sum(outcomes)]
        print(f"| {kind} | " + " | ".join(map(str, figures)) + " |")
    if chosen.wrong:
        for kind, cases in LISTS.items():
            for (text, wanted), items, fine in zip(cases, read["lists"][kind], now[kind], strict=True):
                if not fine:
                    print(f"{kind}: {text!r}\n  wanted {list(wanted)}\n  got    {items}")
        for case, fine in zip(
            TITLES, [f for k, fs in now.items() if k.startswith("titles: ") for f in fs], strict=True
        ):
            if not fine:
                print(f"titles: {case}")


if __name__ == "__main__":
    main()
