"""Arguments of the commands that read stored evaluations."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["DecodingOption", "WhenOption"]

DecodingOption = Annotated[
    str, typer.Option(metavar="NAME", help="Which evaluation of a run: greedy, sampled, ...")
]
WhenOption = Annotated[
    str | None,
    typer.Option(metavar="before|after|policy", help="And of when: after training, else of the policy."),
]
