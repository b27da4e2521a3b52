"""The contract of rewards, property by property."""

from __future__ import annotations

import asyncio
import copy
import inspect
import math
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, ClassVar, get_args
from unittest import SkipTest

import torch
from hypothesis import strategies as st
from torch import Tensor

from saferec_core.data.titles import Title
from saferec_core.errors import PluginError, SaferecError
from saferec_core.plugins.component import options_of
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.parser import ParsedList
from saferec_core.plugins.contracts.reward import Direction, RewardFunction, Scope
from saferec_core.plugins.kept_state import has_state, kept_state
from saferec_core.plugins.values import as_values
from saferec_core.testing.contract import Contract, check
from saferec_core.testing.snapshots import difference, snapshot
from saferec_core.testing.titles import OUTSIDE, TITLES
from saferec_core.testing.world import (
    NUM_RANKS,
    ORDINARY,
    AskedColumns,
    hostile_lists,
    judged_lists,
    world_record,
)

__all__ = ["RewardContract", "check_reward"]

Lists = Sequence[Sequence[Title] | ParsedList]

_BATCHES = st.lists(
    st.lists(st.sampled_from([*TITLES, OUTSIDE]), min_size=1, max_size=NUM_RANKS).map(tuple),
    min_size=2,
    max_size=5,
)


