"""The contract of metrics: the built-in ones hold it, and each property alone finds who breaks it."""

import pytest
import torch

from saferec_core import load_plugins
from saferec_core.plugins.build import build
from saferec_core.plugins.contracts.metric import Metric
from saferec_core.testing import MetricContract, check_metric
from saferec_core.testing.contract import failures_of
from tests.core.testing.kinds import only, own_properties


@pytest.mark.parametrize("entry", list(load_plugins().metrics), ids=lambda entry: entry.name)
def test_every_built_in_metric_holds_its_contract(entry):
    check_metric(build(entry, {}))


class Sound(Metric):
    """How many of the first k titles are in the catalog."""

    at_depth = True
    better = "higher"

    def __call__(self, lists, k):
        return lists.in_catalog[:, :k].sum(1).double()


class Whole(Sound):
    kind = "whole"

    def __call__(self, lists, k):
        return super().__call__(lists, k).mean()


class OfOneRow(Sound):
    def __call__(self, lists, k):
        return super().__call__(lists, k)[:1]


class NotAShareOfLists(Sound):
    kind = "share"


class Silent(Sound):
    def __call__(self, lists, k):
        return super().__call__(lists, k) * torch.nan


class NotAShare(Sound):
    unit = "share of titles"


class Centred(Sound):
    def __call__(self, lists, k):
        values = super().__call__(lists, k)
        return values - values.mean()


class LooksDeeper(Sound):
    def __call__(self, lists, k):
        return lists.in_catalog.sum(1).double()


class DividesByLength(Sound):
    def __call__(self, lists, k):
        return super().__call__(lists, k) + 1 / lists.lengths.clamp(max=1)


class AsksTheOracle(Sound):
    def __call__(self, lists, k):
        return lists.violations[:, :k].sum(1).double()


class ReadsPopularity(Sound):
    def __call__(self, lists, k):
        return super().__call__(lists, k) * lists.judge.popularity.mean()


BROKEN = {
    "test_it_answers": (OfOneRow(), NotAShareOfLists()),
    "test_it_has_a_value_somewhere": (Silent(),),
    "test_a_share_is_in_0_to_1": (NotAShare(),),
    "test_other_lists_do_not_matter": (Centred(),),
    "test_nothing_beyond_rank_k_matters": (LooksDeeper(),),
    "test_it_takes_empty_and_hostile_lists": (DividesByLength(),),
    "test_it_declares_what_it_needs": (AsksTheOracle(), ReadsPopularity()),
}
CASES = [
    pytest.param(name, broken, id=type(broken).__name__) for name, all_ in BROKEN.items() for broken in all_
]


def test_a_sound_metric_holds_every_property():
    assert failures_of(MetricContract, Sound()) == failures_of(MetricContract, Whole()) == {}


@pytest.mark.parametrize(("name", "broken"), CASES)
def test_each_property_alone_finds_who_breaks_it(name, broken):
    assert only(MetricContract, broken) == name


class FirstList(Whole):
    def __call__(self, lists, k):
        return Sound.__call__(self, lists, k)[0]


def test_a_metric_of_all_lists_that_depends_on_their_order_is_found():
    assert only(MetricContract, FirstList()) == "test_the_order_of_the_lists_does_not_matter"


def test_every_property_has_a_metric_that_breaks_it():
    missing = set(own_properties(MetricContract)) - BROKEN.keys()

    assert missing == {"test_the_order_of_the_lists_does_not_matter"}
