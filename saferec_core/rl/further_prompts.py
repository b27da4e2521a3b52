"""Which prompts take the place of those that teach nothing (dynamic sampling, DAPO, arXiv 2503.14476)."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

__all__ = ["FurtherPrompts"]


class FurtherPrompts:
    """Draws records for one generation batch at random, none twice.

    The order follows from the seed and the position of the batch alone, so that every process draws the same,
    and so does a run that is resumed. It does not change which prompts the batches to come begin with.
    """

    def __init__(self, records: int, batch: Collection[int], *, seed: int, position: int) -> None:
        """Begin with the records that the batch has.

        Args:
            records: How many records the run trains on.
            batch: The positions of those in the generation batch.
            seed: Seed of the run.
            position: Position of the generation batch within the run.
        """
        self._records = records
        self._drawn = set(batch)
        self._random = np.random.default_rng([seed, position])

    def draw(self, number: int) -> list[int]:
        """Return the positions of *number* further records; fewer where no more are left."""
        number = min(number, self._records - len(self._drawn))
        further: list[int] = []
        while len(further) < number:
            # More than enough at once where many are left; the last few are looked for one by one.
            candidates = self._random.integers(self._records, size=2 * number).tolist()
            for record in candidates:
                if record not in self._drawn and len(further) < number:
                    self._drawn.add(record)
                    further.append(record)
        return further
