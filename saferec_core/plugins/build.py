"""Build the components that settings name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from saferec_core.config.choices import ComponentChoice, OracleChoice
from saferec_core.config.lists import with_lists
from saferec_core.data.catalog import Catalog, read_catalog
from saferec_core.errors import ConfigError, DataError, PluginError, SaferecError, came_instead, near_misses
from saferec_core.plugins.calls import calling, undisturbed
from saferec_core.plugins.component import kinds_of, options_of, undeclared, unlike
from saferec_core.plugins.contracts import contract_of
from saferec_core.plugins.contracts.oracle import Oracle
from saferec_core.plugins.contracts.parser import ListParser
from saferec_core.plugins.isolation import LOGGER, in_words, is_interrupt_by_user
from saferec_core.plugins.manager import load_plugins
from saferec_core.plugins.offered import Plugins
from saferec_core.plugins.registry import Entry, Registry
from saferec_core.plugins.side_by_side import side_by_side
from saferec_core.plugins.time_limits import call_limit

T = TypeVar("T")

_RESERVES = {
    "name": "the name of the component",
    "weight": "the weight of the reward",
    "calls": "how it is called",
    "beside": "further oracles",
}
_RESERVED = {
    "reward": {"weight", "calls"},
    "oracle": {"name", "beside"},
    "metric": set(),
    "evidence": set(),
}
"""Keys beside the options of a component, by its kind: no option can have such a name."""

__all__ = ["build_oracle", "build_parser", "chosen", "chosen_catalog"]


def chosen(
    plugins: Plugins,
    registry: Registry[Any],
    choice: ComponentChoice,
    inherited: Mapping[str, Any] | None = None,
) -> Any:
    """Build the component that *choice* names; see :func:`saferec_core.plugins.build.build`."""
    return build(plugins.find(registry, choice.name), choice.options, inherited)


def chosen_catalog(path: Path, *, year_tolerance: int = 2, match_subtitles: bool = False) -> Catalog:
    """Read a catalog that an option names; see :func:`saferec_core.data.catalog.read_catalog`.

    Raises:
        ConfigError: It is missing or damaged, which is not the fault of the current row.
    """
    try:
        return read_catalog(path, year_tolerance=year_tolerance, match_subtitles=match_subtitles)
    except DataError as error:
        raise ConfigError(str(error)) from error
    except OSError as error:
        raise ConfigError(f"catalog {path} cannot be read: {error.strerror or error}") from error


def build_oracle(choice: ComponentChoice, *, year_tolerance: int, plugins: Plugins | None = None) -> Oracle:
    """Build an oracle, with those beside it, and have it read what it reads.

    Args:
        choice: Its name and options.
        year_tolerance: What it takes over unless its own options say otherwise.
        plugins: What is installed; looked up if not given.

    Raises:
        ConfigError: What it reads is missing or damaged, which is not the fault of the current row; or two
            oracles judge the same trait.
    """
    installed = plugins or load_plugins()
    whole = choice if isinstance(choice, OracleChoice) else OracleChoice(name=choice.name, **choice.options)
    return side_by_side(
        [_oracle(each, year_tolerance=year_tolerance, plugins=installed) for each in whole.each]
    )


def _oracle(choice: ComponentChoice, *, year_tolerance: int, plugins: Plugins) -> Oracle:
    entry = plugins.find(plugins.oracles, choice.name)
    try:
        oracle: Oracle = build(entry, choice.options, {"year_tolerance": year_tolerance})
        with calling(str(entry), doing=" to name its traits"):  # a damaged table must fail now
            if fault := _fault_of_traits(oracle.traits):
                raise PluginError(f"{entry}: {fault}")
    except DataError as error:
        raise ConfigError(str(error)) from error
    return oracle


def _fault_of_traits(traits: object) -> str:
    if not isinstance(traits, Collection) or isinstance(traits, str):
        return f"traits must be a collection of names, but is {traits!r:.200}"
    listed = list(islice(traits, len(traits) + 1))
    if len(listed) > len(traits):
        return f"traits says that it holds {len(traits)} names, but lists more"
    strange = [trait for trait in listed if not isinstance(trait, str)]
    return f"traits must be a collection of names, but holds {strange[0]!r:.200}" if strange else ""


def build_parser(
    choice: ComponentChoice, plugins: Plugins | None = None, *, catalog_path: Path | None = None
) -> ListParser:
    """Build the parser that reads and writes lists.

    Args:
        choice: Its name and options.
        plugins: What is installed; looked up if not given.
        catalog_path: What it takes over, where it has such an option and *choice* leaves it open.
    """
    plugins = plugins or load_plugins()
    inherited = {} if catalog_path is None else {"catalog_path": catalog_path}
    parser: ListParser = chosen(plugins, plugins.parsers, choice, inherited)
    return parser


def build(entry: Entry[T], options: Mapping[str, Any], inherited: Mapping[str, Any] | None = None) -> T:
    """Build the component that *entry* stands for.

    Args:
        entry: The registered component.
        options: What the run configuration says, by option name.
        inherited: Values of the run that a component takes over where it has an option of that name
            which *options* leaves open, such as the ``variant`` of the discount by rank.

    Raises:
        ConfigError: An option is unknown or its value is refused; the message has its whole path.
        PluginError: The component cannot be imported, its constructor fails, or it does not inherit the
            base class of its kind.
    """
    contract = contract_of(entry.kind)  # imports torch where it is needed, at nobody's cost
    cls = entry.load()
    known = {option.name for option in options_of(cls)}
    if taken_names := known & _RESERVED.get(entry.kind, {"name"}):
        name = min(taken_names)
        raise PluginError(
            f"{entry} has an option called {name!r}, which a configuration keeps for itself "
            f"({_RESERVES[name]}), so that a value would never arrive; its author has to rename it"
        )
    for name in options:
        if name not in known:
            wanted = f"Options: {', '.join(sorted(known))}." if known else "It has no options."
            raise ConfigError(
                f"{entry.kind} {entry.name!r} has no option {name!r}.{near_misses(name, known)} {wanted}"
            )
    taken = {name: value for name, value in (inherited or {}).items() if name in known}
    try:
        with undisturbed(f"{entry}, being built,"), _time_to_build(entry):
            made = cls(**{**taken, **with_lists(options, kinds_of(cls))})
    except ValidationError as error:
        problems = "; ".join(_problem(entry, problem) for problem in error.errors())
        raise ConfigError(f"{entry.kind} {entry.name!r}: {problems}") from error
    except SaferecError as error:
        if entry.origin.is_built_in or type(error) not in {ConfigError, DataError, PluginError}:
            raise
        raise type(error)(f"{entry}: {error}") from error
    except BaseException as error:  # whatever a plugin's constructor raises, the plugin is to be named
        if is_interrupt_by_user(error):
            raise
        LOGGER.debug("%s cannot be built", entry, exc_info=error)
        raise PluginError(
            f"{entry.kind} {entry.name!r} of {entry.origin} cannot be built: {in_words(error)}"
            f"{_not_a_class(cls, entry, contract)}"
        ) from error
    if fault := _fault(made, entry, contract):
        raise PluginError(f"{entry.kind} {entry.name!r} of {entry.origin} {fault}")
    return made


def _time_to_build(entry: Entry[Any]) -> AbstractContextManager[None]:
    return nullcontext() if entry.origin.is_built_in else call_limit(str(entry))


def _not_a_class(named: object, entry: Entry[Any], contract: type) -> str:
    """Say what is expected where an entry does not name a class; a function that makes one may fail too."""
    if isinstance(named, type):
        return ""
    return (
        f". {entry.reference!r} names {type(named).__name__} {getattr(named, '__name__', named)!r:.100}; "
        f"expected is a class that inherits {contract.__module__}.{contract.__qualname__}"
    )


def _fault(made: object, entry: Entry[Any], contract: type) -> str:
    """Say why something is not a component of its kind; empty if it is one."""
    if not isinstance(made, contract):
        return (
            f"must inherit {contract.__module__}.{contract.__qualname__}, "
            "which declares what a run asks of it"
        )
    with calling(f"{entry.kind} {entry.name!r} of {entry.origin}", doing=" to say what it is"):
        return undeclared(made, contract) or unlike(made, contract, may_wait=entry.kind == "reward")


_WAYS: Mapping[str, str] = {
    "reward": "--set rewards.{name}.{option}=VALUE",
    "oracle": "--oracle-{flag}, or --set oracle.{option}=VALUE",
    "normalizer": "--set normalizer.{option}=VALUE",
    "parser": "--set data.parser.{option}=VALUE",
    "metric": "--set evaluation.eval_metric_options.{name}.{option}=VALUE",
    "transform": "--{flag}, {option}: VALUE in a step, or --transform '{name} {option}=VALUE'",
}
"""How an option is given, by the kind of its component."""


def _way(entry: Entry[Any], option: str) -> str:
    way = _WAYS.get(entry.kind, "{option}: VALUE in the configuration")
    if entry.kind == "oracle" and option != "path":  # the only one with a flag of its own
        way = way.partition(", or ")[2]
    return way.format(name=entry.name, option=option, flag=option.replace("_", "-"))


def _problem(entry: Entry[Any], problem: Mapping[str, Any]) -> str:
    path = [str(part) for part in problem["loc"]]
    if problem["type"] == "missing" and len(path) == 1:
        return f"option {path[0]!r} is missing; give {_way(entry, path[0])}"
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{'.'.join([entry.name, *path])}: {message}{came_instead(problem)}"
