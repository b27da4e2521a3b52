"""What `saferec plugins list` costs with nothing but what is built in, and with twenty installed plugins.

    python benchmarks/plugin_list.py [--plugins 20] [--repeats 9]

The plugins are written to a folder that is removed: packages with metadata, an entry point, and a hook that
offers one reward. Both commands run in turns, each in a process of its own, and its processor time (user and
system) is taken; the median is printed with the smallest and the largest.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

GOAL = 0.5
"""Seconds with twenty plugins."""

CODE = """
import saferec_core

@saferec_core.hookimpl
def saferec_register_rewards(registry):
    registry.add("mood-{number}", "acme_{number}:Mood", summary="Rewards a good mood.")
"""


def write_plugin(site: Path, number: int) -> None:
    """Write a package as an installer does."""
    information = site / f"acme_{number}-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: acme-{number}\nVersion: 1.0\nRequires-Dist: saferec>=0.2\n"
    )
    (information / "entry_points.txt").write_text(f"[saferec]\nmain = acme_{number}\n")
    (site / f"acme_{number}.py").write_text(CODE.format(number=number))


def processor_time(site: Path, expected: int) -> float:
    """Return the seconds of one process that lists the plugins on a path."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "saferec_cli", "plugins", "list"],
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.stdout.count("mood-") != expected:
        raise SystemExit(f"the list has {done.stdout.count('mood-')} rewards of plugins, not {expected}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure both in turns and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--plugins", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=9)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="saferec-plugins-") as name:
        without, with_plugins = Path(name) / "without", Path(name) / "with"
        without.mkdir()
        for number in range(asked.plugins):
            write_plugin(with_plugins, number)
        sites = {without: 0, with_plugins: asked.plugins}
        times: dict[Path, list[float]] = {site: [] for site in sites}
        for _ in range(asked.repeats + 1):
            for site, plugins in sites.items():
                times[site].append(processor_time(site, plugins))
    for site, label in ((without, "what is built in"), (with_plugins, f"and {asked.plugins} plugins")):
        warm = times[site][1:]  # the first writes bytecode
        print(f"{label:20} {median(warm):.2f} s of the processor ({min(warm):.2f} to {max(warm):.2f})")
    print(f"goal with twenty     {GOAL:.2f} s")


if __name__ == "__main__":
    main()
