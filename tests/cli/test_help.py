"""Help that a newcomer can read at 80 columns, and words that the shell completes."""

import os
import re
import subprocess
import sys

import pytest

from saferec_cli import completion


@pytest.fixture
def narrow(main, monkeypatch):
    def run(*arguments):
        outcome = main(*arguments, columns=80)
        assert outcome.status == 0, outcome
        assert max(map(len, outcome.out.splitlines())) <= 80
        return outcome.out

    return run


def flags(text):
    return re.findall(r"^│ (--[a-z][\w-]*…?)", text, flags=re.MULTILINE)


def test_the_help_of_train_shows_the_flags_that_people_use_in_groups(narrow):
    text = narrow("train", "--help")

    assert 20 <= len(flags(text)) <= 36
    for panel in ("Model and data", "Training", "Memory and precision", "Evaluation", "Run"):
        assert f"─ {panel} ─" in text
    for flag in ("--model", "--reward", "--per-device-train-batch-size", "--dry-run", "--help-all"):
        assert flag in flags(text)
    assert "--vllm-server-port" not in text


@pytest.mark.parametrize("command", ["train", "sft", "eval", "plan"])
def test_help_all_shows_every_flag_without_cutting_one(narrow, command):
    every, common = narrow(command, "--help-all"), narrow(command, "--help")

    assert set(flags(common)) < set(flags(every))
    assert not [flag for flag in flags(every) if flag.endswith("…")]


COMMANDS = (
    *("", "init", "doctor", "plan", "sft", "train", "launch", "recommend", "serve", "eval", "baseline"),
    *("compare", "gate", "report", "replay", "data", "data show", "data run", "data build", "oracle"),
    *("oracle build", "oracle check", "oracle card", "plugins", "plugins list", "plugins show"),
    *("plugins new", "plugins check", "plugins audit"),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_values_in_plain_words_and_nothing_behind_a_switch(narrow, command):
    shown = narrow(*command.split(), "--help")

    assert not re.search(r"<\w+|list\[|(int|float) range|x<=|x>=", shown)
    assert re.search(r"^│ (\*  |   )?--help +-h +Show this message", shown, flags=re.MULTILINE)
    [usage] = [line for line in shown.splitlines() if line.startswith(" Usage: ")]
    assert not re.search(r"[{a-z]", usage.removeprefix(f" Usage: saferec {command}"))


def test_the_version_is_printed(main):
    from saferec_core import __version__

    assert main("--version").out == f"saferec {__version__}\n"


def test_names_of_components_metrics_traits_and_runs_are_completed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for run in ("first", "second"):
        (tmp_path / "runs" / run).mkdir(parents=True)
        (tmp_path / "runs" / run / "config.yaml").write_text("")

    assert completion.names_of("rewards")("sa") == ["safety"]
    assert "recall@10" in completion.metrics("rec")
    assert completion.traits("Anti-g") == ["Anti-gore / squeamish"]
    assert completion.runs("runs/f") == ["runs/first"]
    assert completion.runs("ru") == ["runs/first", "runs/second"]
    assert "title-year" in completion.components("title")


def test_the_shell_is_given_the_words():
    asked = {
        "_SAFEREC_COMPLETE": "complete_bash",
        "COMP_WORDS": "saferec train --reward sa",
        "COMP_CWORD": "3",
    }
    code = "import sys; sys.argv = ['saferec']; from saferec_cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**os.environ, **asked}
    )

    assert done.stdout.split() == ["safety"]
