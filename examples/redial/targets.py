"""Lists to imitate: the ground truth, filled up with films that dialogues name together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from random import Random

__all__ = ["TargetWriter"]


class TargetWriter:
    """Fills lists from the training dialogues; films are positions in the catalog."""

    def __init__(self, dialogues: Mapping[str, Collection[int]], *, min_dialogues: int = 1) -> None:
        """Learn what goes together.

        Args:
            dialogues: Which films each dialogue names; training dialogues only.
            min_dialogues: How many of them must name a film before it fills a list. The fewer
                different titles the lists hold, the sooner a small model writes them correctly.
        """
        self._films = dialogues
        self._min_dialogues = min_dialogues
        self._dialogues_of: dict[int, list[str]] = {}
        for dialogue, films in dialogues.items():
            for film in films:
                self._dialogues_of.setdefault(film, []).append(dialogue)
        self._popularity = Counter(film for films in dialogues.values() for film in films)

    def write(
        self,
        truth: Sequence[int],
        *,
        anchors: Iterable[int],
        dialogue: str,
        allowed: Callable[[int], bool],
        length: int,
        rng: Random,
    ) -> list[int]:
        """Return *length* different films, the ground truth first.

        The others are drawn without replacement, in proportion to how often other dialogues name
        them together with an anchor, which favours popular films; when these are used up, in
        proportion to popularity.

        Args:
            truth: The films that must come first.
            anchors: What the list should go with.
            dialogue: The dialogue that the list is for; what else it names is no evidence.
            allowed: Whether a film may be used to fill the list.
            length: Films wanted.
            rng: Where the draws come from.
        """
        chosen = list(dict.fromkeys(truth))[:length]
        together = Counter(
            film
            for anchor in dict.fromkeys(anchors)
            for other in self._dialogues_of.get(anchor, ())
            if other != dialogue
            for film in sorted(self._films[other])
        )
        for weights in (together, self._popularity):
            for film in _draw_order(weights, chosen, rng):
                if len(chosen) == length:
                    return chosen
                if self._popularity[film] >= self._min_dialogues and allowed(film):
                    chosen.append(film)
        return chosen


def _draw_order(weights: Counter[int], taken: Collection[int], rng: Random) -> list[int]:
    """Order films as drawing them without replacement would (Efraimidis and Spirakis, 2006)."""
    keys = {film: rng.random() ** (1 / weight) for film, weight in weights.items()}
    return sorted(keys.keys() - set(taken), key=lambda film: -keys[film])
