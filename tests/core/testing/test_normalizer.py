"""The contract of normalizers: the built-in ones hold it, and each property alone finds who breaks it."""

from typing import ClassVar

import pytest
import torch

from saferec_core import load_plugins
from saferec_core.plugins.build import build
from saferec_core.plugins.contracts.normalizer import Advantages, Normalizer
from saferec_core.testing import NormalizerContract, check_normalizer
from saferec_core.testing.contract import failures_of
from tests.core.testing.kinds import only, own_properties


@pytest.mark.parametrize("entry", list(load_plugins().normalizers), ids=lambda entry: entry.name)
def test_every_built_in_normalizer_holds_its_contract(entry):
    check_normalizer(build(entry, {}))


class Sound(Normalizer):
    """What is above the mean of all siblings, over all rewards, by rank and by list."""

    invariances: ClassVar[frozenset[str]] = frozenset({"shift"})

    def __call__(self, rewards):
        return Advantages(
            rank=self.compared(rewards.rank, rewards.group_size, rewards.rank_mask),
            list=self.compared(rewards.list, rewards.group_size),
        )

    def compared(self, values, size, mask=None):
        cells = values.unflatten(1, (-1, size))  # (F, B, G, ...)
        centred = cells - cells.nanmean(2, keepdim=True)
        flat = cells.nan_to_num(-1e30).amax(2, keepdim=True) == cells.nan_to_num(1e30).amin(2, keepdim=True)
        centred = centred.masked_fill(flat, 0.0).flatten(1, 2)
        return centred.nan_to_num(0.0).sum(0)


class Raises(Sound):
    def __call__(self, rewards):
        raise ZeroDivisionError


class ReturnsATuple(Sound):
    def __call__(self, rewards):
        return rewards.rank.sum(0), rewards.list.sum(0)


def unchecked(rank, whole):
    """Make advantages as they are outside of these tests, where no shape is checked."""
    advantages = object.__new__(Advantages)
    vars(advantages).update(rank=rank, list=whole)
    return advantages


class ListsAsColumns(Sound):
    def __call__(self, rewards):
        advantages = super().__call__(rewards)
        return unchecked(advantages.rank, advantages.list[:, None])


class Integers(Sound):
    def __call__(self, rewards):
        advantages = super().__call__(rewards)
        return unchecked(advantages.rank.int(), advantages.list)


class WithoutEps(Sound):
    def compared(self, values, size, mask=None):
        compared = super().compared(values, size)
        return compared * (compared.abs().max() / compared.abs().max())


class CreditsUnwritten(Sound):
    def __call__(self, rewards):
        advantages = super().__call__(rewards)
        written = rewards.rank_mask.any(1, keepdim=True)
        unwritten = ~rewards.rank_mask & written & (advantages.rank.abs().amax(1, keepdim=True) > 0)
        return Advantages(advantages.rank.masked_fill(unwritten, 1.0), advantages.list)


