"""Plugins of other people are loaded without harm to anybody: status, reasons and what they changed."""

import logging
import os
import random
import signal
import sys
import threading
import warnings
from pathlib import Path

import pytest

from saferec_core.errors import ConfigError, PluginError, UnknownNameError
from saferec_core.plugins.selection import Selection

HOOK = "import saferec_core\n@saferec_core.hookimpl\n"
REWARD = HOOK + "def saferec_register_rewards(registry):\n    registry.add('mood', 'acme:Mood', summary='')\n"


def state_of(plugins, name="acme"):
    return next(state for state in plugins.states if state.origin.distribution == name)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("raise BaseException('gone')", "BaseException: gone"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("import sys; sys.exit(0)", "SystemExit: 0"),
        ("import os; os._exit(0)", "SystemExit: 0"),
        ("raise RuntimeError('no license')", "RuntimeError: no license"),
        ("import nowhere_to_be_found", "No module named 'nowhere_to_be_found'"),
    ],
    ids=["base-exception", "interrupt", "exit", "hard-exit", "raises", "missing-import"],
)
@pytest.mark.parametrize("where", ["at import", "in a hook"])
def test_whatever_a_plugin_raises_is_its_own_status_and_the_others_are_there(
    install, load, statement, reason, where
):
    in_hook = HOOK + f"def saferec_register_rewards(registry):\n    {statement}\n"
    install("acme", statement if where == "at import" else in_hook)

    plugins = load()

    state = state_of(plugins)
    assert state.status == "broken"
    assert reason in state.reason
    assert ("(in the hook saferec_register_rewards)" in state.reason) == (where == "in a hook")
    assert state.error.__traceback__ is not None
    assert plugins.rewards.get("safety").origin.is_built_in


def test_the_users_ctrl_c_ends_the_loading(install, load):
    install("acme", "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(5)\n")

    with pytest.raises(KeyboardInterrupt):
        load()


def test_what_a_plugin_changes_on_import_is_put_back_and_reported(install, load, monkeypatch):
    monkeypatch.setenv("ACME_KEPT", "before")
    install(
        "acme",
        "import logging, os, random, signal, sys, threading, time, warnings\n"
        "os.environ['ACME_KEPT'] = 'after'\nos.environ['ACME_NEW'] = '1'\n"
        "os.chdir('/')\nsys.path.insert(0, '/acme')\nsys.argv.append('--acme')\n"
        "warnings.simplefilter('ignore')\nlogging.basicConfig(level=1, force=True)\nlogging.disable()\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\nrandom.seed(0)\n"
        "threading.Thread(target=time.sleep, args=(60,), name='acme-thread').start()\n" + REWARD,
    )
    path, arguments, folder, filters = list(sys.path), list(sys.argv), Path.cwd(), list(warnings.filters)
    handlers, root = signal.getsignal(signal.SIGINT), (logging.root.level, list(logging.root.handlers))
    numbers = random.getstate()

    plugins = load()

    assert (os.environ["ACME_KEPT"], os.environ.get("ACME_NEW")) == ("before", None)
    assert (list(sys.path), list(sys.argv), Path.cwd()) == (path, arguments, folder)
    assert list(warnings.filters) == filters
    assert signal.getsignal(signal.SIGINT) is handlers
    assert (logging.root.level, list(logging.root.handlers)) == root
    assert logging.root.manager.disable == logging.NOTSET
    assert random.getstate() == numbers
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "acme-thread")
    state = state_of(plugins)
    assert state.status == "ok"
    notes = "; ".join(state.notes)
    for what in (
        *("the environment: ACME_KEPT, ACME_NEW", "the working folder", "sys.path", "sys.argv"),
        *("the warning filters", "the logging", "signals", "random generators", "acme-thread"),
    ):
        assert what in notes


def test_what_a_plugin_prints_is_captured_however_it_prints(install, load, capfd):
    install(
        "acme",
        "import os, subprocess, sys\nprint('by print')\nsys.stderr.write('by stderr ')\n"
        "os.write(1, b'by descriptor ')\nsubprocess.run(['echo', 'by child'])\n" + REWARD,
    )

    state = state_of(load())

    assert capfd.readouterr() == ("", "")
    (note,) = state.notes
    for how in ("by print", "by stderr", "by descriptor", "by child"):
        assert how in note


