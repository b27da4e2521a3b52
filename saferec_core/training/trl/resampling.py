"""Dynamic sampling: replace the prompts that a normalizer calls uninformative, before TRL scores a batch.

TRL fixes the prompts of a generation batch before any completion is written. Its ``_generate`` is where they
can still change: it takes the list of prompts that TRL reads afterwards too, and nothing has been computed
from the completions yet, so that no log probabilities are computed of those that are given up.

A further prompt takes the rows of the one that it replaces, on whichever process these are. What is written
for further prompts is divided evenly among all processes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import torch

from saferec_core.rl.credit import uninformative_prompts
from saferec_core.rl.further_prompts import FurtherPrompts
from saferec_core.rl.rewards import RewardValues
from saferec_core.rl.rollouts import Rollouts
from saferec_core.runs.distributed import from_main, gathered

__all__ = ["DynamicSampling"]


class DynamicSampling:
    """Mixin that precedes a Safe-Rank-GRPO trainer among the bases of a class."""

    max_resample: int
    """Rounds of further prompts for a generation batch; 0: none."""
    _rows: list[dict[str, Any]]
    """What TRL was given for each row of the batch that it generates: its prompt and its record."""
    _prepared: Rollouts | None = None
    """What was scored already while prompts were replaced."""

    def _generate_and_score_completions(self: Any, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        """Let TRL work on copies of the rows, since some may be given another prompt."""
        self._rows = [dict(row) for row in inputs]
        output: dict[str, Any] = super()._generate_and_score_completions(self._rows)  # type: ignore[misc]
        return output

    def _generate(self: Any, prompts: list[Any]) -> tuple[Any, ...]:
        """Let TRL generate, then replace prompts, in *prompts* too, as long as the normalizer asks for it."""
        generated: tuple[Any, ...] = super()._generate(prompts)  # type: ignore[misc]
        if not (self.model.training and self._normalizer.dynamic_sampling and self.max_resample):
            return generated
        by_row = [position for position, part in enumerate(generated) if _is_by_row(part, len(prompts))]
        parts = {position: list(generated[position]) for position in by_row}
        rollouts = self._rolled_out(generated[1], [row["record"] for row in self._rows])
        batch = list(chain.from_iterable(gathered([row["record"] for row in self._rows])))
        further = FurtherPrompts(len(self._scorer.records), batch, seed=self.args.seed, position=self._step)
        replaced: set[int] = set()
        sampled = len(batch) // self.num_generations
        left = self._uninformative(rollouts)
        for _ in range(self.max_resample):
            records = dict(zip(left, further.draw(len(left)), strict=False))
            if not records:
                break
            replaced |= records.keys()
            sampled += len(records)
            rows = self._placed(records, self._generated_for(records), parts, prompts)
            if rows:
                fresh = self._rolled_out(
                    [parts[1][row] for row in rows], [self._rows[row]["record"] for row in rows]
                )
                rollouts = rollouts.with_rows(rows, fresh)
            left = self._uninformative(rollouts)
        self._prepared = rollouts
        groups = len(batch) // self.num_generations
        for name, value in {
            "resample/replaced": len(replaced) / groups,
            "resample/left": len(left) / groups,
            "resample/prompts": sampled,
        }.items():
            self._metrics["train"][name].append(value)
        return tuple(parts.get(position, part) for position, part in enumerate(generated))

    def _uninformative(self: Any, rollouts: Rollouts) -> list[int]:
        """Return the groups to replace, by their position in the batch of all processes, the same on each."""
        values, rank_mask, limited = self._of_all_processes(rollouts)
        charged = RewardValues(values.rank, values.list, torch.cat([values.cost, limited.prices]))
        answer = uninformative_prompts(
            self._scorer.rewards, charged, self._normalizer, rank_mask, self.num_generations
        )
        groups: list[int] = answer.nonzero()[:, 0].tolist()
        return from_main(lambda: groups)  # a normalizer that draws would have processes wait for each other

    def _generated_for(self: Any, records: Mapping[int, int]) -> dict[int, list[Any]]:
        """Generate the completions of further records, a part on every process, and gather them.

        Returns:
            The rows of all, record after record, by the position in what ``_generate`` returns.
        """
        size, processes = self.num_generations, self.accelerator.num_processes
        asked = list(records.values())
        while len(asked) * size % processes:  # every process generates as many rows
            asked.append(asked[0])
        rows = [record for record in asked for _ in range(size)]
        own = len(rows) // processes
        first = self.accelerator.process_index * own
        prompts = [list(self._scorer.records[record].prompt) for record in rows[first : first + own]]
        generated = super()._generate(prompts)  # type: ignore[misc]
        by_row = [position for position, part in enumerate(generated) if _is_by_row(part, own)]
        everything = gathered({position: list(generated[position]) for position in by_row})
        return {position: [row for part in everything for row in part[position]] for position in by_row}

    def _placed(
        self: Any,
        records: Mapping[int, int],
        generated: Mapping[int, Sequence[Any]],
        parts: Mapping[int, list[Any]],
        prompts: list[Any],
    ) -> list[int]:
        """Put what was generated for further records into the rows of this process, and return these rows."""
        size, own = self.num_generations, len(prompts)
        first = self.accelerator.process_index * own
        placed = []
        for source, (group, record) in enumerate(records.items()):
            prompt = list(self._scorer.records[record].prompt)
            for sibling in range(size):
                row = group * size + sibling - first
                if 0 <= row < own:
                    for position, part in parts.items():
                        part[row] = generated[position][source * size + sibling]
                    prompts[row] = prompt
                    self._rows[row].update(record=record, prompt=prompt)
                    placed.append(row)
        return placed


def _is_by_row(part: Any, rows: int) -> bool:
    """Whether a part of what ``_generate`` returns has an entry for each row."""
    return isinstance(part, list) and len(part) == rows
