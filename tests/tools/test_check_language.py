"""The check of spelling and phrases finds both, and nothing in what is in the house."""

import runpy
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "check_language.py"
if not TOOL.is_file():
    pytest.skip("the tools are not part of this copy", allow_module_level=True)
CHECK = runpy.run_path(str(TOOL))


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (
            "the colour of neighbours",
            ["1: 'colour' is British spelling", "1: 'neighbour' is British spelling"],
        ),
        (
            "normalised = centred_values",
            ["1: 'normalised' is British spelling", "1: 'centred' is British spelling"],
        ),
        ("this is no folder", ["1: 'is no folder'; write: is not (a valid) ..."]),
        ("an otherwise precise exercise, colored and labeled", []),
    ],
    ids=["spelling", "identifiers", "phrase", "American"],
)
def test_a_line_is_judged_word_by_word(line, wanted):
    assert list(CHECK["problems"]([line])) == wanted


def test_the_house_has_no_problem(capsys):
    assert CHECK["main"]() == 0, capsys.readouterr().out
