"""Lists of a baseline for people: without a model, judged like a policy's."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace

from saferec_core.data.prompt_form import PromptForm
from saferec_core.data.records import Record
from saferec_core.evaluation.baselines import Baseline
from saferec_core.evaluation.predictions import answer_of_titles
from saferec_core.models.completions import Completion
from saferec_core.models.guided.allowed import AllowedTitles
from saferec_core.models.streaming import StreamedCompletion
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.recommendation.recommender import Recommendation
from saferec_core.recommendation.verdicts import judged_titles

__all__ = ["BaselineRecommender"]


@dataclass(frozen=True)
class BaselineRecommender:
    """A baseline in the place of a policy."""

    baseline: Baseline
    judge: Judge
    allowed: AllowedTitles
    num_titles: int
    """Titles of a list, k."""
    safe: bool
    """Whether known violations are left out."""
    prompts: PromptForm = field(default_factory=PromptForm)
    """How a policy in its place would be asked."""

    def __call__(
        self, records: Sequence[Record], *, progress: Callable[[int], None] | None = None
    ) -> list[Recommendation]:
        """Make one list per record.

        Args:
            records: Constraints and seen titles; the prompts are not read.
            progress: Called with the number of records done so far.
        """
        answers = []
        for position, record in enumerate(records):
            titles = self.baseline.rank(record, position, self.num_titles, self.allowed, safe=self.safe)
            answers.append(answer_of_titles(titles))
            if progress is not None:
                progress(position + 1)
        lists = judged_titles([answer.parsed for answer in answers], records, self.judge, self.num_titles)
        return [
            Recommendation(record, titles, answer.completion.text, self.num_titles, guided=self.safe)
            for record, titles, answer in zip(records, lists, answers, strict=True)
        ]

    def judged(self, records: Sequence[Record], completions: Sequence[Completion]) -> list[Recommendation]:
        """Judge the lists of *records*, as they were written."""
        lists = self(records)
        return [replace(made, completion=done.text) for made, done in zip(lists, completions, strict=True)]

    def stream(self, record: Record) -> Generator[str | StreamedCompletion, None, None]:
        """Yield the list line by line, then the whole; no tokens are read or written."""
        text = self([record])[0].completion
        yield from text.splitlines(keepends=True)
        yield StreamedCompletion(Completion(text, finished=True), prompt_tokens=0, completion_tokens=0)
