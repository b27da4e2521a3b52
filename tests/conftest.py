"""What tests share: checked tensor shapes, the installed plugins, and a small world to train in."""

from __future__ import annotations

import gc
import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from jaxtyping import install_import_hook

from tests.shared import SHARED

# Before torch is imported: threads that wait by spinning slow a busy machine down tenfold.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# Where the tests run in the background of a script, Ctrl-C is ignored; some tests send it to themselves.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

SHAPES_ARE_CHECKED_IN = [
    "saferec_core.plugins.contracts.normalizer",
    "saferec_core.rl.loss",
    "saferec_core.rl.ranks",
    "saferec_plugins.metrics",
    "saferec_plugins.normalizers",
    "saferec_plugins.rewards",
]
install_import_hook(SHAPES_ARE_CHECKED_IN, "beartype.beartype")

# How long an example takes is the machine's business: another process may have the core.
hypothesis.settings.register_profile("saferec", deadline=None)
hypothesis.settings.load_profile("saferec")

_WORD = re.compile(r"[\w .,:=@/+*<>()'-]{1,40}", re.ASCII)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a case by a short value, else by its argument: an id never holds data, bytes or times.

    pytest numbers cases of the same name, and names numbers, switches and classes itself.
    """
    if isinstance(val, str):
        return val if _WORD.fullmatch(val) else argname
    return argname if isinstance(val, bytes) else None


SLOW = (
    "tests/cli/test_resume",
    "tests/cli/test_processes",
    "tests/cli/test_train.py",
    "tests/core/training",
    "tests/docs",
    "tests/test_warm.py",
    "tests/examples",
    "tests/cli/test_logging.py",
    "tests/cli/test_evaluate.py",
    "tests/core/testing",
    "tests/cli/test_plugins.py",
    "tests/core/plugins/test_scaffold.py",
    "tests/browser",
    "tests/core/oracle_files/test_build.py",
    "tests/cli",
    "tests/core/api",
    "tests/core/demo",
    "tests/core/evaluation",
    "tests/core/models",
    "tests/core/analysis",
    "tests/core/rl/test_reward_processes.py",
    "tests/core/pipeline",
    "tests/core/report",
    "tests/plugins/metrics",
    "tests/plugins/evidence",
    "tests/plugins/parsers",
    "tests/plugins/transforms",
    "tests/tools",
)
"""How the paths of tests begin that train, start commands, draw pages or try much, the slowest first.

`make test-fast` leaves them out; `make test` begins with them, so that no worker is left with one at the end.
"""


def _slowness(path: Path, config: pytest.Config) -> int:
    """Return the index in SLOW of what a path begins with; its length where the tests are fast."""
    begins = path.relative_to(config.rootpath).as_posix()
    return next((rank for rank, slow in enumerate(SLOW) if begins.startswith(slow)), len(SLOW))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not import slow tests only to leave them out."""
    is_left_out = config.option.markexpr == "not slow" and _slowness(collection_path, config) < len(SLOW)
    return is_left_out or None


def pytest_collection_finish() -> None:
    """Let garbage collections pass over what was imported: transformers asks for one in every training."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark slow tests, and run them before the others."""
    order = {}
    for item in items:
        rank = _slowness(item.path, item.config)
        if rank < len(SLOW):
            item.add_marker(pytest.mark.slow)
        order[item] = rank
    items.sort(key=order.__getitem__)  # stable: a module's tests keep their order


VECTORS = SHARED / "vectors" / "original.json"


@pytest.fixture(scope="session")
def recorded() -> Any:
    """What the original research code computed, by section."""
    if not VECTORS.is_file():
        pytest.skip(f"recorded vectors are not beside the checkout ({VECTORS})")
    return json.loads(VECTORS.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def plugins() -> Any:
    """The plugins as they are installed."""
    from saferec_core import load_plugins

    return load_plugins()


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's files, and beside its ``model`` one in whose tokenizer a title is several tokens.

    The latter is called ``pieces``.
    """
    from saferec_core.demo import write_demo
    from saferec_core.demo.model import train_tokenizer, write_network
    from saferec_core.demo.wordings import all_texts

    folder = tmp_path_factory.mktemp("world")
    write_demo(folder, seed=11)
    rows = map(json.loads, (folder / "catalog.jsonl").read_text(encoding="utf-8").splitlines())
    lines = [f"{row['title']} ({row['year']})\n" for row in rows]
    tokenizer = train_tokenizer([*all_texts(5), *lines], [], vocab_size=900)
    write_network(folder / "pieces", tokenizer, seed=11)
    return folder


@pytest.fixture
def catalog_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A catalog of Film 0 (1950) to Film 49 (1999) that is mapped, and fails if anything reads all of it."""
    from saferec_core.data import catalog, machine_cache
    from saferec_core.data.mapped_titles import MappedTitles

    def refuse(titles: MappedTitles) -> None:
        raise AssertionError("every title became an object")

    monkeypatch.setattr(catalog, "IN_MEMORY", 2)
    monkeypatch.setattr(machine_cache, "SMALLEST", 0)
    monkeypatch.setenv("SAFEREC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(MappedTitles, "__iter__", refuse)
    path = tmp_path / "catalog.jsonl"
    rows = ({"title": f"Film {n}", "year": 1950 + n, "aliases": f"Movie {n}"} for n in range(50))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
