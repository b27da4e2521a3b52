"""Completions in as few bytes as a page can spare."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from saferec_core.report.reading import Run
from saferec_core.report.samples import Group, evenly, held_out_groups, rollout_groups

__all__ = ["Packed", "pack"]

_ROLLOUTS = 4000
_HELD_OUT = 100  # records per run and decoding
_BYTES = 3_200_000  # of the packed text; beside it stand a megabyte of Vega, and the charts


@dataclass(frozen=True)
class Packed:
    """Groups of completions as a page embeds them, and what was left out."""

    text: str
    """Base64 of gzipped JSON: ``prompts``, each once, and ``groups``, whose ``prompt`` is an index."""
    rollouts: int
    stored_rollouts: int
    held_out: int
    stored_held_out: int
    with_tokens: int
    """Rollouts whose tokens were stored."""

    def __bool__(self) -> bool:
        return self.rollouts + self.held_out > 0


def pack(runs: Sequence[Run]) -> Packed:
    """Take completions of all runs evenly, and fewer of them until they fit."""
    trained, held_out, stored_rollouts, stored_held_out = [], [], 0, 0
    for run in runs:
        groups, stored = rollout_groups(run, _ROLLOUTS // len(runs))
        trained += groups
        stored_rollouts += stored
        groups, stored = held_out_groups(run, max(_HELD_OUT // len(runs), 20))
        held_out += groups
        stored_held_out += stored
    text = _packed([*trained, *held_out])
    while len(text) > _BYTES:
        share = 0.9 * _BYTES / len(text)
        trained = [trained[index] for index in evenly(len(trained), int(share * len(trained)))]
        held_out = [held_out[index] for index in evenly(len(held_out), int(share * len(held_out)))]
        text = _packed([*trained, *held_out])
    return Packed(
        text,
        sum(len(group["rows"]) for group in trained),
        stored_rollouts,
        sum(len(group["rows"]) for group in held_out),
        stored_held_out,
        sum(bool(row["tokens"]) for group in trained for row in group["rows"]),
    )


def _packed(groups: Sequence[Group]) -> str:
    prompts: dict[str, int] = {}
    smaller: list[dict[str, Any]] = []
    for group in groups:
        prompt = json.dumps(group["prompt"])
        smaller.append({**group, "prompt": prompts.setdefault(prompt, len(prompts))})
    content = {"prompts": [json.loads(prompt) for prompt in prompts], "groups": smaller}
    plain = json.dumps(content, separators=(",", ":"), allow_nan=False).encode()
    return base64.b64encode(gzip.compress(plain, compresslevel=6, mtime=0)).decode()
