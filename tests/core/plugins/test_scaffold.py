"""A new plugin package installs and passes its own tests unedited, whatever its kind."""

import json
import os
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from saferec_core.errors import ConfigError, RunError, UnknownNameError
from saferec_core.plugins.contracts import CONTRACTS
from saferec_core.plugins.scaffold import Package, new_package


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """A new package of each kind."""
    folder = tmp_path_factory.mktemp("packages")
    return [new_package(kind, f"my-{kind}", folder / kind) for kind in CONTRACTS]


@pytest.fixture(scope="module")
def python(tmp_path_factory, packages):
    """The Python of a fresh environment with these packages, on top of what is installed here."""
    layer = tmp_path_factory.mktemp("layer")
    venv.create(layer, with_pip=False)
    (own,) = layer.glob("lib/python*/site-packages")
    below = [path for path in sys.path if path.endswith("site-packages")] or site.getsitepackages()
    (own / "below.pth").write_text("".join(f"import site; site.addsitedir({path!r})\n" for path in below))
    executable = layer / "bin" / "python"
    options = ["--no-deps", "--no-build-isolation", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", executable, "install", *options, *packages], check=True
    )
    return executable


@pytest.mark.slow
def test_packages_of_all_kinds_install_and_their_tests_pass_unedited(python, packages, tmp_path):
    environment = {**os.environ, "PYTHONPATH": "", "OMP_NUM_THREADS": "1"}
    for command in (
        ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", "-W", "error", *packages],
        ["-m", "saferec_cli", "plugins", "check", "my-oracle"],
    ):
        done = subprocess.run(
            [python, *command], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_an_installed_package_is_listed_and_audited_with_all_of_its_files(python, tmp_path):
    done = subprocess.run(
        [python, "-m", "saferec_cli", "plugins", "audit", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    audited = {each["distribution"]: each for each in json.loads(done.stdout)}

    mine = audited["saferec-my-reward"]
    assert (mine["version"], mine["editable"], mine["hooks"]) == (
        "0.1.0",
        False,
        ["saferec_register_rewards"],
    )
    assert (mine["components"], mine["files"], mine["changed"], mine["missing"]) == (
        ["reward:my-reward"],
        3,  # the hook, the component and py.typed
        [],
        [],
    )


def test_names_in_a_package_follow_from_the_name_of_the_component():
    package = Package("reward", "release_year")

    assert (package.distribution, package.package) == ("saferec-release-year", "saferec_release_year")
    assert (package.component, package.hook) == ("ReleaseYearReward", "saferec_register_rewards")


def test_a_folder_that_exists_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = Path("saferec-novelty")
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")

    with pytest.raises(RunError, match="saferec-novelty already exists; choose another folder with --out"):
        new_package("reward", "novelty")
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("name", ["Novelty", "two words", "9lives", "class", "", "a--b", "../up"])
def test_a_name_that_a_component_cannot_have_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigError, match="a component cannot be called"):
        new_package("reward", name)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_kind_is_told_with_the_near_miss(tmp_path):
    with pytest.raises(UnknownNameError, match=r"unknown kind of plugin 'rewards'\. Did you mean 'reward'"):
        new_package("rewards", "novelty", tmp_path / "new")
