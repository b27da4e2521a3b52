"""The example plugin works as its README says, installed as a distribution of its own."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "plugin"


def installed(folder: Path) -> dict[str, str]:
    """Lay the example out as an installed distribution, and return the environment that sees it."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    info = folder / f"saferec_recency-{project['version']}.dist-info"
    info.mkdir()
    info.joinpath("METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    points = project["entry-points"]["saferec"]
    lines = [f"{name} = {value}" for name, value in points.items()]
    info.joinpath("entry_points.txt").write_text("\n".join(["[saferec]", *lines, ""]))
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(EXAMPLE)])}


def test_the_example_is_listed_with_its_distribution_and_passes_the_check(tmp_path):
    environment = installed(tmp_path)
    listed = subprocess.run(
        [sys.executable, "-m", "saferec_cli", "plugins", "show", "recency", "--json"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    (shown,) = json.loads(listed.stdout)

    assert shown["supplied_by"].startswith("saferec-recency 0.1.0")
    assert shown["declares"]["scope"] == "rank"
    assert shown["options"][0]["name"] == "since"
    assert shown["options"][0]["range"] == ">= 1888"

    check = (
        "from saferec_core.testing import check_reward, judged_lists, TITLES\n"
        "from saferec_recency.reward import RecencyReward\n"
        "check_reward(RecencyReward())\n"
        "print(RecencyReward(since=1993)(judged_lists([TITLES[2:5]], num_ranks=3)).tolist())\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", check], env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[[0.0, 1.0, 1.0]]"
