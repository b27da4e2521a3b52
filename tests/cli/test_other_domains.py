"""Video games instead of films: a plugin and configuration, from raw rows to a trained run."""

import csv
import json
import runpy
import shutil
from pathlib import Path
from random import Random

import pytest
import yaml

EXAMPLE = Path(__file__).parents[2] / "examples" / "plugins" / "saferec-games"
GAMES = {
    "Portal 2": 2011,
    "Terraria": 2011,
    "Bastion": 2011,
    "Trine 2": 2011,
    "Doom": 2016,
    "Quake": 1996,
    "Tetris": None,
    "Chess": None,
    "Solitaire": None,
    "Pinball": None,
}
PLAYERS = 40


@pytest.fixture
def games(tmp_path, monkeypatch):
    """The example's folder with rows of play times, ratings and a catalog, and its package installed."""
    folder = tmp_path / "games"
    shutil.copytree(EXAMPLE / "example", folder)
    played = [
        {"user": f"player {number}", "game": game, "year": GAMES[game], "hours": 9}
        for number in range(PLAYERS)
        for game in Random(number).sample([*GAMES], 4)
    ]
    rows = [{"title": game, "year": year} for game, year in GAMES.items()]
    for name, content in (("playtimes", played), ("games", rows)):
        lines = "".join(f"{json.dumps(row)}\n" for row in content)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    with (folder / "ratings.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("title", "year", "descriptors"))
        for game, year in GAMES.items():
            words = "Blood and Gore" if game in {"Doom", "Quake"} else "Mild Language"
            table.writerow((game, "" if year is None else year, words))
    information = tmp_path / "site" / "saferec_games-0.1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: saferec-games\nVersion: 0.1.0\n")
    (information / "entry_points.txt").write_text("[saferec]\ngames = saferec_games\n")
    monkeypatch.syspath_prepend(EXAMPLE)
    monkeypatch.syspath_prepend(tmp_path / "site")
    return folder


def rows_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def built(main, folder):
    for command in (("oracle", "build", "oracle.yaml"), ("data", "build", "data.yaml")):
        outcome = main(*command, cwd=folder)
        assert outcome.status == 0, outcome.err
    return rows_of(folder / "dataset" / "train.jsonl")


def test_prompts_targets_and_sentences_speak_of_games_and_hold_items_without_a_year(main, games):
    rows = built(main, games)

    instruction, wish = rows[0]["prompt"]
    assert instruction["content"].startswith("You recommend video games. Recommend exactly 3 that fit")
    assert "that the user has not played and that hold nothing" in instruction["content"]
    assert instruction["content"].endswith("each as: Title (Year), or the title alone")
    assert "Which video games should I play next?" in wish["content"]
    written = [line for row in rows for line in row["completion"][0]["content"].splitlines()]
    assert {"Tetris", "Terraria (2011)"} <= {*written}
    truth = [title for row in rows for title in row["groundtruth_with_release_year"]]
    assert ["Tetris", None] in truth
    traits = yaml.safe_load((games / "traits.yaml").read_text(encoding="utf-8"))
    vocabulary = {text for trait in traits.values() for text in (*trait["explicit"], *trait["implied"])}
    stated = {each["sentence"] for row in rows for each in row.get("constraints_stated") or ()}
    assert stated & vocabulary
    assert not any("film" in sentence or "movie" in sentence for sentence in stated)
    gory = "Anti-gore / squeamish"
    kept = [row["completion"][0]["content"] for row in rows if gory in row["constraints"]]
    assert kept
    assert not any("Doom" in text or "Quake" in text for text in kept)


def test_the_sample_of_the_example_becomes_an_oracle_and_a_dataset(main, games):
    shutil.copytree(EXAMPLE / "example", games, dirs_exist_ok=True)
    titles = {row["title"] for row in rows_of(games / "games.jsonl")}

    rows = built(main, games)

    truth = {name for row in rows for name, _ in row["groundtruth_with_release_year"]}
    assert truth <= titles
    assert any(row["constraints"] for row in rows)


def test_a_policy_trains_on_games_by_plugins_and_configuration_alone(main, games, monkeypatch):
    rows = built(main, games)
    runpy.run_path(str(games / "tiny_model.py"))
    monkeypatch.setenv("TRANSFORMERS_VERBOSITY", "error")
    arguments = ("--max-steps", 1, "--num-generations", 2, "--per-device-train-batch-size", 4)
    arguments += ("--gradient-accumulation-steps", 1, "--optim", "adamw_torch", "--eval-prompts", 2)
    arguments += ("--max-completion-length", 24, "--eval-at", 3, "--run-name", "games")

    outcome = main("train", "train.yaml", "--model", "model", *arguments, cwd=games)

    assert outcome.status == 0, outcome.err
    run = games / "runs" / "games"
    assert yaml.safe_load((run / "config.yaml").read_text())["data"]["parser"]["year"] == "complete"
    assert (run / "policy").is_dir()
    (games / "yearless.jsonl").write_text(
        json.dumps({**rows[0], "completion": "Tetris\nChess\nPinball"}) + "\n"
    )
    shown = ("data", "show", "yearless.jsonl", "--catalog-path", "games.jsonl", "--problems", "--model")
    assert main(*shown, "runs/games", cwd=games).out.startswith("Nothing looks wrong")
    assert main(*shown, "model", "--domain-path", "domain.yaml", cwd=games).status == 0
    assert "the parser reads no title in the completion" in main(*shown, "model", cwd=games).out  # of films
