"""Seconds to write the report of a long run, and its size.

    python benchmarks/report.py [--steps 1000] [--keep FOLDER]

The run is made up: 1,000 logged steps, 100 generation batches of 32 rollouts (20 titles, 512 tokens at
most), evaluations of 500 prompts before and after, ten checkpoints on validation records. Titles, users and
their traits are the demo's; the policy's lists become safer as training proceeds. What is timed is a
separate process, imports included: wall-clock time, and processor time, which a busy machine affects less.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

import yaml

from saferec_core.analysis.results import MetricFacts, Results, results_of
from saferec_core.data.titles import Title
from saferec_core.demo.films import Film, load_films
from saferec_core.demo.risk import is_violation, risk_of
from saferec_core.demo.world import User, users

RANKS = 20
GROUP = 8
GOAL = 10.0
"""Seconds."""
GOAL_SIZE = 5.0
"""Megabytes."""

FILMS = {film.title: film for film in load_films()}
UNHEARD = [Title(f"A Film that Nobody Made, Part {part}", 1990 + part) for part in range(1, 30)]
_RECALL = MetricFacts(
    "higher",
    "mean",
    "Share of the ground truth that the top K hits.",
    "Recall",
    role="relevance",
    primary=True,
)
_RATIO = MetricFacts(
    "lower",
    "mean",
    "Share of the top K that violates a constraint.",
    "Sensitivity Ratio",
    "share of titles",
    "safety",
    primary=True,
)
METRICS = {
    "recall@5": _RECALL,
    "recall@10": _RECALL,
    "sensitivity_ratio@5": _RATIO,
    "sensitivity_ratio@10": _RATIO,
    "any_violation@10": MetricFacts(
        "lower",
        "share",
        "Share of lists with a violation in the top K.",
        "Any violation",
        "share of lists",
        "safety",
    ),
    "list_length": MetricFacts("none", "mean", "Titles that a list holds.", "List length", "titles", "list"),
    "duplicates": MetricFacts(
        "lower", "mean", "Titles of a list that repeat an earlier one.", "Duplicates", "titles", "list"
    ),
    "seen": MetricFacts(
        "lower", "mean", "Titles of a list that the user has already seen.", "Seen", "titles", "list"
    ),
    "out_of_catalog": MetricFacts(
        "lower",
        "mean",
        "Share of the listed titles that are not in the catalog.",
        "Out of catalog",
        "share of titles",
        "list",
    ),
    "coverage": MetricFacts(
        "higher",
        "mean",
        "Share of the listed titles that the oracle knows.",
        "Oracle coverage",
        "share of titles",
        "context",
    ),
}


def make_run(
    folder: Path, *, steps: int = 1000, skill: float = 1.0, people: int = 500, seed: int = 0
) -> None:
    """Write a run folder whose policy ends up with *skill* in 0..1."""
    generator = random.Random(seed)
    audience = list(islice(users(list(FILMS.values()), seed=7), people))
    folder.mkdir(parents=True)
    _write(folder / "config.yaml", yaml.safe_dump(_config(steps, seed), sort_keys=False))
    _write(folder / "manifest.json", json.dumps(_manifest(seed)))
    every = 1 if steps >= 100 else 2
    logs = (_log(step, skill * step / steps, generator) for step in range(every, steps + 1, every))
    end = {"stage": "Safe-Rank-GRPO", "step": steps, "train_runtime": 3600.0}
    _write_rows(folder / "metrics.jsonl", chain(logs, [end]))
    batches = (
        row
        for step in range(1, steps + 1, max(1, steps // 100))
        for row in _batch(step, skill * step / steps, audience, generator)
    )
    _write_rows(folder / "rollouts.jsonl", batches)
    for when, reached in (("before", 0.0), ("after", skill)):
        for kind in ("greedy", "sampled"):
            results = _results(audience, reached, kind, random.Random(f"{seed} {kind}"))
            results.write(folder / "evaluation" / f"{when}-{kind}.parquet")
    chosen = _checkpoints(steps, skill, generator)
    _write(folder / "evaluation" / "checkpoints.json", json.dumps(chosen))


def _config(steps: int, seed: int) -> dict[str, Any]:
    return {
        "model": {"model": "Qwen/Qwen2.5-0.5B-Instruct", "use_lora": True, "lora_r": 256},
        "data": {"train_path": "/data/saferec/train.jsonl"},
        "oracle": {"name": "table", "path": "/data/saferec/oracle.jsonl"},
        "num_ranks": RANKS,
        "seed": seed,
        "sft_checkpoint": "800",
        "evaluation": {"eval_decoding": ["greedy", "sampled"]},
        "rewards": {
            "relevance": {"weight": 1.0},
            "safety": {"weight": 1.0},
            "count": {"weight": 0.5, "target": 10},
        },
        "normalizer": {"name": "gdpo"},
        "rollout": {"num_generations": GROUP},
        "optimization": {"max_steps": steps, "learning_rate": 1e-6},
        "kl_beta": 1e-3,
    }


def _manifest(seed: int) -> dict[str, Any]:
    return {
        "command": ["saferec", "train", "--reward", "relevance", "--reward", "safety", "--reward", "count"],
        "created": "2026-11-22T10:00:00+00:00",
        "seed": seed,
        "python": "3.11.7",
        "versions": {"saferec": "0.2.0", "torch": "2.13.0", "trl": "1.16.0"},
        "plugins": {"reward:safety": "saferec 0.2.0", "oracle:house-rules": "acme-rules 1.4"},
        "data": {"train_path": {"path": "/data/saferec/train.jsonl", "sha256": "d135bfd2c4910339" * 4}},
        "git": {"commit": "0f0f0f0", "clean": True},
    }


def _log(step: int, skill: float, generator: random.Random) -> dict[str, Any]:
    noise = generator.gauss
    return {
        "stage": "Safe-Rank-GRPO",
        "step": step,
        "loss": 0.1 * (1 - skill) + noise(0, 0.01),
        "reward/relevance": 0.05 + 0.04 * skill + noise(0, 0.008),
        "reward/safety": -0.3 * (1 - skill) + noise(0, 0.03),
        "reward/count": 0.4 + 0.5 * skill + noise(0, 0.05),
        "violation_rate": max(0.0, 0.3 * (1 - skill) + noise(0, 0.03)),
        "list_length": 8.5 + 1.5 * skill + noise(0, 0.2),
        "out_of_catalog": max(0.0, 0.04 - 0.02 * skill + noise(0, 0.006)),
        "kl": 0.15 * skill + abs(noise(0, 0.01)),
    }


def _list(user: User, skill: float, generator: random.Random) -> list[Title]:
    """Draw what a policy of this skill lists; the more skilled, the safer and the nearer to ten titles."""
    catalog = list(FILMS.values())
    length = 10 if generator.random() < 0.4 + 0.6 * skill else generator.randint(6, 12)
    titles: list[Title] = []
    while len(titles) < length:
        if generator.random() < 0.08 + 0.04 * skill and user.relevant:
            title = generator.choice(user.relevant)
        elif generator.random() < 0.05 - 0.03 * skill:
            title = generator.choice(UNHEARD)
        else:
            title = generator.choice(catalog).title
        if _broken(title, user) and generator.random() < skill * 0.9:
            continue
        titles.append(title)
    return titles


def _broken(title: Title, user: User) -> list[str]:
    film: Film | None = FILMS.get(title)
    return [trait for trait in user.constraints if film is not None and is_violation(film, trait)]


def _judged(titles: Sequence[Title], user: User) -> Iterator[dict[str, Any]]:
    left = set(user.relevant)
    for rank, title in enumerate(titles):
        hit = title in left
        left.discard(title)
        known = title in FILMS and (hash_of(title) % 17 != 0)
        yield {
            "title": title.name,
            "year": title.year,
            "hit": hit,
            "in_catalog": title in FILMS,
            "repeated": title in titles[:rank],
            "seen": hash_of(title) % 13 == 0,
            "known": known,
            "violated": _broken(title, user) if known else [],
        } | ({} if rank < RANKS else {"hit": None})


def hash_of(title: Title) -> int:
    """Return a number that is the same in every process."""
    return sum(map(ord, title.name)) + title.year


def _batch(
    step: int, skill: float, audience: Sequence[User], generator: random.Random
) -> Iterator[dict[str, Any]]:
    for record in generator.sample(range(len(audience)), 32 // GROUP):
        user = audience[record]
        for _ in range(GROUP):
            titles = _list(user, skill, generator)
            judged = list(_judged(titles, user))
            text = "\n".join(f"{rank}. {title}" for rank, title in enumerate(titles, start=1))
            yield {
                "step": step,
                "record": record,
                "prompt": [dict(message) for message in user.prompt],
                "constraints": list(user.constraints),
                "groundtruth": [list(title) for title in user.relevant],
                "completion": text,
                "titles": [list(title) for title in titles],
                "events": [],
                "hit": [title["hit"] for title in judged],
                "in_catalog": [title["in_catalog"] for title in judged],
                "repeated": [title["repeated"] for title in judged],
                "seen": [title["seen"] for title in judged],
                "known": [title["known"] for title in judged],
                "violated": [title["violated"] for title in judged],
                "evidence": [_evidence(title, user) for title in judged],
                "reward": {
                    "relevance": [float(title["hit"]) for title in judged],
                    "safety": [-float(bool(title["violated"])) for title in judged],
                    "count": 1.0 if len(titles) == 10 else -abs(len(titles) - 10) / 10,
                },
                "advantage": [
                    1.4 * title["hit"] - 1.1 * bool(title["violated"]) + generator.gauss(0, 0.15)
                    for title in judged
                ],
                "list_advantage": generator.gauss(0, 0.4),
                "tokens": _tokens(text),
            }


def _evidence(title: Mapping[str, Any], user: User) -> list[dict[str, Any]]:
    film = FILMS.get(Title(title["title"], title["year"]))
    if film is None:
        return []
    return [
        {
            "trait": trait,
            "risk": risk_of(film, trait),
            "source": "parent-guide",
            "detail": f"rated {film.mpaa}; genres {', '.join(sorted(film.genres))}",
        }
        for trait in title["violated"]
        if trait in user.constraints
    ]


def _tokens(text: str) -> list[list[Any]]:
    """Cut a text into tokens of about four characters, line by line."""
    runs, start = [], 0
    for rank, line in enumerate(text.split("\n")):
        end = min(start + len(line) + 1, len(text))
        runs.append([rank, list(range(start, end, 4))])
        start = end
    return [*runs, [None, [None]]]


def _results(audience: Sequence[User], skill: float, kind: str, generator: random.Random) -> Results:
    rows, values = [], {metric: [] for metric in METRICS}
    for record, user in enumerate(audience):
        titles = _list(user, skill, generator)
        judged = list(_judged(titles, user))
        rows.append(
            {
                "record": record,
                "sample": 0,
                "user": user.name,
                "constraints": list(user.constraints),
                "prompt": [dict(message) for message in user.prompt],
                "groundtruth": [{"title": title.name, "year": title.year} for title in user.relevant],
                "completion": "\n".join(map(str, titles)),
                "titles": judged,
                "events": [],
            }
        )
        for k in (5, 10):
            top = judged[:k]
            broken = sum(bool(title["violated"]) for title in top)
            values[f"recall@{k}"].append(sum(title["hit"] for title in top) / len(user.relevant))
            values[f"sensitivity_ratio@{k}"].append(broken / len(top))
        values["any_violation@10"].append(float(broken > 0))
        values["list_length"].append(float(len(titles)))
        values["out_of_catalog"].append(sum(not title["in_catalog"] for title in judged) / len(judged))
        values["coverage"].append(sum(title["known"] for title in judged) / len(judged))
        for name, mark in (("duplicates", "repeated"), ("seen", "seen")):
            values[name].append(float(sum(title[mark] for title in judged)))
    return results_of(
        rows,
        values,
        protocol={"id": f"saferec-{kind}-K{RANKS}-1f0c33a9", "decoding": kind},
        policy="runs/made-up/policy",
        data_sha256="0" * 64,
        metrics=METRICS,
    )


def _checkpoints(steps: int, skill: float, generator: random.Random) -> dict[str, Any]:
    def near(value: float, width: float) -> list[float]:
        mean = max(0.0, value + generator.gauss(0, width / 3))
        return [mean, max(0.0, mean - width), mean + width]

    return {
        "rule": "recall@10 subject to sensitivity_ratio@10<=0.05",
        "chosen": f"checkpoint-{steps * 8 // 10}",
        "protocol": f"saferec-greedy-K{RANKS}-1f0c33a9",
        "checkpoints": {
            f"checkpoint-{steps * part // 10}": {
                "recall@10": near(0.12 + 0.05 * skill * part / 10, 0.012),
                "sensitivity_ratio@10": near(0.3 * (1 - skill * part / 10), 0.02),
                "list_length": near(9 + part / 10, 0.2),
            }
            for part in range(1, 11)
        },
    }


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _write_rows(path: Path, rows: Iterator[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    arguments.add_argument("--steps", type=int, default=1000)
    arguments.add_argument("--keep", type=Path, help="write the run here instead of a temporary folder")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        run = (chosen.keep or Path(temporary)) / "made-up"
        make_run(run, steps=chosen.steps)
        rollouts = (run / "rollouts.jsonl").stat().st_size / 1e6
        print(f"run of {chosen.steps:,} steps, rollouts.jsonl {rollouts:.1f} MB")
        start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "saferec_cli", "report", str(run)], check=True)
        seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        size = (run / "report.html").stat().st_size / 1e6
        print(
            f"report: {seconds:.1f} s, the processor's {busy:.1f} s (goal {GOAL:g}); "
            f"{size:.2f} MB (goal {GOAL_SIZE:g})"
        )


if __name__ == "__main__":
    main()
