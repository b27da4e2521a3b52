"""A command line to call, plugins of other people to install, and a tiny world to train in."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml


class Outcome(NamedTuple):
    status: int
    out: str
    err: str


PROGRESS_BAR = re.compile(r"^.*\d%\|.*it/s.*\n", re.MULTILINE)
"""What tqdm draws. A command turns it off, which comes too late where tests have imported it already."""

Command = Callable[..., Outcome]


@pytest.fixture
def saferec(tmp_path: Path) -> Command:
    """Run ``python -m saferec_cli`` in a process and a folder of its own."""

    def run(*arguments: object, path: object = "", cwd: Path | None = None) -> Outcome:
        environment = {
            **os.environ,
            "PYTHONPATH": str(path),
            "COLUMNS": "200",
            "OMP_NUM_THREADS": "1",
            "NO_COLOR": "1",
        }
        done = subprocess.run(
            [sys.executable, "-m", "saferec_cli", *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            cwd=cwd or tmp_path,
            env=environment,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """Call what the console script calls, in this process: torch is then imported once."""
    from saferec_cli.main import main as entry

    def run(*arguments: object, cwd: Path | None = None, columns: int = 200) -> Outcome:
        monkeypatch.chdir(cwd or tmp_path)
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr(sys, "argv", ["saferec", *map(str, arguments)])
        status = 0
        try:
            entry()
        except SystemExit as ending:
            status = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
        printed = capsys.readouterr()
        return Outcome(status, printed.out, PROGRESS_BAR.sub("", printed.err))

    return run


@pytest.fixture
def distribution(tmp_path: Path) -> Callable[..., Path]:
    """Write an installed distribution to a folder that can be put on the path."""

    def write(name: str, code: str, *, version: str = "1.2.3", entry_point: str = "main") -> Path:
        site = tmp_path / f"site-{name}"
        module = name.replace("-", "_")
        information = site / f"{module}-{version}.dist-info"
        information.mkdir(parents=True)
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (information / "METADATA").write_text(metadata, encoding="utf-8")
        (information / "entry_points.txt").write_text(
            f"[saferec]\n{entry_point} = {module}\n", encoding="utf-8"
        )
        (site / f"{module}.py").write_text(code, encoding="utf-8")
        return site

    return write


@pytest.fixture
def installed(distribution: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Install a distribution into this process, for this test."""

    def install(name: str, code: str, **options: str) -> None:
        monkeypatch.syspath_prepend(distribution(name, code, **options))
        monkeypatch.delitem(sys.modules, name.replace("-", "_"), raising=False)

    return install


@pytest.fixture(scope="session")
def tiny(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 32 records to train on, 8 held out, and ``run.yaml``, which names it all."""
    folder = tmp_path_factory.mktemp("tiny")
    for split, number in (("train", 32), ("validation", 8), ("test", 8)):
        with (world / f"{split}.jsonl").open(encoding="utf-8") as file:
            (folder / f"{split}.jsonl").write_text("".join(islice(file, number)), encoding="utf-8")
    for name in ("catalog", "oracle"):
        (folder / f"{name}.jsonl").write_bytes((world / f"{name}.jsonl").read_bytes())
    settings: Mapping[str, object] = {
        "model": {"model": str(world / "model")},
        "data": {
            "train_path": str(folder / "train.jsonl"),
            "test_path": str(folder / "test.jsonl"),
            "catalog_path": str(folder / "catalog.jsonl"),
        },
        "oracle": {"name": "table", "path": str(folder / "oracle.jsonl")},
        "num_ranks": 5,
        "rewards": {"relevance": {}, "safety": {}, "count": {"target": 5}},
        "rollout": {"num_generations": 4},
        "max_completion_length": 16,
        "optimization": {
            "learning_rate": 1e-3,
            "max_steps": 1,
            "per_device_train_batch_size": 8,
            "gradient_accumulation_steps": 1,
            "optim": "adamw_torch",
        },
        "logging": {"logging_steps": 1, "save_strategy": "no"},
        "evaluation": {"eval_prompts": 4, "eval_at": [5]},
        "run_name": "run",
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return folder


@pytest.fixture
def outline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``run.yaml`` and the files that it names, complete for every check; no weights."""
    folder = tmp_path_factory.mktemp("outline")
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text("{}", encoding="utf-8")
    title, record = (
        {"title": "Saw", "year": 2004},
        {
            "prompt": "Something scary?",
            "completion": "Saw (2004)",
            "groundtruth_with_release_year": [["Saw", 2004]],
            "seen_titles": [],
            "constraints": [],
        },
    )
    for name, rows in (
        ("train", [record] * 32),
        ("test", [record] * 8),
        ("catalog", [title]),
        ("oracle", [title | {"risk": {"gore": 1.0}}]),
    ):
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    settings: Mapping[str, object] = {
        "model": {"model": str(folder / "model")},
        "data": {f"{name}_path": str(folder / f"{name}.jsonl") for name in ("train", "test", "catalog")},
        "oracle": {"name": "table", "path": str(folder / "oracle.jsonl")},
        "rewards": {"relevance": {}, "safety": {}, "count": {"target": 5}},
        "num_ranks": 5,
        "rollout": {"num_generations": 4},
        "max_completion_length": 16,
        "optimization": {
            "max_steps": 1,
            "per_device_train_batch_size": 8,
            "gradient_accumulation_steps": 1,
            "optim": "adamw_torch",
        },
        "evaluation": {"eval_at": [5]},
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return folder