def test_a_warning_at_import_is_noted_and_fails_nothing(install, load):
    install("acme", "import warnings\nwarnings.warn('use beta', DeprecationWarning)\n" + REWARD)

    assert state_of(load()).notes == ("warned: DeprecationWarning: use beta",)


def test_a_plugin_that_sleeps_for_ever_is_broken(install, load, monkeypatch):
    monkeypatch.setenv("SAFEREC_PLUGIN_TIMEOUT", "0.2")
    install("acme", "import time\ntime.sleep(1000)\n")

    state = state_of(load())

    assert (state.status, state.reason) == (
        "broken",
        "it took longer than 0.2 s. SAFEREC_PLUGIN_TIMEOUT=SECONDS allows more",
    )


def test_a_plugin_whose_last_hook_fails_offers_nothing_and_is_named_to_whoever_asks(install, load):
    install("acme", REWARD + HOOK + "def saferec_register_transforms(registry):\n    1 / 0\n")

    plugins = load()

    assert [entry.name for entry in plugins if not entry.origin.is_built_in] == []
    with pytest.raises(
        PluginError, match=r"reward 'mood' is not available: acme 1\.2\.3 .*ZeroDivision"
    ) as error:
        plugins.find(plugins.rewards, "mood")
    assert isinstance(error.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize(
    ("hook", "reason"),
    [
        ("@saferec_core.hookimpl\ndef saferec_register_rewards(): ...", "has no parameter"),
        ("@saferec_core.hookimpl\ndef saferec_register_rewards(rewards): ...", "has the parameter rewards"),
        (
            "@saferec_core.hookimpl\ndef saferec_register_rewards(registry, more): ...",
            "the parameter more",
        ),
        ("@saferec_core.hookimpl\ndef saferec_register_rewards(*args): ...", "has the parameter *args"),
        ("@saferec_core.hookimpl\nasync def saferec_register_rewards(registry): ...", "plain function"),
        ("@saferec_core.hookimpl\ndef saferec_register_rewards(registry): yield", "plain function"),
        ("@saferec_core.hookimpl(wrapper=True)\ndef saferec_register_rewards(registry):\n yield", "plain"),
        ("def saferec_register_rewards(registry): ...", "is not marked; is @hookimpl missing?"),
        ("@saferec_core.hookimpl\ndef saferec_register_reward(registry): ...", "'saferec_register_rewards'"),
        ("def saferec_register_agents(registry): ...", "If another release of saferec specifies it"),
    ],
    ids=[
        *("no-parameter", "other-name", "too-many", "variable", "async", "generator", "wrapper"),
        *("unmarked", "misspelled", "of-another-release"),
    ],
)
def test_a_hook_that_differs_from_its_specification_is_refused(install, load, hook, reason):
    sound = "@saferec_core.hookimpl\ndef saferec_register_metrics(registry):\n"
    sound += "    registry.add('mood', 'acme:Mood', summary='')\n"
    install("acme", f"import saferec_core\n{sound}{hook}\n")

    state = state_of(load())

    assert state.status == "broken"
    assert reason in state.reason


def test_an_optional_hook_of_another_release_is_ignored_with_a_note(install, load):
    install(
        "acme",
        REWARD + "@saferec_core.hookimpl(optionalhook=True)\ndef saferec_register_agents(registry): ...\n",
    )

    plugins = load()

    assert plugins.rewards.get("mood").origin.distribution == "acme"
    assert state_of(plugins).notes == (
        "hook 'saferec_register_agents' is not one of this release of saferec; it is optional and ignored",
    )


def test_a_hook_that_registers_nothing_is_noted(install, load):
    install("acme", HOOK + "def saferec_register_rewards(registry):\n    return {'mood': 'acme:Mood'}\n")

    assert state_of(load()).notes == ("offers nothing by its hook saferec_register_rewards",)


@pytest.mark.parametrize(
    ("requires", "status", "reason"),
    [
        ("saferec>=9", "incompatible", "it is too new for this saferec: it needs saferec >=9"),
        ("saferec<0.1", "incompatible", "it is too old for this saferec: it supports saferec <0.1"),
        ("saferec==0.0.*", "incompatible", "it is too old"),
        ("saferec>=0.1,<9", "ok", ""),
        ("saferec>=9; extra == 'gpu'", "ok", ""),
        ("saferec-themes>=9", "ok", ""),
    ],
)
def test_a_plugin_made_for_another_release_is_not_loaded(install, load, requires, status, reason):
    install("acme", REWARD, requires=requires)

    state = state_of(load())

    assert state.status == status
    assert state.reason.startswith(reason)


@pytest.mark.parametrize("name", ["acme", "Acme", "main", "acme:main", "all"])
def test_a_plugin_that_is_switched_off_is_not_imported(install, load, name, monkeypatch):
    install("acme", "raise SystemExit")
    monkeypatch.setenv("SAFEREC_DISABLE_PLUGINS", f"elsewhere, {name}")

    plugins = load()

    assert state_of(plugins).status == "disabled"
    assert plugins.rewards.get("safety").origin.is_built_in
    with pytest.raises(UnknownNameError, match=r"Switched off: acme 1\.2\.3"):
        plugins.find(plugins.rewards, "mood")


def test_a_plugin_to_switch_off_has_to_be_installed(install, load):
    install("acme", REWARD)

    with pytest.raises(ConfigError, match=r"--no-plugin acne: no such plugin .* switched off: acme"):
        load(Selection(disabled=frozenset({"acne"}), required=frozenset({"acne"})))


def test_strict_names_every_plugin_that_cannot_be_used_and_every_name_offered_twice(install, load):
    install("acme", REWARD)
    install("globex", REWARD)
    install("initech", "1 / 0")

    with pytest.raises(PluginError) as error:
        load(Selection(strict=True))

    assert "2 problems" in str(error.value)
    assert "initech 1.2.3 (entry point 'main'): ZeroDivisionError" in str(error.value)
    assert "reward 'mood' is offered by acme 1.2.3" in str(error.value)


FILE = '''
"""A reward of my own."""
from saferec_core.plugins.contracts.reward import RewardFunction

class MoodReward(RewardFunction):
    """Likes happy titles."""
    scope = "rank"
    def __call__(self, lists): ...
'''


def test_a_file_offers_its_classes_by_name_and_is_imported_only_when_one_is_built(load, tmp_path):
    path = tmp_path / "my_reward.py"
    path.write_text(FILE + "raise SystemExit\n", encoding="utf-8")

    entry = load(Selection(files=(path,))).rewards.get("mood")

    assert (entry.summary, entry.origin.distribution) == ("Likes happy titles.", str(path))
    with pytest.raises(PluginError, match=r"reward 'mood' of .*my_reward\.py sha256:\w{12} cannot be loaded"):
        entry.load()
    path.write_text(FILE, encoding="utf-8")
    assert entry.load().__name__ == "MoodReward"


def test_a_file_may_implement_hooks(load, tmp_path):
    path = tmp_path / "hooks.py"
    path.write_text(REWARD, encoding="utf-8")

    assert load(Selection(files=(path,))).rewards.get("mood").origin.entry_point == "hooks.py"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (None, "cannot be read"),
        ("def", "not valid Python"),
        ("x = 1", "defines no component"),
        (REWARD + "1 / 0", "Zero"),
    ],
    ids=["missing", "syntax", "empty", "raises"],
)
def test_a_file_that_cannot_be_a_plugin_is_refused(load, tmp_path, code, reason):
    path = tmp_path / "broken.py"
    if code is not None:
        path.write_text(code, encoding="utf-8")

    with pytest.raises(PluginError, match=reason):
        load(Selection(files=(path,)))


def test_a_metric_of_another_plugin_is_not_computed_unless_it_is_named(install, load):
    from saferec_core.evaluation.measure import default_metrics

    code = (
        HOOK + "def saferec_register_metrics(registry):\n    registry.add('mood', 'acme:Mood', summary='')\n"
    )
    install("acme", code)

    plugins = load()

    assert "mood" in {entry.name for entry in plugins.metrics}
    assert "mood" not in default_metrics(plugins)
    assert "recall" in default_metrics(plugins)


def test_plugins_are_looked_for_once_and_again_when_the_path_changes(install, load):
    assert load() is load()
    install("acme", REWARD)
    assert load().rewards.get("mood").origin.distribution == "acme"
