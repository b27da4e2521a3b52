"""The command ``saferec``."""

from __future__ import annotations

import os
import sys

import typer

from saferec_cli import compare, data, evaluate, gate, oracle, plugins, report, sft, train
from saferec_core.errors import SaferecError
from saferec_core.runs.stopping import RunStopped

__all__ = ["app", "main"]

app = typer.Typer(
    name="saferec",
    help="Safe SFT and Safe-Rank-GRPO for language models that recommend.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={
        "help_option_names": ["-h", "--help"],
        # The document writes --lora_r, most tools --lora-r; both are understood.
        "token_normalize_func": lambda token: token.replace("_", "-"),
    },
)
app.command()(train.train)
app.command()(sft.sft)
app.command("eval")(evaluate.evaluate)
app.command()(compare.compare)
app.command()(gate.gate)
app.command()(report.report)
app.add_typer(data.app, name="data")
app.add_typer(oracle.app, name="oracle")
app.add_typer(plugins.app, name="plugins")


def main() -> None:
    """Run a command; an error that the user can put right is one message and exit status 2."""
    # Without this, threads of torch that wait for one another spin, which costs up to tenfold on a
    # busy machine. It has to be set before torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TQDM_DISABLE", "1")  # the engines' own progress bars
    try:
        app()
    except SaferecError as error:
        _say(f"error: {error}\n")
        sys.exit(2)
    except RunStopped as stopped:
        _say(f"{stopped}\n")
        sys.exit(stopped.status)


def _say(text: str) -> None:
    """Write to standard error; of several processes that a launcher has started, the first speaks for all."""
    if os.environ.get("RANK", "0") == "0":
        sys.stderr.write(text)
