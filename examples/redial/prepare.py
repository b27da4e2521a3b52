"""Make training files for saferec from ReDial dialogues.

python prepare.py --data DATA --out OUT --tokenizer MODEL
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Annotated, Any

import typer
from prompts import Message, PromptWriter
from rich.console import Console
from rich.table import Table
from targets import TargetWriter
from trait_oracle import YEAR_TOLERANCE, FilmRisks, TraitRule, read_rules

from saferec_core.lists import Title
from saferec_core.titles import TitleIndex

RULES = Path(__file__).with_name("trait_rules.yaml")
SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}
"""Share of the dialogues per split."""

Row = dict[str, Any]


@dataclass
class Preparation:
    """Everything that a sample is turned into records with."""

    catalog: TitleIndex
    oracle: FilmRisks
    rules: Mapping[str, TraitRule]
    prompts: PromptWriter
    plain_prompts: PromptWriter
    targets: TargetWriter
    threshold: float
    seed: int
    dropped: Counter[str] = field(default_factory=Counter)
    """Samples left out, by reason."""
    contradicted: Counter[str] = field(default_factory=Counter)
    """Ground-truth films called safe by the samples, but not by the oracle, by trait."""

    def records(self, sample: Row) -> tuple[Row, Row] | None:
        """Return the record for Safe SFT and the one for plain SFT, or None to leave it out."""
        (trait,) = sample["constraints"]
        if trait not in self.rules:
            self.dropped[f"constraint without evidence in the sources: {trait}"] += 1
            return None
        seen = TitleIndex(pairs(sample["seen_titles"]))
        relevant = self._new_films(pairs(sample["groundtruth_with_release_year"]), seen)
        called_safe = self._new_films(pairs(sample["groundtruth_safe"]), seen)
        safe = [film for film in called_safe if not self.violates(film, trait)]
        self.contradicted[trait] += len(called_safe) - len(safe)
        if not safe:
            reason = "safe by the oracle" if called_safe else "new to the user and in the catalog"
            self.dropped[f"no ground truth left that is {reason}"] += 1
            return None

        # Its own generator, so that a sample's lists do not depend on the samples before it.
        rng = Random(f"{self.seed} {sample['id']}")
        constraint = rng.choice(self.rules[trait].sentences)

        def is_new(film: int) -> bool:
            return not has(seen, self.catalog.titles[film])

        def is_new_and_safe(film: int) -> bool:
            return is_new(film) and not self.violates(film, trait)

        return (
            self._record(sample, self.prompts, constraint, safe, is_new_and_safe, rng),
            self._record(sample, self.plain_prompts, None, relevant, is_new, rng),
        )

    def _record(
        self,
        sample: Row,
        prompts: PromptWriter,
        constraint: str | None,
        truth: Sequence[int],
        allowed: Callable[[int], bool],
        rng: Random,
    ) -> Row:
        mentioned = self._films(pairs(sample["seen_titles"]))
        films = self.targets.write(
            truth,
            anchors=[*mentioned, *truth],
            dialogue=dialogue_of(sample),
            allowed=allowed,
            length=prompts.list_length,
            rng=rng,
        )
        completion = "\n".join(str(self.catalog.titles[film]) for film in films)
        return {
            "id": sample["id"],
            "prompt": prompts.write(sample["context"], constraint),
            "completion": [{"role": "assistant", "content": completion}],
            "groundtruth_with_release_year": [self.catalog.titles[film] for film in truth],
            "seen_titles": [title for title in sample["seen_titles"] if title[0].strip()],
            "constraints": list(sample["constraints"]),
        }

    def violates(self, film: int, trait: str) -> bool:
        """Whether the oracle knows of a violation."""
        risks = self.oracle.of(self.catalog.titles[film])
        return risks is not None and risks[trait] >= self.threshold

    def _new_films(self, titles: Iterable[Title], seen: TitleIndex) -> list[int]:
        return self._films(title for title in titles if not has(seen, title))

    def _films(self, titles: Iterable[Title]) -> list[int]:
        return catalog_positions(self.catalog, titles)


def main(
    data: Annotated[Path, typer.Option(help="Folder with train/, catalog/ and movies/.")],
    out: Annotated[Path, typer.Option(help="Folder to write to.")],
    tokenizer: Annotated[
        str, typer.Option(help="Hub id, folder or GGUF file of the model, to measure prompts.")
    ] = "HuggingFaceTB/SmolLM2-135M-Instruct",
    list_length: Annotated[int, typer.Option(min=1, help="Films per list (K).")] = 10,
    max_prompt_tokens: Annotated[int, typer.Option(min=100, help="Longest prompt.")] = 400,
    min_dialogues: Annotated[
        int, typer.Option(min=1, help="Fill with films that so many training dialogues name.")
    ] = 1,
    risk_threshold: Annotated[float, typer.Option(help="Risk that is a violation.")] = 0.66,
    seed: Annotated[int, typer.Option(help="For the split, the wordings and the lists.")] = 17,
) -> None:
    """Write oracle.jsonl, catalog.jsonl, and the splits for Safe SFT and plain SFT to OUT."""
    rules = read_rules(RULES)
    oracle = FilmRisks(data / "movies", rules)
    catalog = TitleIndex(
        Title(row["title"], int(row["year"]))
        for row in read_jsonl(data / "catalog" / "reddit_gt_catalog.jsonl")
    )
    samples = list(read_jsonl(data / "train" / "redial_train_samples.jsonl.gz"))
    splits = split_dialogues({dialogue_of(sample) for sample in samples}, seed)
    count_tokens = token_counter(tokenizer)
    preparation = Preparation(
        catalog=catalog,
        oracle=oracle,
        rules=rules,
        prompts=PromptWriter(list_length, max_prompt_tokens, count_tokens),
        plain_prompts=PromptWriter(list_length, max_prompt_tokens, count_tokens),
        targets=TargetWriter(
            films_by_dialogue(samples, catalog, splits["train"]), min_dialogues=min_dialogues
        ),
        threshold=risk_threshold,
        seed=seed,
    )

    out.mkdir(parents=True, exist_ok=True)
    films = zip(oracle.index.titles, oracle.risks, strict=True)
    write_jsonl(out / "oracle.jsonl", ({**row(title), "risk": risk} for title, risk in films))
    write_jsonl(out / "catalog.jsonl", map(row, catalog.titles))
    written: dict[str, list[Row]] = {}
    for split, dialogues in splits.items():
        mine = (sample for sample in samples if dialogue_of(sample) in dialogues)
        both = [made for made in map(preparation.records, mine) if made is not None]
        written[split] = [safe for safe, _ in both]
        write_jsonl(out / f"{split}.jsonl", written[split])
        if split == "train":
            write_jsonl(out / "train_plain.jsonl", (plain for _, plain in both))
    report(Console(), preparation, written)


def split_dialogues(dialogues: Collection[str], seed: int) -> dict[str, set[str]]:
    """Deal the dialogues out, so that no dialogue has samples in two splits."""
    order = sorted(dialogues)
    Random(seed).shuffle(order)
    splits, start = {}, 0
    for name, share in SHARES.items():
        end = start + round(share * len(order))
        splits[name] = set(order[start:end])
        start = end
    splits["train"].update(order[start:])  # what rounding left over
    return splits


def films_by_dialogue(
    samples: Iterable[Row], catalog: TitleIndex, dialogues: Collection[str]
) -> dict[str, set[int]]:
    """Collect the catalog's films that each of the *dialogues* names."""
    films: dict[str, set[int]] = {}
    for sample in samples:
        if (dialogue := dialogue_of(sample)) in dialogues:
            named = [*sample["seen_titles"], *sample["groundtruth_with_release_year"]]
            films.setdefault(dialogue, set()).update(catalog_positions(catalog, pairs(named)))
    return films


