"""The form of a policy's prompts: the instruction in front, and the sentences that state constraints.

A policy recommends best where its prompts look like those that it was trained on. What they look like is
read off the training records (`form_of`), kept in the manifest of the run, and applied wherever the policy is
asked (`PromptForm`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from saferec_core.data.constraint_sentences import stated_in
from saferec_core.data.records import Message, Record, seen_titles_of
from saferec_core.data.sentences import followed
from saferec_core.data.traits import Trait, read_traits, trait_of
from saferec_core.errors import DataError

__all__ = ["PromptForm", "form_of"]

_READ = 2000
"""Records that are looked at, from the start."""


@dataclass(frozen=True)
class PromptForm:
    """How a policy is asked."""

    instruction: str | None = None
    """System message in front of prompts that have none."""
    sentences: Mapping[str, str] = field(default_factory=dict)
    """The sentence that states a constraint, by trait; of others, the trait's first explicit sentence."""
    traits: Mapping[str, Trait] = field(default_factory=read_traits)
    """Sentences by trait."""

    def begun(self, prompt: Sequence[Message]) -> Sequence[Message]:
        """Put the instruction in front of a prompt, unless it has a system message."""
        if self.instruction is None or any(message["role"] == "system" for message in prompt):
            return prompt
        return [{"role": "system", "content": self.instruction}, *prompt]

    def wish(self, text: str, *, constraints: Sequence[str] = (), seen: Sequence[str] = ()) -> Record:
        """Make a record of what somebody typed.

        Constraints are stated behind it, as ``inject-constraints`` does, unless the text has one of their
        sentences already; a trait without sentences is stated by its name.

        Args:
            text: The wish.
            constraints: Traits that are active.
            seen: Titles that must not come back, such as "Saw (2004)"; without a year every film of the name.
        """
        wanted = text.strip()
        for constraint in constraints:
            sentence, *others = self._sentences_of(constraint)
            if not any(stated in text for stated in (sentence, *others)):
                wanted = followed(wanted, sentence)
        return Record(
            prompt=self.begun([{"role": "user", "content": wanted}]),
            constraints=tuple(sorted(set(constraints))),
            seen_titles=tuple(seen_titles_of({"seen_titles": list(seen)})),
        )

    def _sentences_of(self, constraint: str) -> list[str]:
        """Return the sentences that state a constraint, first the one to use."""
        trait = trait_of(self.traits, constraint)
        of_trait = [] if trait is None else [*trait.explicit, *trait.implied]
        of_run = [self.sentences[constraint]] if constraint in self.sentences else []
        return [*of_run, *of_trait] or [f"Please respect this: {constraint}."]


def form_of(records: Iterable[Record], traits: Mapping[str, Trait]) -> dict[str, Any]:
    """Read the form of prompts off records, as the manifest of a run holds it.

    Args:
        records: Training records; the first 2,000 are looked at.
        traits: Sentences by trait.

    Returns:
        ``instruction``: the system message that more than half of the prompts begin with, None if they have
        none; left out if they have others. ``sentences``: for each trait that the column
        ``constraints_stated`` names, its first explicit sentence that a record states, else the one stated
        most often.
    """
    instructions: Counter[str | None] = Counter()
    stated: dict[str, Counter[str]] = defaultdict(Counter)
    for record in islice(records, _READ):
        first = record.prompt[0]
        instructions[first["content"] if first["role"] == "system" else None] += 1
        with suppress(DataError):  # a column that says nothing usable, which `data show --problems` names
            for trait, sentence in stated_in(dict(record.columns)):
                stated[trait][sentence.strip()] += 1
    form: dict[str, Any] = {
        "sentences": {name: _usual(counts, trait_of(traits, name)) for name, counts in sorted(stated.items())}
    }
    if instructions:
        [(instruction, number)] = instructions.most_common(1)
        if 2 * number > instructions.total():
            form = {"instruction": instruction, **form}
    return form


def _usual(counts: Counter[str], trait: Trait | None) -> str:
    explicit = () if trait is None else trait.explicit
    return next((sentence for sentence in explicit if sentence in counts), counts.most_common(1)[0][0])
