"""Components and their options."""

import inspect
from typing import ClassVar, Literal

import pytest
from pydantic import Field

from saferec_core.errors import ConfigError, DataError, PluginError
from saferec_core.plugins.build import build
from saferec_core.plugins.component import component, declarations_of, options_of
from saferec_core.plugins.contracts import CONTRACTS, contract_of
from saferec_core.plugins.contracts.reward import RewardFunction
from saferec_core.plugins.offered import Plugins
from saferec_core.plugins.registry import Entry, Origin


class Reward(RewardFunction):
    def __call__(self, lists): ...


@component
class Sample(Reward):
    """A component with options of several kinds."""

    scope: ClassVar[str] = "list"
    columns: ClassVar[tuple[str, ...]] = ("mood",)

    size: int = Field(default=3, ge=1)
    """How many; at least 1."""
    kind: Literal["a", "b"] = "a"
    """Which."""
    name: str
    """What it is called."""


class Plain(Reward):
    """A class that declares nothing."""


class WithoutOptions(Plain):
    """A class without options."""

    scope: ClassVar[str] = "list"


class Failing:
    def __init__(self):
        raise RuntimeError("no license")


class Missing:
    def __init__(self):
        raise DataError("table.jsonl does not exist")


def entry_of(cls):
    """Register a class of this module, as if a plugin had."""

    class Loaded(Entry):
        def load(self):
            return cls

    return Loaded("reward", "sample", "x:y", "", Origin("p", "acme", "1.0"))


def test_a_component_is_built_from_its_options_over_its_defaults():
    sample = build(entry_of(Sample), {"name": "n", "size": "4"})

    assert (sample.size, sample.kind, sample.name) == (4, "a", "n")


def test_an_option_that_the_run_sets_wins_over_what_is_inherited():
    inherited = {"kind": "b", "variant": "log_decay"}

    assert build(entry_of(Sample), {"name": "n"}, inherited).kind == "b"
    assert build(entry_of(Sample), {"name": "n", "kind": "a"}, inherited).kind == "a"


def test_a_component_cannot_be_changed_once_it_is_built():
    sample = build(entry_of(Sample), {"name": "n"})

    with pytest.raises(AttributeError):
        sample.size = 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "n", "size": 0}, r"sample\.size: .*greater than or equal to 1, but got 0"),
        ({"name": "n", "size": "many"}, r"sample\.size: .*integer.*but got 'many'"),
        ({"name": "n", "kind": "c"}, r"sample\.kind: .*'a' or 'b'.*but got 'c'"),
        ({}, r"^reward 'sample': option 'name' is missing; give --set rewards.sample.name=VALUE$"),
        ({"name": "n", "siz": 1}, r"no option 'siz'\. Did you mean 'size'\? Options: kind, name, size"),
        ({"name": "n", "__class__": 1}, "no option '__class__'"),
    ],
)
def test_an_option_that_is_refused_is_told_with_its_path(options, message):
    with pytest.raises(ConfigError, match=message):
        build(entry_of(Sample), options)


def test_a_class_without_options_takes_none():
    assert isinstance(build(entry_of(WithoutOptions), {}, {"variant": "exp_inf"}), WithoutOptions)
    with pytest.raises(ConfigError, match=r"has no option 'size'\. It has no options\."):
        build(entry_of(WithoutOptions), {"size": 1})


def test_a_constructor_that_fails_names_the_component_and_its_plugin():
    with pytest.raises(PluginError, match=r"reward 'sample' of acme 1\.0 .*no license"):
        build(entry_of(Failing), {})


def test_an_error_for_the_user_is_passed_on():
    with pytest.raises(DataError, match=r"table\.jsonl does not exist"):
        build(entry_of(Missing), {})


def test_options_are_listed_with_type_default_range_and_meaning():
    size, kind, name = options_of(Sample)

    assert (size.name, size.type, size.default, size.range) == ("size", "int", "3", ">= 1")
    assert size.meaning == "How many; at least 1."
    assert (kind.type, kind.default) == ("Literal['a', 'b']", "'a'")
    assert name.default == "required"
    assert options_of(Plain) == []


def test_a_class_declares_what_its_contract_asks_with_the_defaults_of_what_it_leaves_out():
    assert declarations_of(Sample, RewardFunction) == {
        "scope": "list",
        "direction": "gain",
        "columns": ("mood",),
        "deterministic": True,
        "needs_oracle": False,
        "factors": (),
        "unwritten": (),
    }
    assert declarations_of(Plain, RewardFunction)["scope"] is None


def test_a_component_that_does_not_inherit_the_base_of_its_kind_is_refused_by_name():
    class Stray:
        scope = "rank"

    with pytest.raises(PluginError, match=r"reward 'sample' of acme 1\.0 .*must inherit .*RewardFunction"):
        build(entry_of(Stray), {})


@pytest.mark.parametrize("kind", list(CONTRACTS))
def test_every_kind_of_component_has_a_base_class(kind):
    assert kind in {registry.kind for registry in Plugins().registries}
    assert inspect.isabstract(contract_of(kind))


@component
class Asking:
    """A component with an address."""

    base_url: str
    """Where."""
    model_name: str
    """Whom."""
    size: int = 1
    """How many."""

    def __post_init__(self):
        if self.size == 7:
            raise ValueError("size and model do not go together")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"option 'model_name' is missing; give --set "),
        ({"model_name": "m", "size": 7}, r"sample: size and model do not go together$"),
        ({"model_name": {"key": "SECRET"}}, r"sample\.model_name: .*string, but got a mapping$"),
        ({"model_name": "m", "base_url": b"\xffSECRET"}, r"sample\.base_url: "),
        ({"model_name": "m", "size": "http://me:SECRET@h"}, r"sample\.size: .*integer"),
    ],
)
def test_what_may_hold_a_key_is_not_printed(options, message):
    with pytest.raises(ConfigError, match=message) as error:
        build(entry_of(Asking), {"base_url": "http://me:SECRET@h/v1", **options})

    assert "SECRET" not in str(error.value)
    assert "ArgsKwargs" not in str(error.value)


def test_an_option_that_would_never_arrive_is_refused():
    @component
    class Weighted(RewardFunction):
        scope: ClassVar[str] = "rank"
        weight: float = 1.0

        def __call__(self, lists): ...

    with pytest.raises(
        PluginError, match="an option called 'weight', which a configuration keeps for itself"
    ):
        build(entry_of(Weighted), {})
