"""A new plugin package installs and passes its own tests unedited, whatever its kind."""

import json
import tomllib
from pathlib import Path

import pytest

from saferec_core.errors import ConfigError, RunError, UnknownNameError
from saferec_core.plugins.scaffold import KINDS, Package, new_package
from tests.layers import fresh_layer


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """A new package of each kind."""
    folder = tmp_path_factory.mktemp("packages")
    return [new_package(kind, f"my-{kind}", folder / kind) for kind in KINDS]


@pytest.fixture(scope="module")
def layer(tmp_path_factory, packages):
    """A fresh environment with these packages, on top of what is installed here."""
    made = fresh_layer(tmp_path_factory.mktemp("layer"))
    made.install(*packages)
    return made


@pytest.mark.slow
def test_packages_of_all_kinds_install_and_their_tests_pass_unedited(layer, packages, tmp_path):
    options = ["-q", "-p", "no:cacheprovider", "--import-mode=importlib", "-W", "error"]
    tested = layer.run(layer.python, "-m", "pytest", *options, *packages, cwd=tmp_path)
    assert tested.returncode == 0, tested.stdout + tested.stderr

    checked = layer.run("saferec", "plugins", "check", "my-oracle", cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.slow
def test_an_installed_package_is_audited_with_all_of_its_files(layer, tmp_path):
    done = layer.run("saferec", "plugins", "audit", "--json", cwd=tmp_path)
    audited = {each["distribution"]: each for each in json.loads(done.stdout)}

    mine = audited["saferec-my-reward"]
    assert (mine["version"], mine["editable"]) == ("0.1.0", False)
    assert (mine["hooks"], mine["components"]) == (["saferec_register_rewards"], ["reward:my-reward"])
    assert mine["files"] == 3  # the hook, the component and py.typed
    assert (mine["changed"], mine["missing"]) == ([], [])


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


def test_a_summary_is_what_the_list_of_plugins_and_the_distribution_say(tmp_path):
    folder = new_package(
        "reward", "novelty", tmp_path / "novelty", summary='Titles that\nfew know, say "Höhle".'
    )

    hook = (folder / "saferec_novelty" / "__init__.py").read_text(encoding="utf-8")
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    compile(hook, "__init__.py", "exec")
    assert r'summary="Titles that few know, say \"Höhle\".",' in hook
    assert project["description"] == 'Titles that few know, say "Höhle".'


def test_a_name_that_ends_with_its_kind_does_not_say_the_kind_twice():
    assert Package("reward", "novelty-reward").component == "NoveltyReward"
