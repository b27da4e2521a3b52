"""What commands print for other programs is JSON, whatever it holds and wherever it goes."""

import io
import json
import math
import sys

from saferec_cli.printing import only_json_printed, print_json


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
