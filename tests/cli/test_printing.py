"""What commands print: JSON for other programs, wherever it goes, and tables for people."""

import io
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from saferec_cli.printing import only_json_printed, print_json
from saferec_cli.render import RichObserver


def printed(value, monkeypatch, encoding="utf-8"):
    output = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr("sys.stdout", output)
    print_json(value, default=sorted)
    output.seek(0)
    return output.read()


def test_what_json_does_not_have_becomes_null_or_is_turned_into_what_it_has(monkeypatch):
    text = printed({"a": math.nan, "b": [1.5, -math.inf], "c": {"x"}}, monkeypatch)

    assert json.loads(text, parse_constant=lambda name: f"not JSON: {name}") == {
        "a": None,
        "b": [1.5, None],
        "c": ["x"],
    }


def test_what_others_print_meanwhile_goes_to_standard_error(capsys):
    with only_json_printed():
        sys.stdout.write("a plugin prints\n")
        print_json({"a": 1})

    printed = capsys.readouterr()
    assert (json.loads(printed.out), printed.err) == ({"a": 1}, "a plugin prints\n")


def test_letters_are_written_as_they_are_where_the_output_has_them_and_escaped_elsewhere(monkeypatch):
    assert "Amélie" in printed("Amélie", monkeypatch)
    assert json.loads(printed("Amélie", monkeypatch, encoding="ascii")) == "Amélie"
    assert json.loads(printed("half a pair: \ud83d", monkeypatch)) == "half a pair: \ud83d"


LIST = [sys.executable, "-m", "saferec_cli", "plugins", "list"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no file that is always full")
@pytest.mark.parametrize(
    "command", [LIST, [*LIST, "--json"], [*LIST[:3], "--version"]], ids=["text", "json", "version"]
)
def test_a_full_disk_under_the_output_is_an_error_that_says_so(command):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    assert done.returncode == 2
    assert done.stderr.startswith("error: No space left on device (where output or a file was being written)")
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="closes a descriptor by the shell of Unix")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"], ids=["output", "errors", "both"])
def test_a_closed_output_is_written_to_by_nobody_and_fails_nothing(closed):
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$@" {closed}', "sh", *LIST, "--json"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_the_title_of_a_narrow_table_stays_on_its_line(capsys):
    title = "All lists together (no intervals)"
    RichObserver().table(title, [{"metric": "Catalog coverage", "value": "17%"}])

    assert capsys.readouterr().out.splitlines()[0].strip() == title
