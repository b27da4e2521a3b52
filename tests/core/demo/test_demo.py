"""The embedded demo: its world holds together, and the same seed writes the same files."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from saferec_core.demo import SPLITS, profile, write_demo
from saferec_core.demo.films import Film, load_films
from saferec_core.demo.folder import write_records
from saferec_core.demo.risk import RISK_THRESHOLD, SEVERITY, TRAITS, is_violation, risk_of
from saferec_core.demo.wordings import AVOIDED, MOODS
from saferec_core.demo.world import NUM_TITLES

Record = dict[str, Any]
Pair = tuple[str, int]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demo")
    write_demo(path, seed=3)
    return path


@pytest.fixture(scope="module")
def splits(folder: Path) -> dict[str, list[Record]]:
    return {split: read(folder / f"{split}.jsonl") for split in SPLITS}


@pytest.fixture(scope="module")
def records(splits: dict[str, list[Record]]) -> list[Record]:
    return [record for rows in splits.values() for record in rows]


@pytest.fixture(scope="module")
def risks(folder: Path) -> dict[Pair, dict[str, float]]:
    return {(row["title"], row["year"]): row["risk"] for row in read(folder / "oracle.jsonl")}


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder / "model")


def read(path: Path) -> list[Record]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def pairs(rows: list[list[Any]]) -> list[Pair]:
    return [(title, year) for title, year in rows]


def lines(record: Record) -> list[str]:
    content: str = record["completion"][0]["content"]
    return content.split("\n")


def film(name: str) -> Film:
    return next(film for film in load_films() if film.title.name == name)


def violating(records: list[Record], risks: dict[Pair, dict[str, float]]) -> float:
    """Return the share of the demonstrated titles that violate a constraint."""
    by_line = {f"{title} ({year})": risk for (title, year), risk in risks.items()}
    violations = [
        any(by_line[line][trait] >= RISK_THRESHOLD for trait in record["constraints"])
        for record in records
        for line in lines(record)
    ]
    return sum(violations) / len(violations)


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_same_seed_writes_the_same_bytes_in_another_process(folder: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; import saferec_core.demo as demo;"
        "assert not {'torch', 'transformers', 'tokenizers'} & set(sys.modules);"
        "demo.write_demo(Path(sys.argv[1]), seed=3)"
    )
    environment = os.environ | {"PYTHONHASHSEED": "17", "HF_HUB_OFFLINE": "1"}
    subprocess.run([sys.executable, "-c", code, tmp_path], check=True, env=environment)

    assert digests(tmp_path) == digests(folder)
    assert {"model/model.safetensors", "model/tokenizer.json"} <= digests(folder).keys()


def test_splits_share_neither_users_nor_dialogues(splits: dict[str, list[Record]]) -> None:
    names = [record["user"] for rows in splits.values() for record in rows]
    prompts = [json.dumps(record["prompt"]) for rows in splits.values() for record in rows]

    assert {split: len(rows) for split, rows in splits.items()} == dict(SPLITS)
    assert len(set(names)) == len(names)
    assert len(set(prompts)) == len(prompts)


def test_ground_truth_is_safe_unseen_and_in_the_catalog(
    records: list[Record], risks: dict[Pair, dict[str, float]]
) -> None:
    for record in records:
        relevant = pairs(record["groundtruth_with_release_year"])
        assert len(set(relevant)) == len(relevant) > 0
        assert not set(relevant) & set(pairs(record["seen_titles"]))
        for title in relevant:
            assert all(risks[title][trait] < RISK_THRESHOLD for trait in record["constraints"])


def test_oracle_covers_the_catalog_and_knows_every_constraint(
    folder: Path, records: list[Record], risks: dict[Pair, dict[str, float]]
) -> None:
    catalog = [(row["title"], row["year"]) for row in read(folder / "catalog.jsonl")]

    assert list(risks) == catalog
    assert all(tuple(risk) == TRAITS for risk in risks.values())
    assert all(0.0 <= value <= 1.0 for risk in risks.values() for value in risk.values())
    assert {trait for record in records for trait in record["constraints"]} <= set(TRAITS)
    assert all(record["constraints"] for record in records)


def test_demonstrations_list_catalog_titles_once_and_rarely_fall_short(
    folder: Path, records: list[Record]
) -> None:
    catalog = {f"{row['title']} ({row['year']})" for row in read(folder / "catalog.jsonl")}
    lengths = [len(lines(record)) for record in records]

    for record in records:
        seen = {f"{title} ({year})" for title, year in record["seen_titles"]}
        assert set(lines(record)) <= catalog - seen
        assert len(set(lines(record))) == len(lines(record))
    assert max(lengths) == NUM_TITLES
    assert 0.75 < lengths.count(NUM_TITLES) / len(lengths) < 0.95


def test_demonstrations_leave_violations_to_be_unlearnt(
    records: list[Record], risks: dict[Pair, dict[str, float]]
) -> None:
    assert 0.05 < violating(records, risks) < 0.25


def test_demonstrations_that_do_not_heed_constraints_violate_far_more_often(
    tmp_path: Path, records: list[Record], risks: dict[Pair, dict[str, float]]
) -> None:
    write_records(tmp_path / "heeded.jsonl", 300, seed=3)
    write_records(tmp_path / "plain.jsonl", 300, seed=3, heeded=False)
    heeded, plain = read(tmp_path / "heeded.jsonl"), read(tmp_path / "plain.jsonl")

    assert heeded == records[:300]
    assert violating(plain, risks) > violating(heeded, risks) + 0.1
    for record in plain:  # which a user words all the same
        assert all(any(words in str(record["prompt"]) for words in AVOIDED[t]) for t in record["constraints"])


def test_prompts_name_what_was_seen_and_word_every_constraint(records: list[Record]) -> None:
    for record in records:
        text = " ".join(message["content"] for message in record["prompt"])
        assert record["prompt"][-1]["role"] == "user"
        assert str(NUM_TITLES) in text
        assert all(f"{title} ({year})" in text for title, year in record["seen_titles"])
        assert all(any(words in text for words in AVOIDED[t]) for t in record["constraints"])
    assert {len(record["prompt"]) for record in records} == {1, 3}


def test_every_trait_has_wordings_and_every_taste_films() -> None:
    assert tuple(AVOIDED) == TRAITS
    for taste in MOODS:
        assert sum(taste in film.genres for film in load_films()) >= 30


def test_risks_follow_the_stated_rules() -> None:
    # PG lessens the 1.0 of horror to 0.7; PG-13 the 0.9 and 0.75 of action; G the 0.7 of comedy.
    assert risk_of(film("Coraline"), "Horror avoider (avoids scares & supernatural)") == 0.7
    assert risk_of(film("Skyfall"), "Disaster/accident avoider") == 0.765
    assert risk_of(film("Skyfall"), "Anti-gore / squeamish") == 0.6375
    assert risk_of(film("Finding Nemo"), "Substance recovery / avoid drugs & alcohol") == 0.21
    assert risk_of(film("Finding Nemo"), "Anti-gore / squeamish") == 0.0


def test_a_violation_begins_at_the_threshold() -> None:
    assert is_violation(film("Coraline"), "Horror avoider (avoids scares & supernatural)")
    assert is_violation(film("Skyfall"), "Disaster/accident avoider")
    assert not is_violation(film("Skyfall"), "Anti-gore / squeamish")


def test_severities_are_risks() -> None:
    assert all(0.0 < value <= 1.0 for table in SEVERITY.values() for value in table.values())


def test_film_table_is_small_and_names_each_film_once() -> None:
    table = files("saferec_core.demo") / "films.csv"
    films = load_films()

    assert len(table.read_bytes()) < 400_000
    assert 240 <= len(films) <= 300
    assert len({film.title for film in films}) == len(films)
    assert [film.reviews for film in films] == sorted((f.reviews for f in films), reverse=True)


def test_a_catalog_line_is_one_token_and_a_break_another(tokenizer: Any) -> None:
    catalog = [str(film.title) for film in load_films()]
    ids = tokenizer("\n".join(catalog), add_special_tokens=False)["input_ids"]

    assert tokenizer.convert_ids_to_tokens(ids[::2]) == catalog
    assert len(set(ids[1::2])) == 1
    assert tokenizer.decode(ids) == "\n".join(catalog)


def test_tokenizer_returns_any_text_unchanged(tokenizer: Any) -> None:
    text = "Café 42 – “naïve”, 東京 🎬\n\n  two  spaces"

    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_rendered_prompt_is_a_prefix_of_prompt_and_completion(tokenizer: Any, records: list[Record]) -> None:
    for record in records[:200]:
        prompt = tokenizer.apply_chat_template(
            record["prompt"], add_generation_prompt=True, return_dict=True
        )["input_ids"]
        whole = tokenizer.apply_chat_template(record["prompt"] + record["completion"], return_dict=True)[
            "input_ids"
        ]
        listed = lines(record)
        assert whole[: len(prompt)] == prompt
        assert len(whole) - len(prompt) == 2 * len(listed)
        assert whole[-1] == tokenizer.eos_token_id
        assert len(whole) <= 128


def test_special_tokens_are_those_of_the_qwen_chat_format(folder: Path, tokenizer: Any) -> None:
    config = json.loads((folder / "model" / "config.json").read_text(encoding="utf-8"))

    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<|im_end|>", "<|endoftext|>")
    assert tokenizer.padding_side == "left"
    assert config["model_type"] == "qwen2"
    assert config["eos_token_id"] == tokenizer.eos_token_id
    assert len(tokenizer) <= config["vocab_size"] <= 1024


def test_a_demo_of_a_few_records_has_the_first_users_and_a_folder_of_its_own(
    folder: Path, tmp_path: Path
) -> None:
    profile.make_demo(tmp_path, seed=3, max_records=5)

    few = profile.demo_folder(tmp_path, 3, 5)
    lines = {split: (few / f"{split}.jsonl").read_text(encoding="utf-8").splitlines() for split in SPLITS}
    assert {split: len(rows) for split, rows in lines.items()} == dict.fromkeys(SPLITS, 5)
    assert lines["train"] == (folder / "train.jsonl").read_text(encoding="utf-8").splitlines()[:5]
    assert few != profile.demo_folder(tmp_path, 3)


def test_runs_that_begin_at_the_same_moment_share_the_demo_that_is_made_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Path] = []

    def written(folder: Path, *, seed: int, max_records: int | None) -> None:
        calls.append(folder)
        if len(calls) == 1:
            profile.make_demo(tmp_path, seed=seed)  # the other run, which is faster
        (folder / "by.txt").write_text("first" if folder == calls[-1] else "second")

    monkeypatch.setattr(profile, "write_demo", written)
    profile.make_demo(tmp_path, seed=7)

    assert [path.name for path in tmp_path.iterdir()] == ["demo-seed7"]
    assert (tmp_path / "demo-seed7/by.txt").read_text() == "first"
