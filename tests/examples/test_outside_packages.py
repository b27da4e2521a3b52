"""The example packages work beside an installed saferec, far from the checkout."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.layers import fresh_layer

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path for path in (ROOT / "examples" / "plugins").iterdir() if path.is_dir())
COMPONENTS = {
    "saferec-diversity": {"reward:diversity"},
    "saferec-games": {"transform:from-playtimes", "evidence:esrb"},
    "saferec-loo": {"normalizer:loo", "reward:coverage", "reward:utility"},
    "saferec-recency": {"reward:recency"},
    "saferec-runtime-limit": {"oracle:limits", "oracle:time-at-hand", "transform:stated-limits"},
}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """The wheels of saferec and of every example, built from copies of their sources."""
    folder = tmp_path_factory.mktemp("wheels")
    sources = []
    for source in (ROOT, *EXAMPLES):
        copy = tmp_path_factory.mktemp("sources") / source.name
        skip = shutil.ignore_patterns(
            ".*",
            "tests",
            "docs",
            "benchmarks",
            "__pycache__",
            "*.egg-info",
        )
        shutil.copytree(source, copy, ignore=skip)
        sources.append(copy)
    options = ["--no-deps", "--no-build-isolation", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", folder, *sources], check=True
    )
    return sorted(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def layer(wheels, tmp_path_factory):
    """A fresh environment that holds the wheels and sees the libraries of this one, not the checkout."""
    libraries = [Path(path) for path in sys.path if path.endswith("site-packages")]
    made = fresh_layer(tmp_path_factory.mktemp("layer"), libraries)
    made.install(*wheels)
    return made


def test_saferec_and_every_example_come_from_their_wheels(layer, wheels, tmp_path):
    assert len(wheels) == 1 + len(EXAMPLES)
    where = "import saferec_core, saferec_plugins, saferec_cli as c; print(c.__file__, saferec_core.__file__)"
    done = layer.run(layer.python, "-c", where, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert str(ROOT) not in done.stdout

    done = layer.run("saferec", "plugins", "audit", "--json", cwd=tmp_path)
    audited = {each["distribution"]: each for each in json.loads(done.stdout)}
    assert not audited["saferec"]["editable"]
    assert not audited["saferec"]["changed"]
    assert {name: set(audited[name]["components"]) for name in COMPONENTS} == COMPONENTS
    assert not any(each["broken"] for each in audited.values())


@pytest.fixture(scope="module")
def tested(layer, tmp_path_factory):
    """What became of the examples' own tests, run against the wheels in one process, and all it printed."""
    folder = tmp_path_factory.mktemp("tests")
    for package in EXAMPLES:
        shutil.copytree(package / "tests", folder / package.name / "tests")
    options = ["-v", "-W", "error", "-p", "no:cacheprovider", "--import-mode=importlib"]
    done = layer.run(layer.python, "-m", "pytest", *options, *[each.name for each in EXAMPLES], cwd=folder)
    results = re.findall(r"^(\S+?)/tests/\S+::.* (PASSED|FAILED|ERROR|SKIPPED)\b", done.stdout, re.MULTILINE)
    return done.returncode, results, done.stdout + done.stderr


@pytest.mark.parametrize("package", EXAMPLES, ids=lambda path: path.name)
def test_the_tests_of_each_example_pass_against_the_wheels(tested, package):
    status, results, printed = tested

    assert status == 0, printed
    own = {result for name, result in results if name == package.name}
    assert "PASSED" in own, printed
    assert own <= {"PASSED", "SKIPPED"}, printed  # properties that do not apply are skipped


def test_the_demo_trains_with_rewards_normalizer_and_transform_of_the_examples(layer, tmp_path):
    rewards = ("relevance", "safety", "count", "recency", "diversity", "coverage", "utility")
    arguments = [part for name in rewards for part in ("--reward", name)]
    arguments += ["--normalizer", "loo", "--transform", "stated-limits", "--run-name", "outside"]
    arguments += ["--max-steps", "2", "--set", "sft.optimization.max_steps=2", "--eval-prompts", "8"]
    arguments += ["--set", "rewards.recency.since=1990"]
    done = layer.run("saferec", "train", *arguments, cwd=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    manifest = json.loads((tmp_path / "runs" / "outside" / "manifest.json").read_text())
    assert manifest["plugins"]["normalizer:loo"] == "saferec-loo 0.1.0"
    assert {each["distribution"] for each in manifest["distributions"]} >= {"saferec", *COMPONENTS}
