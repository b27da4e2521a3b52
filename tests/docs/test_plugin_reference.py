"""The reference of plugins is what the docstrings say."""

import runpy
from pathlib import Path

import pytest

from saferec_core.plugins import hookspecs
from saferec_core.plugins.contracts import CONTRACTS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference-plugins.md"


def test_the_page_is_up_to_date():
    page = runpy.run_path(str(ROOT / "tools" / "plugin_reference.py"))["page"]()

    assert PAGE.read_text(encoding="utf-8") == page, "run python tools/plugin_reference.py"


@pytest.mark.parametrize("hook", [name for name in dir(hookspecs) if name.startswith("saferec_")])
def test_every_hook_is_in_the_reference(hook):
    assert f"### `{hook}(" in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", CONTRACTS)
def test_every_contract_is_in_the_reference_and_in_the_promise_of_stability(kind):
    module, _, name = CONTRACTS[kind].partition(":")

    assert f"### `{module}.{name}`" in PAGE.read_text(encoding="utf-8")
    assert f"`{name}`" in (ROOT / "docs" / "stability.md").read_text(encoding="utf-8")
