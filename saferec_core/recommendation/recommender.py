"""Lists for people: a policy is asked, its lists are read and judged."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

from saferec_core.data.prompt_form import PromptForm
from saferec_core.data.records import Record
from saferec_core.errors import ConfigError, UnknownNameError
from saferec_core.models.completions import Completion, CompletionGenerator, Decoding
from saferec_core.models.generation import PolicyGenerator
from saferec_core.models.guided.guiding import Guiding
from saferec_core.models.streaming import StreamedCompletion, stream
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.plugins.contracts.parser import ListParser, parse
from saferec_core.recommendation.verdicts import JudgedTitle, judged_titles

__all__ = ["Recommendation", "Recommender", "check_constraints"]


@dataclass(frozen=True)
class Recommendation:
    """One list, judged."""

    record: Record
    """The prompt, with the constraints and the history of its user."""
    titles: tuple[JudgedTitle, ...]
    """The titles of the first k ranks."""
    completion: str
    """What the policy wrote."""
    wanted: int
    """How many titles were asked for, k."""
    guided: bool = False
    """Whether only titles that the user may be shown could be written."""

    @property
    def note(self) -> str | None:
        """Why the list is shorter than was asked for; None if it is not."""
        count = len(self.titles)
        if count >= self.wanted:
            return None
        if not self.guided:
            return f"The list has {count} of {self.wanted} titles."
        left = "No title is" if count == 0 else f"Only {count} of {self.wanted} titles are"
        return (
            f"{left} left: all others of the catalog are in the user's history or may violate a constraint."
        )

    def as_data(self) -> dict[str, Any]:
        """Return the list as JSON has it."""
        return {
            "prompt": [dict(message) for message in self.record.prompt],
            "constraints": list(self.record.constraints),
            "titles": [title.as_data() for title in self.titles],
            "completion": self.completion,
            "note": self.note,
        }


@dataclass(frozen=True)
class Recommender:
    """A policy with what it takes to read and judge its lists."""

    generator: CompletionGenerator
    parser: ListParser
    judge: Judge
    decoding: Decoding
    num_titles: int
    """Titles of a list, k."""
    prompts: PromptForm = field(default_factory=PromptForm)
    """How the policy is asked."""
    guiding: Callable[[Sequence[Record]], Guiding] | None = None
    """What restricts the lists of some records; None: the policy may write anything."""

    def __call__(
        self, records: Sequence[Record], *, progress: Callable[[int], None] | None = None
    ) -> list[Recommendation]:
        """Ask for one list per record.

        Args:
            records: Prompts with constraints and seen titles.
            progress: Called with the number of records done so far.
        """
        completions = self.generator(
            [record.prompt for record in records],
            self.decoding,
            guiding=None if self.guiding is None else self.guiding(records),
            progress=progress,
        )
        return self.judged(records, [siblings[0] for siblings in completions])

    def stream(self, record: Record) -> Generator[str | StreamedCompletion, None, None]:
        """Yield one completion in pieces as it is written, then the whole.

        Raises:
            ConfigError: It is not a model of this process that writes.
        """
        if not isinstance(self.generator, PolicyGenerator):
            raise ConfigError("only a policy that runs with transformers can be read while it writes")
        guiding = None if self.guiding is None else self.guiding([record])
        return stream(self.generator.policy, record.prompt, self.decoding, guiding)

    def judged(self, records: Sequence[Record], completions: Sequence[Completion]) -> list[Recommendation]:
        """Read and judge one completion per record."""
        parsed = [parse(self.parser, done.text, finished=done.finished) for done in completions]
        lists = judged_titles(parsed, records, self.judge, self.num_titles)
        return [
            Recommendation(record, titles, done.text, self.num_titles, guided=self.guiding is not None)
            for record, titles, done in zip(records, lists, completions, strict=True)
        ]


def check_constraints(constraints: Sequence[str], judge: Judge) -> None:
    """Refuse constraints that nobody can judge.

    Raises:
        ConfigError: There is no oracle.
        UnknownNameError: The oracle does not know a trait; the near misses are named.
    """
    if not constraints:
        return
    if judge.oracle is None:
        raise ConfigError("--constraint needs an oracle; name its table with --oracle-path")
    for constraint in constraints:
        if constraint not in judge.oracle.traits:
            raise UnknownNameError("trait", constraint, sorted(judge.oracle.traits))
