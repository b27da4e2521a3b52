"""A plugin that ends the process where no exception can be caught."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SEGFAULT = "import ctypes; ctypes.string_at(0)"
HOOK = """
import saferec_core

@saferec_core.hookimpl
def saferec_register_rewards(registry):
    registry.add("mood", "acme_mood:Mood", summary="Crashes.")
"""
CRASHING_REWARD = '''
"""Crashes once there is a checkpoint."""
import ctypes
from pathlib import Path
import torch
from saferec_core.plugins.contracts.reward import RewardFunction
from saferec_core.plugins.component import component

@component
class Mood(RewardFunction):
    """Crashes."""

    scope = "rank"

    def __call__(self, lists):
        if any(Path("{checkpoints}").glob("checkpoint-*")):
            ctypes.string_at(0)
        return torch.rand(lists.rank_mask.shape)
'''


@pytest.fixture
def acme(tmp_path):
    """Install a package with this code, and return the environment of processes that see it."""

    def install(code):
        site = tmp_path / "site"
        information = site / "acme_mood-1.2.3.dist-info"
        information.mkdir(parents=True)
        (information / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-mood\nVersion: 1.2.3\n")
        (information / "entry_points.txt").write_text("[saferec]\nmain = acme_mood\n")
        (site / "acme_mood.py").write_text(code, encoding="utf-8")
        return {**os.environ, "PYTHONPATH": str(site)}

    return install


def run(*command, env, cwd):
    command = [sys.executable, *map(str, command)]
    return subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, check=False)


def test_a_crash_while_a_plugin_is_loaded_names_it_and_where_it_happened(acme, tmp_path):
    done = run("-m", "saferec_cli", "plugins", "list", env=acme(SEGFAULT), cwd=tmp_path)

    assert done.returncode == -signal.SIGSEGV
    assert "acme_mood.py" in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: the process died while plugin ")
    assert "acme-mood 1.2.3" in last
    assert last.endswith(", being loaded, was at work")


def test_what_was_at_work_is_the_innermost_call_and_nothing_is_said_between_calls(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import ctypes, os, sys\n"
        "from saferec_core.plugins.calls import undisturbed\n"
        "from saferec_core.plugins.last_words import continues_with, say_at_a_crash\n"
        "say_at_a_crash(2)\n"
        "continues_with('saferec train --resume-from runs/a')\n"
        "die = lambda: ctypes.CDLL(None).kill(os.getpid(), 9)\n"
        "with undisturbed(\"reward 'mood' of acme-mood 1.2.3\"):\n"
        "    with undisturbed(\"oracle 'inner' of acme 1\"):\n"
        "        die() if sys.argv[1] == 'inner' else None\n"
        "    die() if sys.argv[1] == 'outer' else None\n"
        "die() if sys.argv[1] == 'after' else None\n",
        encoding="utf-8",
    )
    said = {
        where: run(script, where, env={**os.environ}, cwd=tmp_path).stderr
        for where in ("inner", "outer", "after", "nowhere")
    }

    go_on = "; continue from the last checkpoint with: saferec train --resume-from runs/a\n"
    assert said == {
        "inner": f"error: the process died while oracle 'inner' of acme 1 was at work{go_on}",
        "outer": f"error: the process died while reward 'mood' of acme-mood 1.2.3 was at work{go_on}",
        "after": "",
        "nowhere": "",
    }


def test_a_process_that_a_plugin_forks_keeps_no_note_of_its_own(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import os\n"
        "from saferec_core.plugins.last_words import at_work, say_at_a_crash\n"
        "say_at_a_crash(2)\n"
        "with at_work('the parent'):\n"
        "    if (child := os.fork()) == 0:\n"
        "        with at_work('the child'):\n"
        "            os.abort()\n"
        "    os.waitpid(child, 0)\n",
        encoding="utf-8",
    )

    assert run(script, env={**os.environ}, cwd=tmp_path).stderr == ""


def test_a_reward_that_crashes_in_training_is_named_with_the_command_that_goes_on(acme, tiny, tmp_path):
    runs = tmp_path / "runs"
    env = acme(HOOK + CRASHING_REWARD.format(checkpoints=runs / "a" / "checkpoints"))
    command = ("-m", "saferec_cli", "train", tiny / "run.yaml", "--reward", "mood", "--quiet")
    options = ("--output-dir", runs, "--run-name", "a", "--max-steps", 3, "--save-strategy", "steps")

    done = run(*command, *options, "--save-steps", 1, "--eval-prompts", 0, env=env, cwd=tmp_path)

    assert done.returncode == -signal.SIGSEGV
    assert done.stderr.splitlines()[-1] == (
        "error: the process died while reward 'mood' of acme-mood 1.2.3 was at work; continue from the last "
        f"checkpoint with: saferec train --resume-from {runs / 'a'}"
    )
    assert Path(runs / "a" / "checkpoints").is_dir()