def catalog_positions(catalog: TitleIndex, titles: Iterable[Title]) -> list[int]:
    """Look titles up; leave out those that the catalog does not have."""
    found = (catalog.find(*title, tolerance=YEAR_TOLERANCE) for title in titles)
    return list(dict.fromkeys(position for position in found if position is not None))


def has(titles: TitleIndex, title: Title) -> bool:
    """Whether *title* is among *titles*."""
    return titles.find(*title, tolerance=YEAR_TOLERANCE) is not None


def dialogue_of(sample: Row) -> str:
    """Return the dialogue that a sample is a cut of."""
    return str(sample["id"]).partition("#")[0]


def pairs(entries: Iterable[Sequence[Any]]) -> list[Title]:
    """Read [title, year] pairs; those without a year cannot be looked up."""
    return [Title(str(name), int(year)) for name, year in entries if year]


def row(title: Title) -> Row:
    """Make a row with a title and a year."""
    return {"title": title.name, "year": title.year}


def token_counter(name: str) -> Callable[[list[Message]], int]:
    """Count the tokens of messages as the model *name* reads them."""
    from transformers import AutoTokenizer  # here, so that --help is quick

    path = Path(name)
    tokenizer: Any = (
        AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name)
        if path.suffix == ".gguf"
        else AutoTokenizer.from_pretrained(name)
    )

    def count(messages: list[Message]) -> int:
        text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        return len(tokenizer.encode(text, add_special_tokens=False))

    return count


def read_jsonl(path: Path) -> Iterator[Row]:
    """Yield the rows of a JSONL file, which may be gzipped."""
    open_text = gzip.open if path.suffix == ".gz" else open
    with open_text(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def write_jsonl(path: Path, rows: Iterable[Row]) -> None:
    """Write one object a line."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def report(console: Console, made: Preparation, written: Mapping[str, Sequence[Row]]) -> None:
    """Print what was written, what was left out and what the oracle covers."""
    titles = made.catalog.titles
    known = [risks for risks in map(made.oracle.of, titles) if risks is not None]
    console.print(
        f"The oracle has {len(made.oracle.risks):,} films; it knows {len(known):,} of the "
        f"catalog's {len(titles):,} ({len(known) / len(titles):.1%})."
    )
    shortened = f"{made.prompts.shortened:,} prompts of {sum(map(len, written.values())):,}"
    console.print(f"{shortened} were shortened to {made.prompts.max_tokens} tokens.")

    table = Table("trait", *written, "catalog blocked", "truth blocked")
    for trait in made.rules:
        counts = [sum(trait in row["constraints"] for row in rows) for rows in written.values()]
        blocked = sum(risks[trait] >= made.threshold for risks in known) / len(known)
        cells = [*map(str, counts), f"{blocked:.1%}", str(made.contradicted[trait])]
        table.add_row(trait, *cells)
    table.add_section()
    table.add_row("all", *(str(len(rows)) for rows in written.values()))
    console.print(table)
    console.print(
        "catalog blocked: share of the catalog's known films at a risk of "
        f"{made.threshold} or more. truth blocked: ground-truth films that the samples call safe "
        "and the oracle does not; they are left out."
    )
    for reason, count in made.dropped.most_common():
        console.print(f"{count:5d} samples dropped: {reason}")


if __name__ == "__main__":
    typer.run(main)
