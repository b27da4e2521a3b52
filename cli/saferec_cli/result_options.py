"""Arguments of the commands that read stored evaluations."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["DecodingOption", "WhenOption"]

DecodingOption = Annotated[
    str, typer.Option(metavar="NAME", help="Decoding of the evaluation to read: greedy or sampled.")
]
WhenOption = Annotated[
    str | None,
    typer.Option(
        metavar="WHEN",
        help="Evaluation to read: before or after training, or policy for one by 'saferec eval'; by default "
        "after, or policy if there is none.",
    ),
]
