"""The picture and the page of the architecture show the present state."""

import runpy
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
if not (ROOT / "tools").is_dir():
    pytest.skip("the tools are not part of this copy", allow_module_level=True)
DRAWING = runpy.run_path(str(ROOT / "tools" / "draw_architecture.py"))


def test_the_picture_is_what_the_command_draws():
    assert DRAWING["picture"]() == (ROOT / "docs" / "architecture.svg").read_text(encoding="utf-8")


def test_the_page_has_a_line_for_every_room_and_names_only_modules_that_exist():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = DRAWING["rooms"](tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8")))

    assert [room for room in rooms if f"`{room}`" not in page] == []
    named = {part for part in page.split("`")[1::2] if part.endswith((".py", "/")) and " " not in part}
    homes = (ROOT, ROOT / "saferec_core", ROOT / "plugins")
    assert [part for part in named if not any((home / part).exists() for home in homes)] == []
