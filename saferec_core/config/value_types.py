"""Types of settings that are checked, or read in words, wherever they occur."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator

from saferec_core.config.durations import seconds

__all__ = [
    "EmptyList",
    "IdealDcg",
    "MaxTime",
    "Occasion",
    "Preset",
    "Removal",
    "RunName",
    "Steps",
    "TitleMatching",
    "Trackers",
    "none_in_words",
]


def _minus_one_or_positive(steps: int) -> int:
    if steps == 0 or steps < -1:
        raise ValueError(f"must be at least 1, or -1 for as many as the epochs need, but is {steps}")
    return steps


Steps = Annotated[int, AfterValidator(_minus_one_or_positive)]
"""A number of optimizer steps, or -1."""


def _no_of_yaml(value: Any) -> Any:
    return "no" if value is False else value  # an unquoted "no" is false in YAML


Occasion = Annotated[Literal["no", "steps", "epoch"], BeforeValidator(_no_of_yaml)]
"""When training stops for something else, such as to save."""


def _without_none(names: list[str]) -> list[str]:
    trackers = [name for name in dict.fromkeys(names) if name != "none"]
    if trackers and "none" in names:
        raise ValueError(f"none stands alone, but came with {', '.join(trackers)}")
    return trackers


Trackers = Annotated[list[Literal["tensorboard", "trackio", "wandb", "none"]], AfterValidator(_without_none)]
"""Trackers by name; ``["none"]`` is read as none."""


Preset = Literal["saferec", "rank-grpo", "safe-training"]
"""Named ways of scoring lists."""


Removal = Literal["miss", "removed"]
"""A title that cannot be a hit keeps its rank as a miss, or is removed and later titles move up."""


TitleMatching = Literal["normal-form", "exact"]
"""Whether titles match by normal form or by exact string."""


IdealDcg = Literal["truth", "list"]
"""The ideal list of NDCG: as many hits as there are relevant titles, or as the list has room for."""


EmptyList = Literal["no-value", "safe"]
"""Share of violations of an empty list: undefined, or 0."""


def _duration(text: str) -> str:
    seconds(text)
    return text


MaxTime = Annotated[str, BeforeValidator(str), AfterValidator(_duration)]
"""A duration, such as ``"1h30m"``."""


_LONGEST_NAME = 230
"""Bytes of a folder's name, as most file systems allow 255, less what is added to it while it is made."""


def _folder_inside(name: str) -> str:
    parts = PurePath(name).parts
    if PurePath(name).is_absolute() or ".." in parts or (name and not parts):
        raise ValueError(f"must be the name of a folder inside output_dir, but is {name!r}")
    if not name.isprintable():
        raise ValueError(f"must not contain line breaks or other control characters, but is {name!r}")
    if (longest := max((len(part.encode()) for part in parts), default=0)) > _LONGEST_NAME:
        raise ValueError(f"must have at most {_LONGEST_NAME} bytes, but has {longest}")
    return name


RunName = Annotated[str, AfterValidator(_folder_inside)]
"""Name of a run folder; with a slash in it, of a folder in a folder of ``output_dir``."""


def none_in_words(value: Any) -> Any:
    """Read the word none, and nothing, as None."""
    return None if isinstance(value, str) and value.strip().lower() in {"", "none"} else value
