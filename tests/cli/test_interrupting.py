"""Ctrl-C at any moment: no traceback, and the exit status that shells expect."""

import pytest
import typer

from saferec_cli.interrupting import interruptible


def interrupted(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize("moment", ["saferec_cli.commands.app_for", "saferec_cli.train.run_stage"])
def test_a_command_that_has_not_begun_ends_without_a_traceback(main, monkeypatch, moment):
    monkeypatch.setattr(moment, interrupted if moment.endswith("app_for") else lambda *_, **__: interrupted())

    outcome = main("train")

    assert outcome.status == 130
    assert outcome.out == ""
    assert outcome.err.strip() in {"", "interrupted"}


def test_a_command_that_has_begun_says_what_is_kept(capsys):
    with pytest.raises(typer.Exit) as ending, interruptible("all of it"):
        interrupted()

    assert ending.value.exit_code == 130
    assert capsys.readouterr().err == "\ninterrupted: all of it\n"
