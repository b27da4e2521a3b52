"""What keeps a replay from starting, found before torch is imported."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from saferec_core.config.schema import TrainConfig
from saferec_core.plugins.offered import Plugins
from saferec_core.preflight.components import check_components, check_rewards
from saferec_core.preflight.inputs import check_data
from saferec_core.preflight.problems import Problems

__all__ = ["find_replay_problems"]


def find_replay_problems(
    config: TrainConfig, plugins: Plugins, draw: Path | None, *, overwrite: bool = False
) -> list[str]:
    """Return every problem of a replay that can be found without torch, each with its flag.

    Args:
        config: What is to be credited by; records, model and training are not looked at.
        plugins: What is installed.
        draw: File to draw in, if any.
        overwrite: Whether it may exist.
    """
    problems = Problems()
    check_rewards(problems, config, plugins)
    unread: dict[str, Any] = {
        "train_path": None,
        "validation_path": None,
        "test_path": None,
        "transforms": [],
    }
    data = config.data.model_copy(update=unread)
    check_data(problems, data, needs={}, train=False)
    check_components(problems, config.model_copy(update={"data": data}), plugins)
    if draw is not None and draw.suffix not in {".svg", ".png"}:
        problems.add(f"--draw {draw}: name a file that ends with .svg or .png")
    if draw is not None and draw.exists() and not overwrite:
        problems.add(f"--draw {draw} exists already; name another file, or give --overwrite")
    if draw is not None and (
        missing := [name for name in ("altair", "vl_convert") if find_spec(name) is None]
    ):
        problems.add(f"--draw needs {', '.join(missing)}: pip install 'saferec[data]'")
    return problems.lines
