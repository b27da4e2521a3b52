"""The contract of normalizers, property by property."""

from __future__ import annotations

from dataclasses import replace
from unittest import SkipTest

import torch
from hypothesis import strategies as st
from jaxtyping import Bool
from torch import Tensor

from saferec_core.plugins.contracts.normalizer import Advantages, Normalizer, WeightedRewards
from saferec_core.testing.contract import Contract, check
from saferec_core.testing.snapshots import snapshot

__all__ = ["NormalizerContract", "check_normalizer"]

GROUP = 4
RANKS = 3

_SEEDS = st.integers(0, 99)


class NormalizerContract(Contract[Normalizer]):
    """Inherit it and say what to make; see :class:`saferec_core.testing.contract.Contract`."""

    def inputs(self, size: int = 2) -> tuple[WeightedRewards]:
        """Return the rewards of *size* prompts with four completions each."""
        return (_rewards(prompts=size),)

    def call(self, component: Normalizer, *inputs: WeightedRewards) -> Advantages:
        """Compute the advantages of a batch."""
        return component(*inputs)

    def _advantages(self, rewards: WeightedRewards) -> Advantages:
        """Return advantages of the right form; a property about them is not tried where they are not."""
        advantages = self.answer(self.make(), rewards)
        if _wrong_form(advantages, rewards):
            raise SkipTest("it does not return advantages; see test_it_returns_advantages_of_its_batch")
        return advantages  # type: ignore[no-any-return]

    def test_it_returns_advantages_of_its_batch(self) -> None:
        """(N, K) for ranks and (N,) for lists, whatever the size and however many rewards."""
        for what, rewards in {
            "two prompts": _rewards(),
            "one prompt": _rewards(prompts=1),
            "one rank": _rewards(ranks=1),
            "two completions for each prompt": _rewards(group=2),
            "no list reward": _of_one_scope(_rewards(), "rank"),
            "no rank reward": _of_one_scope(_rewards(), "list"),
        }.items():
            problem = _wrong_form(self.answer(self.make(), rewards), rewards)
            assert problem is None, f"{what}: {problem}"

    def test_advantages_are_finite(self) -> None:
        """Whatever has no value or no variance: one NaN makes every weight of the policy NaN."""
        flat = _rewards()
        empty = _masked(_rewards(), torch.zeros(2 * GROUP, RANKS, dtype=torch.bool))
        for what, rewards in {
            "ordinary rewards": _rewards(),
            "rewards without variance": replace(flat, rank=flat.rank * 0, list=flat.list * 0),
            "ranks that nobody wrote": empty,
            "a reward without any value": replace(flat, rank=torch.full_like(flat.rank, torch.nan)),
            "huge rewards": replace(flat, rank=flat.rank * 1e12, list=flat.list * 1e12),
        }.items():
            advantages = self._advantages(rewards)
            for name, values in (("rank", advantages.rank), ("list", advantages.list)):
                assert values.isfinite().all(), f"{what}: {name} advantages hold NaN or infinite values"

    def test_a_rank_that_was_not_written_has_advantage_0(self) -> None:
        """There is no token to credit."""

        def property_of(seed: int) -> None:
            rewards = _rewards(seed=seed)
            unwritten = self._advantages(rewards).rank[~rewards.rank_mask]
            assert (unwritten.nan_to_num(0.0) == 0).all(), (
                f"a rank that was not written gets the advantage {unwritten.abs().max():g}"
            )

        self.hold(property_of, _SEEDS)

    def test_the_order_of_siblings_does_not_matter(self) -> None:
        """Completions of one prompt in another order get the same advantages, in that order."""

        def property_of(seed: int, order: list[int]) -> None:
            places = torch.tensor([*order, *(GROUP + index for index in order)])
            self._same_in_order(_rewards(seed=seed), places, "siblings")

        self.hold(property_of, _SEEDS, st.permutations(range(GROUP)))

    def test_the_order_of_prompts_does_not_matter(self) -> None:
        """Groups in another order get the same advantages, in that order."""
        places = torch.arange(2 * GROUP).roll(GROUP)

        def property_of(seed: int) -> None:
            self._same_in_order(_rewards(seed=seed), places, "prompts")

        self.hold(property_of, _SEEDS)

    def _same_in_order(self, rewards: WeightedRewards, places: Tensor, what: str) -> None:
        advantages, turned = self._advantages(rewards), self._advantages(_ordered(rewards, places))
        same = _near(turned.rank, advantages.rank[places]) and _near(turned.list, advantages.list[places])
        assert same, f"the same {what} in another order get other advantages"

    def test_without_variance_every_advantage_is_exactly_0(self) -> None:
        """Where all siblings earn the same there is nothing to learn, also for values such as 0.1."""
        rewards = _rewards(full=True)
        rewards = replace(
            rewards, rank=torch.full_like(rewards.rank, 0.1), list=torch.full_like(rewards.list, 0.7)
        )
        advantages = self._advantages(rewards)
        largest = max(float(advantages.rank.abs().max()), float(advantages.list.abs().max()))
        assert largest == 0, f"siblings that all earn the same get an advantage of {largest:g}"

    def test_what_has_no_value_is_not_0(self) -> None:
        """NaN takes part in no mean: shifting all values and leaving NaN where it is changes no order."""
        rewards = _of_one_scope(_rewards(full=True), "rank")
        values = rewards.rank[:1].clone()
        values[0, 0] = torch.nan  # the first completion has no value
        values[0, 1:] = torch.tensor([5.0, 6.0, 7.0] * 2 + [6.0])[:, None]
        one = replace(rewards, rank=values, rank_weights=torch.ones(1), rank_spans=None)
        unknown = float(self._advantages(one).rank[0, 0])
        worst = float(self._advantages(one).rank[1, 0])
        assert unknown > worst, (
            "a completion without a value gets no more than the worst of its siblings, as if it had earned 0"
        )

    def test_it_has_the_invariances_that_it_declares(self) -> None:
        """A constant that is added, or a factor, changes nothing if it says so."""
        rewards, declared = _rewards(), self.make().invariances
        plain = self._advantages(rewards)
        if unknown := set(declared) - {"shift", "scale"}:
            raise AssertionError(f"invariances may hold 'shift' and 'scale', but hold {min(unknown)!r}")
        changes = {
            "shift": replace(rewards, rank=rewards.rank + 3.0, list=rewards.list - 2.0),
            "scale": replace(rewards, rank=rewards.rank * 50.0, list=rewards.list * 20.0),
        }
        for name in sorted(declared):
            other = self._advantages(changes[name])
            same = _near(plain.rank, other.rank, 1e-2) and _near(plain.list, other.list, 1e-2)
            assert same, f"it declares {name!r}, but a {name} of a reward changes advantages"

    def test_it_tells_for_each_prompt_whether_it_is_uninformative(self) -> None:
        """A bool tensor (B,), whatever the size, that leaves the rewards as they are."""
        for what, rewards in {"two prompts": _rewards(), "one prompt": _rewards(prompts=1)}.items():
            before = snapshot(rewards)
            problem = self._wrong_answer(rewards)
            assert problem is None, f"{what}: {problem}"
            assert snapshot(rewards) == before, "uninformative changes the rewards that it is given"

    def test_whether_a_prompt_is_uninformative_does_not_depend_on_the_order(self) -> None:
        """Prompts or siblings in another order are judged as before, in that order."""
        flat = _rewards(full=True)
        scale = torch.tensor([0.0, 1.0]).repeat_interleave(GROUP)  # the first prompt teaches nothing
        rewards = replace(flat, rank=flat.rank * scale[:, None], list=flat.list * scale)
        prompts = self._uninformative(_ordered(rewards, torch.arange(2 * GROUP).roll(GROUP)))
        turned = torch.cat([torch.arange(GROUP).flip(0), GROUP + torch.arange(GROUP).flip(0)])
        judged = self._uninformative(rewards)
        siblings = self._uninformative(_ordered(rewards, turned))
        assert judged.tolist() == siblings.tolist() == prompts.flip(0).tolist(), (
            f"prompts are judged {judged.tolist()}, in the opposite order {prompts.tolist()}, and with their "
            f"siblings in the opposite order {siblings.tolist()}"
        )

    def test_prompts_that_it_has_replaced_teach_nothing(self) -> None:
        """Not every prompt where all rewards differ; every one where none does, if it asks for others."""
        assert not self._uninformative(_rewards(full=True)).all(), (
            "it calls every prompt uninformative though all rewards differ among the siblings, so that no "
            "batch would ever do"
        )
        flat = _rewards(full=True)
        flat = replace(flat, rank=torch.full_like(flat.rank, 0.1), list=torch.full_like(flat.list, 0.7))
        named = self._uninformative(flat)
        assert named.all() or not self.make().dynamic_sampling, (
            "it asks for further prompts, but not in place of one whose siblings all earn the same"
        )

    def _wrong_answer(self, rewards: WeightedRewards) -> str | None:
        """Say what is wrong with the form of what uninformative returns, None if nothing is."""
        wanted = (len(rewards.rank_mask) // rewards.group_size,)
        try:
            answer: object = self.make().uninformative(rewards)
        except Exception as error:  # noqa: BLE001 - whatever a plugin raises
            return f"uninformative fails: {type(error).__name__}: {error}"
        if not isinstance(answer, Tensor) or answer.dtype != torch.bool or tuple(answer.shape) != wanted:
            form = f"{answer.dtype} {tuple(answer.shape)}" if isinstance(answer, Tensor) else repr(answer)
            return f"uninformative must return a bool tensor (B,) = {wanted}, but returned {form}"
        return None

    def _uninformative(self, rewards: WeightedRewards) -> Bool[Tensor, " B"]:
        """Ask about prompts; a property about the answer is not tried where its form is wrong."""
        if self._wrong_answer(rewards):
            raise SkipTest("see test_it_tells_for_each_prompt_whether_it_is_uninformative")
        return self.make().uninformative(rewards)

    def test_the_dtype_is_kept(self) -> None:
        """Rewards of float64 give advantages of float64."""
        rewards = _cast(_rewards(), torch.float64)
        advantages = self._advantages(rewards)
        assert advantages.rank.dtype == advantages.list.dtype == torch.float64, (
            f"float64 rewards give advantages of {advantages.rank.dtype} and {advantages.list.dtype}"
        )

    def test_the_device_is_kept(self) -> None:
        """It makes no tensor on a device of its own choice: tried with another default device."""
        rewards = _rewards()
        expected = self._advantages(rewards)
        try:
            with torch.device("meta"):
                advantages = self.call(self.make(), rewards)
        except Exception as error:
            raise AssertionError(
                f"it makes tensors on the default device instead of that of the rewards: {error}"
            ) from error
        assert advantages.rank.device == advantages.list.device == expected.rank.device, (
            "its advantages are on the default device instead of that of the rewards"
        )


def _rewards(
    *, prompts: int = 2, group: int = GROUP, ranks: int = RANKS, seed: int = 0, full: bool = False
) -> WeightedRewards:
    """Draw two rank rewards and a list reward, some ranks not written unless *full*."""
    rows = prompts * group
    generator = torch.Generator().manual_seed(seed)
    mask = torch.ones(rows, ranks, dtype=torch.bool)
    if not full and group > 2:
        mask[2, 1:] = False
    rewards = WeightedRewards(
        rank=torch.randn(2, rows, ranks, generator=generator),
        list=torch.randn(1, rows, generator=generator),
        rank_weights=torch.tensor([1.0, 2.0]),
        list_weights=torch.tensor([0.5]),
        rank_mask=mask,
        group_size=group,
        rank_spans=torch.tensor([4.0, 0.0]),
        list_spans=torch.tensor([4.0]),
    )
    return _masked(rewards, mask)


def _masked(rewards: WeightedRewards, mask: Bool[Tensor, "N K"]) -> WeightedRewards:
    return replace(rewards, rank=torch.where(mask, rewards.rank, torch.nan), rank_mask=mask)


def _ordered(rewards: WeightedRewards, places: Tensor) -> WeightedRewards:
    return replace(
        rewards,
        rank=rewards.rank[:, places],
        list=rewards.list[:, places],
        rank_mask=rewards.rank_mask[places],
    )


def _of_one_scope(rewards: WeightedRewards, scope: str) -> WeightedRewards:
    empty = torch.zeros(0)
    if scope == "rank":
        return replace(rewards, list=rewards.list[:0], list_weights=empty, list_spans=None)
    return replace(rewards, rank=rewards.rank[:0], rank_weights=empty, rank_spans=None)


def _cast(rewards: WeightedRewards, dtype: torch.dtype) -> WeightedRewards:
    return replace(
        rewards,
        rank=rewards.rank.to(dtype),
        list=rewards.list.to(dtype),
        rank_weights=rewards.rank_weights.to(dtype),
        list_weights=rewards.list_weights.to(dtype),
        rank_spans=None,
        list_spans=None,
    )


def _near(some: Tensor, others: Tensor, tolerance: float = 1e-4) -> bool:
    return torch.allclose(some, others, rtol=tolerance, atol=tolerance)


def _wrong_form(advantages: object, rewards: WeightedRewards) -> str | None:
    """Say what is wrong with the form of advantages, None if nothing is."""
    if not isinstance(advantages, Advantages):
        return f"it must return Advantages, but returned {type(advantages).__name__}"
    wanted = tuple(rewards.rank_mask.shape)
    for name, axes, shape in (("rank", "(N, K)", wanted), ("list", "(N,)", wanted[:1])):
        values = getattr(advantages, name)
        if not isinstance(values, Tensor) or not values.is_floating_point():
            return f"{name} advantages must be a tensor of floats, but are {type(values).__name__}"
        if tuple(values.shape) != shape:
            return f"{name} advantages must be {axes} = {shape}, but are {tuple(values.shape)}"
    return None


def check_normalizer(normalizer: Normalizer) -> None:
    """Check a normalizer against every property of :class:`NormalizerContract`.

    Raises:
        ContractError: It lists every property that does not hold.
    """
    check(NormalizerContract, normalizer)
