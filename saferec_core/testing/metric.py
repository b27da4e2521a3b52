"""The contract of metrics, property by property."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from unittest import SkipTest

import torch
from hypothesis import strategies as st
from torch import Tensor

from saferec_core.data.titles import Title
from saferec_core.errors import SaferecError
from saferec_core.evaluation.measure import ActiveMetric
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.metric import Metric
from saferec_core.plugins.contracts.parser import ParsedList
from saferec_core.plugins.values import as_values
from saferec_core.testing.contract import Contract, check
from saferec_core.testing.titles import OUTSIDE, TITLES
from saferec_core.testing.world import NUM_RANKS, ORDINARY, hostile_lists, judged_lists

__all__ = ["MetricContract", "check_metric"]

AT = (1, 3, NUM_RANKS)
"""The k that a metric with a depth is asked for."""

Lists = Sequence[Sequence[Title] | ParsedList]

_BATCHES = st.lists(
    st.lists(st.sampled_from([*TITLES, OUTSIDE]), min_size=1, max_size=NUM_RANKS + 2).map(tuple),
    min_size=2,
    max_size=5,
)


class MetricContract(Contract[Metric]):
    """Inherit it and say what to make; see :class:`saferec_core.testing.contract.Contract`."""

    def inputs(self, size: int = len(ORDINARY)) -> tuple[JudgedLists, Sequence[int]]:
        """Return *size* ordinary lists and the depths."""
        lists = [ORDINARY[n % len(ORDINARY)] for n in range(size)]
        return judged_lists(lists, num_ranks=NUM_RANKS), AT

    def call(self, component: Metric, *inputs: Any) -> Tensor:
        """Measure as an evaluation does: (columns, N), or (columns,) of kind "whole"."""
        lists, at = inputs
        shape = () if component.kind == "whole" else (len(lists.lists),)
        axes = "(N,)" if shape else "a single value, of shape ()"
        columns = [
            as_values(component(lists, k), "it", shape, axes, dtype=torch.float64)
            for k in ActiveMetric("metric", component).columns(lists, at).values()
        ]
        values = torch.stack(columns)
        if component.kind == "share":
            assert ((values == 0) | (values == 1) | values.isnan()).all(), (
                "it is of kind 'share', so it must return 0, 1 or NaN, but returned other values"
            )
        return values

    def _measured(self, lists: Lists, at: Sequence[int] = AT, ranks: int = NUM_RANKS) -> Tensor:
        return self.answer(self.make(), judged_lists(lists, num_ranks=ranks), at)  # type: ignore[no-any-return]

    def _per_list(self) -> None:
        if self.make().kind == "whole":
            raise SkipTest("it is about all lists together")

    def test_it_has_a_value_somewhere(self) -> None:
        """NaN everywhere tells nobody anything."""
        values = self._measured(ORDINARY)
        assert not values.isnan().all(), "it returns NaN ('no value') for every ordinary list"

    def test_a_share_is_in_0_to_1(self) -> None:
        """What counts in shares may be shown as a percentage."""
        if not self.make().unit.startswith("share"):
            raise SkipTest("its unit is not a share")
        values = self._measured([*ORDINARY, ()]).nan_to_num(0.0)
        outside = values[(values < 0) | (values > 1)].tolist()
        assert not outside, f"its unit is {self.make().unit!r}, but it returns {outside[0]:g}"

    def test_the_order_of_the_lists_does_not_matter(self) -> None:
        """The same lists in another order give the same values, in that order."""
        whole = self.make().kind == "whole"

        def property_of(lists: Lists) -> None:
            values, turned = self._measured(lists), self._measured(lists[::-1])
            assert _alike(values, turned if whole else turned.flip(1)), (
                "the same lists in another order get other values"
            )

        self.hold(property_of, _BATCHES)

    def test_other_lists_do_not_matter(self) -> None:
        """What a metric says of a list is about that list; one about all lists is of kind "whole"."""
        self._per_list()

        def property_of(lists: Lists, others: Lists) -> None:
            values, beside = self._measured(lists), self._measured([lists[0], *others])
            assert _alike(values[:, :1], beside[:, :1]), (
                "a list gets another value beside other lists; a metric about all lists together is of kind "
                "'whole'"
            )

        self.hold(property_of, _BATCHES, _BATCHES)

    def test_nothing_beyond_rank_k_matters(self) -> None:
        """A metric with a depth looks at the first k ranks only."""
        if not self.make().at_depth:
            raise SkipTest("it has no depth")

        def property_of(lists: Lists) -> None:
            values = self._measured(lists)
            for column, k in enumerate(AT):
                cut = self._measured([titles[:k] for titles in lists], [k], k)  # type: ignore[index]
                assert _alike(values[column], cut[0]), f"at {k} it looks at what stands beyond rank {k}"

        self.hold(property_of, _BATCHES)

    def test_it_takes_empty_and_hostile_lists(self) -> None:
        """Whatever a policy may write has a finite value or none."""
        self._measured(ORDINARY)
        for what, parsed in [("an empty list", ParsedList(())), *hostile_lists()]:
            try:
                self.call(self.make(), judged_lists([parsed, ORDINARY[0]], num_ranks=NUM_RANKS), AT)
            except Exception as error:
                raise AssertionError(f"{what}: {error}") from error

    def test_it_declares_what_it_needs(self) -> None:
        """Without oracle and popularity it says the same, or declares that it needs them."""
        metric = self.make()
        if metric.needs_oracle or metric.needs_popularity:
            raise SkipTest("it declares that it needs one of them")
        self.skip_unless_it_repeats_itself()
        values = self._measured(ORDINARY)
        says_so = "it uses the oracle or the popularity; declare it: needs_oracle, needs_popularity"
        try:
            bare = self.call(metric, judged_lists(ORDINARY, num_ranks=NUM_RANKS, bare=True), AT)
        except (SaferecError, TypeError) as error:
            raise AssertionError(says_so) from error
        assert _alike(values, bare), says_so


def _alike(some: Tensor, others: Tensor) -> bool:
    return torch.allclose(some, others, rtol=1e-9, atol=1e-12, equal_nan=True)


def check_metric(metric: Metric) -> None:
    """Check a metric against every property of :class:`MetricContract`.

    Raises:
        ContractError: It lists every property that does not hold.
    """
    check(MetricContract, metric)
