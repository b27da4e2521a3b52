"""The documentation site builds without a warning and holds what is made from the code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import saferec_core

ROOT = Path(__file__).parents[2]
if not (ROOT / "mkdocs.yml").is_file():
    pytest.skip("the site is not part of this copy", allow_module_level=True)
pytest.importorskip("material", reason="needs mkdocs-material")
pytest.importorskip("mkdocstrings", reason="needs mkdocstrings")


@pytest.mark.slow
def test_the_site_builds_strictly_and_describes_every_command_setting_and_name(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    assert done.returncode == 0, done.stderr
    pages = {
        path.stem: path.read_text(encoding="utf-8")
        for path in (tmp_path / "site" / "reference").glob("*.html")
    }

    assert "saferec recommend" in pages["commands"]
    assert "--predictions" in pages["commands"]
    assert "optimization.learning_rate" in pages["configuration"]
    public = [name for name in saferec_core.__all__ if not name.startswith("__")]
    assert not [name for name in public if f'id="saferec_core.{name}"' not in pages["python"]]
    assert "Samples at this temperature, above 0; None: greedy." in pages["python"]
