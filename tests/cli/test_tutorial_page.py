"""The tutorial's commands, in its order, on a run of one step instead of the whole demo."""

import re
import shlex
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"
if not PAGE.is_file():
    pytest.skip("the pages are not part of this copy", allow_module_level=True)
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def steps():
    """Return each command of the page with the output that it shows."""
    text = "\n".join(CONSOLE.findall(PAGE.read_text(encoding="utf-8"))).replace("\\\n", " ")
    parts = re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]
    return [(shlex.split(part.partition("\n")[0]), part.partition("\n")[2]) for part in parts]


@pytest.mark.slow
def test_the_commands_of_the_tutorial_do_what_it_says(main, tiny, tmp_path):
    (first, _), *others = steps()
    assert first == ["saferec", "train", "--run-name", "demo"]
    assert (
        main("train", tiny / "run.yaml", "--run-name", "demo", "--eval-decoding", "greedy,sampled").status
        == 0
    )

    for command, shown in others:
        assert command[0] == "saferec"
        if command[1] == "serve":  # runs until it is stopped; tests/cli/test_serve.py calls it
            continue
        done = main(*command[1:], columns=120)
        assert done.status in ({0, 1} if command[1] == "gate" else {0}), f"{command}\n{done.err}"
        for label in re.findall(r"^([A-Z]\S*(?: \S+)*)  ", shown, re.MULTILINE):
            assert label in done.out, f"{command}: {label}"
    assert (tmp_path / "runs" / "demo" / "report.html").is_file()