class RewardContract(Contract[RewardFunction]):
    """Inherit it and say what to make; see :class:`saferec_core.testing.contract.Contract`."""

    columns: ClassVar[Mapping[str, Any]] = {}
    """A value for each column that the reward declares and that is not one of saferec's own."""

    def inputs(self, size: int = len(ORDINARY)) -> tuple[JudgedLists]:
        """Return *size* ordinary lists."""
        return (self._judged([ORDINARY[n % len(ORDINARY)] for n in range(size)]),)

    def call(self, component: RewardFunction, *inputs: JudgedLists) -> Tensor:
        """Call the reward, and read what it returns as a run does."""
        (lists,) = inputs
        value: Any = component(lists)
        if inspect.isawaitable(value):
            value = asyncio.run(_awaited(value))
        shape = tuple(lists.rank_mask.shape)
        by_rank = component.scope == "rank"
        return as_values(value, "it", shape if by_rank else shape[:1], "(N, K)" if by_rank else "(N,)")

    def _judged(self, lists: Lists, *, bare: bool = False, missed: set[str] | None = None) -> JudgedLists:
        columns = AskedColumns(self.columns, set() if missed is None else missed)
        return judged_lists(lists, num_ranks=NUM_RANKS, record=world_record(columns), bare=bare)

    def _values(self, lists: Lists) -> Tensor:
        return self.answer(self.make(), self._judged(lists))  # type: ignore[no-any-return]

    def test_it_says_what_it_is(self) -> None:
        """Scope, direction, columns, factors, target and range are what a run expects."""
        reward = self.make()
        problems = []
        for name, allowed in (("scope", get_args(Scope)), ("direction", get_args(Direction))):
            if getattr(reward, name, None) not in allowed:
                problems.append(f"{name} must be {' or '.join(map(repr, allowed))}")
        if isinstance(reward.columns, str) or not all(isinstance(name, str) for name in reward.columns):
            problems.append(f"columns must be a tuple of names, but is {reward.columns!r}")
        options = {option.name for option in options_of(type(reward))}
        problems += [f"factor {name!r} is not an option" for name in reward.factors if name not in options]
        if reward.target is not None and reward.target < 1:
            problems.append(f"target must be at least 1, but is {reward.target}")
        for num_ranks in (1, NUM_RANKS, 50):
            span = reward.range(num_ranks)
            if span is not None and not (math.isfinite(span[0]) and span[0] <= span[1] < math.inf):
                problems.append(f"range({num_ranks}) must be (smallest, largest), but is {span!r}")
        assert not problems, "; ".join(problems)

    def test_it_has_a_value_somewhere(self) -> None:
        """NaN everywhere trains nothing, and nobody notices."""
        values = self._values(ORDINARY)
        assert not values.isnan().all(), "it returns NaN ('no value') for every ordinary list"

    def test_values_are_within_the_declared_range(self) -> None:
        """Of lists of at most K titles; without a declared range every finite value is."""
        span = self.make().range(NUM_RANKS)
        if span is None:
            raise SkipTest("it declares no range")
        low, high = span

        def property_of(lists: Lists) -> None:
            values = self._values(lists)
            values = values[~values.isnan()]
            outside = values[(values < low - 1e-6) | (values > high + 1e-6)].tolist()
            assert not outside, (
                f"range({NUM_RANKS}) declares {low:g} to {high:g}, but it returns {outside[0]:g} for {lists}"
            )

        self.hold(property_of, _BATCHES)

    def test_a_cost_is_never_above_zero(self) -> None:
        """A cost is a price: 0, or what is lost."""
        if self.make().direction != "cost":
            raise SkipTest("it is a gain")
        values = self._values(ORDINARY)
        assert not (values > 0).any(), f"it is a cost, but returns {values.nan_to_num(0.0).max():g}"

    def test_the_order_of_the_batch_does_not_matter(self) -> None:
        """The same lists in another order get the same values, in that order."""

        def property_of(lists: Lists) -> None:
            order = list(range(len(lists)))[::-1]
            turned = self._values([lists[n] for n in order])
            assert _alike(turned, self._values(lists)[order]), (
                "the same lists in another order get other values"
            )

        self.hold(property_of, _BATCHES)

    def test_siblings_do_not_matter(self) -> None:
        """A completion's value depends on it alone: comparing siblings is the normalizer's task."""

        def property_of(lists: Lists, others: Lists) -> None:
            others = [others[n % len(others)] for n in range(len(lists) - 1)]
            assert _alike(self._values(lists)[:1], self._values([lists[0], *others])[:1]), (
                "a list gets another value beside other lists; comparing siblings is the normalizer's task"
            )

        self.hold(property_of, _BATCHES, _BATCHES)

    def test_the_size_of_the_batch_does_not_matter(self) -> None:
        """Lists get the same values in a batch that holds each of them twice."""

        def property_of(lists: Lists) -> None:
            assert _alike(self._values([*lists, *lists])[: len(lists)], self._values(lists)), (
                "the same lists get other values in a batch that holds each of them twice"
            )

        self.hold(property_of, _BATCHES)

    def test_a_title_changes_the_value_of_its_own_rank_only(self) -> None:
        """Where another title, new to the list, takes a rank, the other ranks keep their values."""
        reward = self.make()
        if reward.scope != "rank" or not reward.local:
            raise SkipTest("its values are not said to depend on their own rank only")

        def property_of(titles: Sequence[Title], rank: int) -> None:
            *before, new = titles
            rank %= len(before)
            after = [*before[:rank], new, *before[rank + 1 :]]
            (values,), (changed,) = self._values([before]), self._values([after])
            others = torch.arange(NUM_RANKS) != rank
            assert _alike(values[others], changed[others]), (
                f"another title at rank {rank + 1} changes the value of another rank; a reward that looks "
                "at other ranks says so: local"
            )

        lists = st.permutations([*TITLES, OUTSIDE]).map(lambda titles: titles[: NUM_RANKS + 1])
        self.hold(property_of, lists, st.integers(0, NUM_RANKS - 1))

    def test_it_takes_empty_completions(self) -> None:
        """A list without any title has a finite value or none."""
        self._takes("an empty list among others", [(), ORDINARY[0]])
        self._takes("nothing but empty lists", [(), ()])

    def test_it_takes_hostile_completions(self) -> None:
        """Whatever a policy may write has a finite value or none."""
        for what, parsed in hostile_lists():
            self._takes(what, [parsed, ORDINARY[0]])

    def _takes(self, what: str, lists: Lists) -> None:
        self._values(ORDINARY)
        try:
            self.call(self.make(), self._judged(lists))
        except Exception as error:
            raise AssertionError(f"{what}: {error}") from error

    def test_its_state_survives_a_checkpoint(self) -> None:
        """Of a reward with a state, a checkpoint keeps it, and another one takes it up from there."""
        reward = self.make()
        try:
            if not has_state(reward, "it"):
                raise SkipTest("it keeps no state")
            another: Any = copy.deepcopy(reward)
            self.answer(reward, *self.inputs())
            state = kept_state(reward, "it")
            another.load_state_dict(state)
            before, after = snapshot(state), snapshot(kept_state(another, "it"))
        except PluginError as error:
            raise AssertionError(str(error)) from error
        assert before == after, f"another one does not take its state up: {difference(before, after)}"

    def test_it_declares_its_columns(self) -> None:
        """It reads no column that a run would not have checked for."""
        missed: set[str] = set()
        self.answer(self.make(), self._judged(ORDINARY, missed=missed))
        undeclared = sorted(missed - set(self.make().columns))
        assert not undeclared, f"it reads {', '.join(undeclared)}; declare them: columns"

    def test_it_declares_that_it_needs_an_oracle(self) -> None:
        """Without an oracle it says the same, or declares that it needs one."""
        reward = self.make()
        if reward.needs_oracle:
            raise SkipTest("it declares that it needs an oracle")
        self.skip_unless_it_repeats_itself()
        values = self._values(ORDINARY)
        says_so = "it asks for verdicts; declare it: needs_oracle = True"
        try:
            bare = self.call(reward, self._judged(ORDINARY, bare=True))
        except SaferecError as error:
            raise AssertionError(says_so) from error
        assert _alike(values, bare), says_so


async def _awaited(value: Awaitable[Any]) -> Any:
    return await value


def _alike(some: Tensor, others: Tensor) -> bool:
    return torch.allclose(some, others, rtol=1e-5, atol=1e-6, equal_nan=True)


def check_reward(reward: RewardFunction, *, columns: Mapping[str, Any] | None = None) -> None:
    """Check a reward against every property of :class:`RewardContract`.

    Args:
        reward: Built as a run would build it.
        columns: A value for each column that it declares and that is not one of saferec's own.

    Raises:
        ContractError: It lists every property that does not hold.
    """
    check(RewardContract, reward, columns=columns or {})
