"""Arguments that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["ConfigArgument", "JsonOption", "RewardOption", "SettingOption", "TransformOption"]

ConfigArgument = Annotated[Path | None, typer.Argument(help="Run configuration (YAML).", metavar="CONFIG")]
SettingOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any setting by its path; repeat."),
]
RewardOption = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Reward function to use; repeat. See 'saferec plugins list'."),
]
TransformOption = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Dataset transform to apply; repeat, in order."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
