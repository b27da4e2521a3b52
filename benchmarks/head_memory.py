"""Peak memory and time of the log-probabilities of a batch, by size of the vocabulary.

Compared are three ways from hidden states to log-probabilities, entropies and gradients: the logits as a
whole (log_softmax and gather), the fused head of TRL 1.16, and the tiles of saferec. The peak is what a
process of its own uses above weights and hidden states. The time is the processor's on one thread: the three
take turns in one process, and the shortest of several turns counts, so that other work counts as little as
possible.

    python benchmarks/head_memory.py [--tokens 1024] [--hidden 128] [--json FILE] [--plot FILE.svg]
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error")

import argparse
import json
import multiprocessing
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from paired_steps import machine
from peak_memory import read_peak, start_peak
from torch import Tensor
from trl.kernels import ChunkedLogProbFunction

from saferec_core.models.shared_prefix.log_probs import token_log_probs

GOAL = 4.0
"""Peak memory of the whole logits in ours, at the vocabularies of `GOAL_AT`."""
GOAL_AT = (49_152, 151_936)
VOCABULARIES = (8_192, 49_152, 98_304, 151_936)
TURNS = 3
COLORS = {"whole": "#9a3412", "trl": "#6b7280", "saferec": "#1d4ed8"}
LABELS = {"whole": "logits as a whole", "trl": "TRL's fused head", "saferec": "saferec's tiles"}

Scores = tuple[Tensor, Tensor]


def whole(hidden: Tensor, weight: Tensor, targets: Tensor) -> Scores:
    """Compute all logits at once."""
    log_probs = torch.log_softmax(hidden @ weight.T, dim=-1)
    with torch.no_grad():
        entropy = -(log_probs.exp() * log_probs).sum(-1)
    return log_probs.gather(1, targets[:, None])[:, 0], entropy


def trl(hidden: Tensor, weight: Tensor, targets: Tensor) -> Scores:
    """Compute them as TRL 1.16 does."""
    outputs = ("log_probs", "entropy")
    scores: Any = ChunkedLogProbFunction.apply(hidden, weight, None, targets, 1.0, 32768, None, 1.0, outputs)
    return scores[0], scores[1]


def saferec(hidden: Tensor, weight: Tensor, targets: Tensor) -> Scores:
    """Compute them in tiles of the vocabulary."""
    return token_log_probs(hidden, weight, None, targets, 1.0)


WAYS: dict[str, Callable[[Tensor, Tensor, Tensor], Scores]] = {"whole": whole, "trl": trl, "saferec": saferec}


class Head:
    """Hidden states, weights and targets, and what is done with them."""

    def __init__(self, vocabulary: int, tokens: int, width: int, trained: bool) -> None:
        """Draw them."""
        torch.set_num_threads(1)
        torch.manual_seed(0)
        self.weight = (torch.randn(vocabulary, width) / width**0.5).requires_grad_(trained)
        self.hidden = torch.randn(tokens, width).requires_grad_()
        self.targets = torch.randint(vocabulary, (tokens,))
        # allocates gradients, loads kernels
        torch.log_softmax(self.hidden[:2] @ self.weight[:8].T, -1).sum().backward()

    def score(self, way: str) -> float:
        """Go forward and backward; return the mean log-probability."""
        log_probs, _ = WAYS[way](self.hidden, self.weight, self.targets)
        log_probs.mean().backward()
        return log_probs.mean().item()


def peak_of(way: str, *head: Any) -> tuple[int, float]:
    """Return the peak in bytes and the mean log-probability."""
    made = Head(*head)
    before = start_peak(cuda=False)
    mean = made.score(way)
    return read_peak(cuda=False) - before, mean


def seconds_of_all(*head: Any) -> dict[str, float]:
    """Return the seconds of each way, the shortest of several turns."""
    made = Head(*head)
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(TURNS):
        for way, took in seconds.items():
            began = time.process_time()
            made.score(way)
            took.append(time.process_time() - began)
    return {way: min(took) for way, took in seconds.items()}


def alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a process of its own."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply(function, arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tokens", type=int, default=1024)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    chosen = parser.parse_args(arguments)
    print(machine())
    print(f"{chosen.tokens} tokens, hidden width {chosen.hidden}, float32, forward and backward")
    rows = []
    for trained in (True, False):
        print(f"\nhead {'trained' if trained else 'frozen, as with LoRA'}")
        print(
            f"{'vocabulary':>10} {'':>3}" + "".join(f"{LABELS[way]:>28}" for way in WAYS) + "   memory   time"
        )
        for vocabulary in VOCABULARIES:
            head = vocabulary, chosen.tokens, chosen.hidden, trained
            peaks = {way: alone(peak_of, way, *head) for way in WAYS}
            agreed = max(abs(peaks[way][1] - peaks["whole"][1]) for way in WAYS)
            assert agreed < 1e-4, f"the ways differ by {agreed}"
            seconds = alone(seconds_of_all, *head)
            costs = {way: (peaks[way][0], seconds[way]) for way in WAYS}
            memory, speed = (costs["whole"][i] / costs["saferec"][i] for i in (0, 1))
            met = "" if vocabulary not in GOAL_AT else "  goal met" if memory >= GOAL else "  goal missed"
            print(
                f"{vocabulary:>10}    "
                + "".join(f"{peak / 2**20:>18.0f} MiB{1000 * s:>5.0f}ms" for peak, s in costs.values())
                + f"   {memory:>5.1f}x {speed:>5.2f}x{met}",
                flush=True,
            )
            rows.append(
                {
                    "vocabulary": vocabulary,
                    "trained": trained,
                    **{way: {"peak": peak, "seconds": s} for way, (peak, s) in costs.items()},
                }
            )
    if chosen.json:
        facts = {"machine": machine(), "tokens": chosen.tokens, "hidden": chosen.hidden, "rows": rows}
        chosen.json.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    if chosen.plot:
        chosen.plot.write_text(picture([row for row in rows if row["trained"]]), encoding="utf-8")


def picture(rows: Sequence[dict[str, Any]]) -> str:
    """Draw peak memory and time by vocabulary."""
    panels = (("MiB above weights", "peak", 2**-20), ("processor milliseconds", "seconds", 1000))
    parts = [
        f'<g transform="translate({300 * number} 0)">{_panel(rows, *panel)}</g>'
        for number, panel in enumerate(panels)
    ]
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 240" font-family="sans-serif" '
        f'font-size="11"><rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n'
    )


def _panel(rows: Sequence[dict[str, Any]], title: str, key: str, factor: float) -> str:
    highest = max(row[way][key] * factor for row in rows for way in WAYS)
    widest = max(row["vocabulary"] for row in rows)
    parts = [f'<text x="46" y="16">{title}, by vocabulary</text>']
    parts.append('<path d="M46 30 V200 H290" fill="none" stroke="#9ca3af"/>')
    parts += [
        f'<text x="{46 + 240 * share:.0f}" y="216" text-anchor="middle">{share * widest / 1000:.0f}k</text>'
        for share in (0.0, 0.5, 1.0)
    ]
    parts += [
        f'<text x="42" y="{204 - 170 * share:.0f}" text-anchor="end">{share * highest:.0f}</text>'
        for share in (0.0, 0.5, 1.0)
    ]
    for number, way in enumerate(WAYS):
        points = " ".join(
            f"{46 + 240 * row['vocabulary'] / widest:.1f},{200 - 170 * row[way][key] * factor / highest:.1f}"
            for row in rows
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{COLORS[way]}" stroke-width="2"/>')
        parts.append(f'<text x="56" y="{42 + 14 * number}" fill="{COLORS[way]}">{LABELS[way]}</text>')
    return "".join(parts)


if __name__ == "__main__":
    main()