class FavorsTheFirstSibling(Sound):
    def compared(self, values, size, mask=None):
        compared = super().compared(values, size)
        factors = torch.ones(size, dtype=values.dtype, device=values.device)
        factors[0] = 2.0
        factors = factors.repeat(len(compared) // size)
        return compared * factors.view(-1, *[1] * (compared.ndim - 1))


class FavorsTheFirstPrompt(Sound):
    def compared(self, values, size, mask=None):
        compared = super().compared(values, size).clone()
        compared[:size] *= 2.0
        return compared


class NotQuiteFlat(Sound):
    def compared(self, values, size, mask=None):
        cells = values.unflatten(1, (-1, size))
        centred = (cells - cells.nanmean(2, keepdim=True) * (1 + 1e-6)).flatten(1, 2)
        return centred.nan_to_num(0.0).sum(0)


class NothingIsZero(Sound):
    """Reads a missing value as 0, where the siblings have one."""

    def compared(self, values, size, mask=None):
        if mask is None:
            return super().compared(values, size)
        known = values.masked_fill(values.isnan() & mask & (~values.isnan()).any(), 0.0)
        return super().compared(known, size)


class DeclaresScale(Sound):
    invariances: ClassVar[frozenset[str]] = frozenset({"shift", "scale"})


class Uncentred(Sound):
    """Divides by the largest, but declares that a constant changes nothing."""

    def compared(self, values, size, mask=None):
        compared = super().compared(values, size)
        return compared * (1 + values.nan_to_num(0.0).sum(0).abs().mean()).log()


class InSingle(Sound):
    def compared(self, values, size, mask=None):
        return super().compared(values.float(), size)


class OnTheDefaultDevice(Sound):
    def compared(self, values, size, mask=None):
        return super().compared(values, size) + torch.zeros(())


class OnItsOwnDevice(Sound):
    def compared(self, values, size, mask=None):
        return super().compared(values, size) * torch.ones(size).to(values.device)[0]


class NamesPositions(Sound):
    def uninformative(self, rewards):
        return super().uninformative(rewards).nonzero()[:, 0]


class ChangesTheWeights(Sound):
    def uninformative(self, rewards):
        rewards.rank_weights.add_(0.001)
        return super().uninformative(rewards)


class ReplacesTheFirstPrompt(Sound):
    def uninformative(self, rewards):
        answer = super().uninformative(rewards)
        answer[0] = True
        return answer


class ReplacesWhereTheFirstSiblingIsBelow(Sound):
    def uninformative(self, rewards):
        firsts = rewards.rank[0, :: rewards.group_size, 0]
        lasts = rewards.rank[0, rewards.group_size - 1 :: rewards.group_size, 0]
        return super().uninformative(rewards) | (firsts < lasts)


class ReplacesAll(Sound):
    def uninformative(self, rewards):
        return ~super().uninformative(rewards) | True


class AsksAndKeepsAll(Sound):
    dynamic_sampling = True

    def uninformative(self, rewards):
        return super().uninformative(rewards) & False


BROKEN = {
    "test_it_answers": (Raises(),),
    "test_it_returns_advantages_of_its_batch": (ReturnsATuple(), ListsAsColumns(), Integers()),
    "test_a_rank_that_was_not_written_has_advantage_0": (CreditsUnwritten(),),
    "test_the_order_of_siblings_does_not_matter": (FavorsTheFirstSibling(),),
    "test_the_order_of_prompts_does_not_matter": (FavorsTheFirstPrompt(),),
    "test_without_variance_every_advantage_is_exactly_0": (NotQuiteFlat(),),
    "test_what_has_no_value_is_not_0": (NothingIsZero(),),
    "test_it_has_the_invariances_that_it_declares": (DeclaresScale(), Uncentred()),
    "test_it_tells_for_each_prompt_whether_it_is_uninformative": (NamesPositions(), ChangesTheWeights()),
    "test_whether_a_prompt_is_uninformative_does_not_depend_on_the_order": (
        ReplacesTheFirstPrompt(),
        ReplacesWhereTheFirstSiblingIsBelow(),
    ),
    "test_prompts_that_it_has_replaced_teach_nothing": (ReplacesAll(), AsksAndKeepsAll()),
    "test_the_dtype_is_kept": (InSingle(),),
    "test_the_device_is_kept": (OnTheDefaultDevice(), OnItsOwnDevice()),
}
CASES = [
    pytest.param(name, broken, id=type(broken).__name__) for name, all_ in BROKEN.items() for broken in all_
]


def test_a_sound_normalizer_holds_every_property():
    assert failures_of(NormalizerContract, Sound()) == {}


@pytest.mark.parametrize(("name", "broken"), CASES)
def test_each_property_alone_finds_who_breaks_it(name, broken):
    assert only(NormalizerContract, broken) == name


def test_a_normalizer_whose_advantages_are_not_finite_is_found():
    name = "test_advantages_are_finite"

    assert name in failures_of(NormalizerContract, WithoutEps())


def test_every_property_has_a_normalizer_that_breaks_it():
    assert set(own_properties(NormalizerContract)) - BROKEN.keys() == {"test_advantages_are_finite"}
