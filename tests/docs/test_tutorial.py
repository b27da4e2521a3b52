"""The tutorial is followed to the letter, in an empty folder and a fresh environment."""

import re
from pathlib import Path

import pytest

from tests.layers import fresh_layer

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "tutorial-reward.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLE = ROOT / "examples" / "plugins"


def file_of(code):
    """Return the file that a block of code belongs into, and its content; None if it is to be run."""
    match = re.match(r"# (saferec-recency/\S+)\n", code)
    return (match[1], code[match.end() :]) if match else None


def steps(console):
    """Return each command of a console with the output that is shown."""
    parts = re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]
    return [(part.partition("\n")[0], part.partition("\n")[2]) for part in parts]


def shown_in(shown, output):
    """Tell whether the output is what is shown, ``...`` standing for anything."""
    pattern = ".*".join(re.escape(part.strip("\n")) for part in shown.split("...\n"))
    return re.match(rf"{pattern}\s*\Z", output, re.DOTALL) is not None


@pytest.mark.slow
def test_following_the_tutorial_does_what_it_says(tmp_path):
    layer = fresh_layer(tmp_path / "environment")
    empty = tmp_path / "empty"
    empty.mkdir()
    for kind, block in BLOCK.findall(PAGE):
        if kind == "console":
            for command, shown in steps(block):
                done = layer.run("sh", "-c", command, cwd=empty)
                assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
                assert not shown or shown_in(shown, done.stdout), f"{command}\n{done.stdout}"
        elif file := file_of(block):
            empty.joinpath(file[0]).write_text(file[1], encoding="utf-8")
        else:
            done = layer.run(layer.python, "-c", block, cwd=empty)
            assert done.returncode == 0, done.stdout + done.stderr


def test_the_example_package_is_what_the_tutorial_makes():
    files = [file for _, block in BLOCK.findall(PAGE) if (file := file_of(block))]

    assert len(files) == 2
    for path, content in files:
        assert EXAMPLE.joinpath(path).read_text(encoding="utf-8") == content
