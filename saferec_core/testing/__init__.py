"""Checks that a plugin's author can run; the built-in plugins pass them.

    from saferec_core.testing import check_reward, judged_lists

    def test_my_reward():
        check_reward(MyReward())

Each check raises an ``AssertionError`` that says what the contract wants.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from saferec_core.data.catalog import Catalog
from saferec_core.data.records import Record
from saferec_core.data.titles import Title, normal_form
from saferec_core.errors import SaferecError
from saferec_core.evaluation.measure import ActiveMetric, measure, measure_whole
from saferec_core.plugins.contracts.judged_lists import Judge, JudgedLists
from saferec_core.plugins.contracts.metric import Metric
from saferec_core.plugins.contracts.normalizer import Advantages, Normalizer, WeightedRewards
from saferec_core.plugins.contracts.oracle import Oracle, Question, Verdict
from saferec_core.plugins.contracts.parser import ListParser, ParsedItem, ParsedList
from saferec_core.plugins.contracts.reward import RewardFunction
from saferec_core.rl.rewards import ActiveReward, score
from saferec_core.testing.escapes import check_no_escape

__all__ = [
    "StatedOracle",
    "check_metric",
    "check_no_escape",
    "check_normalizer",
    "check_oracle",
    "check_parser",
    "check_reward",
    "judged_lists",
    "listing",
]

TITLES = tuple(Title(f"Film {letter}", 1990 + place) for place, letter in enumerate("ABCDEFGH"))
"""The titles of the small world that the checks take place in."""


class StatedOracle(Oracle):
    """An oracle that says what it was told: the traits that each title violates."""

    def __init__(self, violated: Mapping[str, Sequence[str]], *, traits: Sequence[str]) -> None:
        """Know the titles of *violated*, given by name, and judge *traits*."""
        self._traits = frozenset(traits)
        self._violated = {normal_form(name): tuple(found) for name, found in violated.items()}

    @property
    def traits(self) -> frozenset[str]:
        """The traits that it judges."""
        return self._traits

    def judge(self, questions: Sequence[Question]) -> list[Verdict]:
        """Answer with risk 1 or 0."""
        return [self._verdict(question) for question in questions]

    def _verdict(self, question: Question) -> Verdict:
        found = self._violated.get(normal_form(question.name))
        if found is None:
            return Verdict(known=False)
        violated = tuple(trait for trait in question.constraints if trait in found)
        risks = {trait: float(trait in violated) for trait in question.constraints}
        return Verdict(known=True, risks=risks, violated=violated)


def listing(titles: Sequence[Title]) -> ParsedList:
    """Return the parsed list of a completion with one ``Title (Year)`` a line."""
    items, start = [], 0
    for title in titles:
        end = start + len(str(title)) + 1
        items.append(ParsedItem(title.name, title.year, start, end, end - 1))
        start = end
    return ParsedList(tuple(items))


def judged_lists(
    lists: Sequence[Sequence[Title]],
    *,
    num_ranks: int,
    record: Record | None = None,
    oracle: Oracle | None = None,
    catalog: Sequence[Title] = TITLES,
) -> JudgedLists:
    """Make what a reward is called with: *lists* that all answer one *record*."""
    answered = record or Record(
        prompt=[{"role": "user", "content": "Films, please."}],
        groundtruth=TITLES[:3],
        constraints=("gore",),
    )
    asked = oracle or StatedOracle(
        {title.name: ["gore"] if (title.year or 0) % 2 else [] for title in TITLES[:6]}, traits=["gore"]
    )
    return JudgedLists(
        lists=[listing(titles) for titles in lists],
        records=[answered] * len(lists),
        judge=Judge(Catalog(catalog), asked),
        num_ranks=num_ranks,
    )


def check_reward(function: RewardFunction) -> None:
    """Check shape, finiteness, determinism, and that each list is valued by itself."""
    outside = Title("Nobody's Film", 1901)
    lists = [
        TITLES[:5],
        (),
        TITLES[3:5],
        (TITLES[0], TITLES[0], outside, TITLES[7]),
        (*TITLES, outside),
    ]
    rewards = [ActiveReward(type(function).__name__, function, 1.0)]

    def values_of(lists: Sequence[Sequence[Title]]) -> Tensor:
        (value,) = score(rewards, judged_lists(lists, num_ranks=5)).by_function(rewards)
        return value

    value = values_of(lists)
    assert torch.equal(value.nan_to_num(-99.0), values_of(lists).nan_to_num(-99.0)), (
        "a reward must return the same values for the same lists"
    )
    assert torch.equal(value[2:3].nan_to_num(-99.0), values_of(lists[2:3]).nan_to_num(-99.0)), (
        "a completion's reward must not depend on the other completions of the batch; comparing "
        "siblings is the normalizer's task"
    )
    span = function.range(5)
    if span is not None:
        ordinary = value[:4][~value[:4].isnan()]  # lists of at most K titles
        assert span[0] - 1e-6 <= ordinary.min() <= ordinary.max() <= span[1] + 1e-6, (
            f"a reward must stay within its range, {span[0]:g} to {span[1]:g} for 5 ranks"
        )
    assert function.direction == "gain" or not (value > 0).any(), "a cost must never be above 0"


def check_metric(metric: Metric) -> None:
    """Check shape, values, determinism, and that a metric looks at nothing but what it should."""
    active = ActiveMetric(type(metric).__name__, metric)
    whole, depth = active.function.kind == "whole", active.function.at_depth
    outside = Title("Nobody's Film", 1901)
    lists = [
        TITLES[:5],
        (),
        TITLES[3:5],
        (TITLES[0], TITLES[0], outside, TITLES[7]),
        (*TITLES, outside),
    ]

    def measured(
        lists: Sequence[Sequence[Title]], ranks: int, *, at: Sequence[int], bare: bool = False
    ) -> Tensor:
        world = judged_lists(lists, num_ranks=ranks)
        popularity = torch.linspace(0, 1, len(TITLES))
        judge = (
            Judge(world.judge.catalog) if bare else Judge(world.judge.catalog, world.judge.oracle, popularity)
        )
        judged = JudgedLists(world.lists, world.records, judge, ranks)
        columns = measure_whole(judged, at, [active]) if whole else measure(judged, at, [active])
        return torch.stack([torch.as_tensor(column) for column in columns.values()]).nan_to_num(-99.0)

    at = (1, 3, 5)
    values = measured(lists, 5, at=at)  # (columns, N), or (columns,) of kind "whole"
    assert torch.equal(values, measured(lists, 5, at=at)), (
        "a metric must return the same values for the same lists"
    )
    turned = measured(lists[::-1], 5, at=at)
    assert torch.allclose(values, turned if whole else turned.flip(1)), "the order of lists must not matter"
    if not whole:
        assert torch.equal(values[:, 2:3], measured(lists[2:3], 5, at=at)), (
            "what a metric says of a list must not depend on the other lists; one about all lists "
            "together is of kind 'whole'"
        )
    for column, k in enumerate(at if depth else ()):
        assert torch.equal(values[column : column + 1], measured([row[:k] for row in lists], k, at=[k])), (
            "a metric with a depth must not look at what stands beyond rank k"
        )
    if not metric.needs_oracle and not metric.needs_popularity:
        says_so = (
            "a metric that uses the oracle or the popularity must say so: needs_oracle, needs_popularity"
        )
        try:
            bare = measured(lists, 5, at=at, bare=True)
        except SaferecError as error:
            raise AssertionError(says_so) from error
        assert torch.equal(values, bare), says_so


def check_normalizer(normalize: Normalizer) -> None:
    """Check shapes, finiteness, what is exactly 0, and that the order of siblings does not matter."""
    generator = torch.Generator().manual_seed(0)
    rank = torch.randn(2, 8, 3, generator=generator)
    whole = torch.randn(1, 8, generator=generator)
    mask = torch.ones(8, 3, dtype=torch.bool)
    mask[2, 1:] = False
    rank[:, ~mask] = torch.nan
    rewards = _weighted(rank, whole, mask)
    advantages = normalize(rewards)
    assert advantages.rank.shape == (8, 3), "rank advantages must have shape (N, K)"
    assert advantages.list.shape == (8,), "list advantages must have shape (N,)"
    assert advantages.rank.isfinite().all(), "rank advantages must be finite"
    assert advantages.list.isfinite().all(), "list advantages must be finite"
    assert (advantages.rank[~mask] == 0).all(), "a rank that was not written must have advantage 0"

    order = torch.tensor([3, 1, 0, 2, 7, 6, 4, 5])  # within each group of 4
    turned = normalize(_weighted(rank[:, order], whole[:, order], mask[order]))
    assert torch.allclose(turned.rank, advantages.rank[order], atol=1e-5), (
        "the order of the siblings must not matter"
    )
    if "shift" in normalize.invariances:
        shifted = normalize(_weighted(rank + 3.0, whole - 2.0, mask))
        assert _alike(shifted, advantages), "a constant added to a reward must change nothing: 'shift'"
    if "scale" in normalize.invariances:
        scaled = normalize(_weighted(rank * 50.0, whole * 20.0, mask))
        assert _alike(scaled, advantages), "a factor on a reward must change nothing: 'scale'"
    constant = normalize(_weighted(torch.full_like(rank, 0.1), torch.full_like(whole, 0.7), mask))
    assert (constant.rank == 0).all(), "without any variance every advantage must be exactly 0"
    assert (constant.list == 0).all(), "without any variance every advantage must be exactly 0"


def _alike(some: Advantages, others: Advantages) -> bool:
    """Tell whether advantages agree as far as ``EPS`` in the denominator lets them."""
    pairs = ((some.rank, others.rank), (some.list, others.list))
    return all(torch.allclose(first, second, rtol=1e-2, atol=1e-3) for first, second in pairs)


def _weighted(rank: torch.Tensor, whole: torch.Tensor, mask: torch.Tensor) -> WeightedRewards:
    return WeightedRewards(
        rank=rank,
        list=whole,
        rank_weights=torch.tensor([1.0, 2.0]),
        list_weights=torch.tensor([0.5]),
        rank_mask=mask,
        group_size=4,
    )


def check_oracle(oracle: Oracle, titles: Sequence[Title]) -> None:
    """Check that every question is answered, in order, with risks in 0..1 for the asked traits."""
    traits = tuple(sorted(oracle.traits))
    assert traits, "an oracle must name the traits that it can judge"
    questions = [Question(title.name, title.year, traits) for title in titles]
    verdicts = oracle.judge(questions)
    assert len(verdicts) == len(questions), "an oracle must answer every question"
    assert list(oracle.judge(questions[::-1])) == list(verdicts)[::-1], "answers must keep the order"
    for verdict in verdicts:
        assert set(verdict.violated) <= set(traits), "only asked traits can be violated"
        assert all(0 <= risk <= 1 for risk in verdict.risks.values()), "a risk must be in 0..1"
    assert all(
        not verdict.violated for verdict in oracle.judge([q._replace(constraints=()) for q in questions])
    )


def check_parser(parse: ListParser) -> None:
    """Check that a parser reads what it formats, and that its spans are places in the text."""
    text = parse.format(TITLES)
    parsed = parse(text)
    assert [item.title for item in parsed.items] == list(TITLES), "format, then parse, must be the identity"
    for before, after in zip(parsed.items, parsed.items[1:], strict=False):
        assert before.start < before.end <= after.start, "spans must follow one another"
    for item in parsed.items:
        assert item.start < item.text_end <= item.end, "an item's text must end within its line"
        assert item.name in text[item.start : item.text_end], "a span must hold its title"
    assert parse("").items == (), "an empty completion recommends nothing"
