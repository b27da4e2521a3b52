"""Find the installed plugins and ask them what they offer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from inspect import isroutine
from typing import TYPE_CHECKING, Any

import pluggy

from saferec_core.errors import NameTakenError, PluginError, UnknownNameError
from saferec_core.plugins import hookspecs
from saferec_core.plugins.registry import Entry, Origin, Registry

if TYPE_CHECKING:
    from saferec_core.plugins.contracts.evidence import EvidenceSource
    from saferec_core.plugins.contracts.metric import Metric
    from saferec_core.plugins.contracts.normalizer import Normalizer
    from saferec_core.plugins.contracts.oracle import Oracle
    from saferec_core.plugins.contracts.parser import ListParser
    from saferec_core.plugins.contracts.reward import RewardFunction
    from saferec_core.plugins.contracts.transform import Transform

__all__ = ["BrokenPlugin", "Plugins", "load_plugins"]


@dataclass(frozen=True)
class BrokenPlugin:
    """A plugin that could not be loaded, or whose registration failed, and why."""

    origin: Origin
    reason: str


@dataclass(frozen=True)
class Plugins:
    """Everything that the installed plugins offer, by kind."""

    rewards: Registry[RewardFunction] = field(default_factory=lambda: Registry("reward"))
    oracles: Registry[Oracle] = field(default_factory=lambda: Registry("oracle"))
    normalizers: Registry[Normalizer] = field(default_factory=lambda: Registry("normalizer"))
    metrics: Registry[Metric] = field(default_factory=lambda: Registry("metric"))
    transforms: Registry[Transform] = field(default_factory=lambda: Registry("transform"))
    parsers: Registry[ListParser] = field(default_factory=lambda: Registry("parser"))
    evidence: Registry[EvidenceSource] = field(default_factory=lambda: Registry("evidence"))
    broken: list[BrokenPlugin] = field(default_factory=list)

    @property
    def registries(self) -> tuple[Registry[Any], ...]:
        """The registries in the order in which they are listed."""
        return (
            self.rewards,
            self.oracles,
            self.normalizers,
            self.metrics,
            self.transforms,
            self.parsers,
            self.evidence,
        )

    def __iter__(self) -> Iterator[Entry[Any]]:
        for registry in self.registries:
            yield from registry

    def find(self, registry: Registry[Any], name: str) -> Entry[Any]:
        """Look up a component that a run names.

        Raises:
            UnknownNameError: Nothing is registered under the name; plugins that failed to load are
                named beside the near misses, since one of them may have supplied it.
        """
        try:
            return registry.get(name)
        except UnknownNameError as error:
            if not self.broken:
                raise
            known = [entry.name for entry in registry]
            raise UnknownNameError(registry.kind, name, known, hint=self._broken_hint()) from error

    def named(self, name: str) -> list[Entry[Any]]:
        """Return every component called *name*, of whatever kind.

        Raises:
            UnknownNameError: There is none.
        """
        found = [entry for entry in self if entry.name.replace("_", "-") == name.replace("_", "-")]
        if not found:
            hint = self._broken_hint() if self.broken else ""
            raise UnknownNameError("plugin", name, {entry.name for entry in self}, hint=hint)
        return found

    def _broken_hint(self) -> str:
        reasons = "; ".join(f"{broken.origin}: {broken.reason}" for broken in self.broken)
        return f"Plugins that failed to load: {reasons}."


def load_plugins() -> Plugins:
    """Load the entry points of the group ``saferec`` and run their registration hooks.

    A plugin that fails is noted in ``Plugins.broken`` and does not keep the others from working.

    Raises:
        NameTakenError: Two plugins offer the same name; both are named.
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    plugins = Plugins()
    for point in sorted(entry_points(group=hookspecs.PROJECT), key=lambda point: point.name):
        _register(manager, point, plugins)
    return plugins


def _register(manager: pluggy.PluginManager, point: EntryPoint, plugins: Plugins) -> None:
    """Load one plugin and let it fill the registries, or note why it cannot."""
    distribution = point.dist
    origin = Origin(
        point.name,
        distribution.name if distribution else "unknown",
        distribution.version if distribution else "unknown",
    )
    try:
        plugin = point.load()
        manager.register(plugin, name=f"{origin.distribution}:{point.name}")
        _refuse_unknown_hooks(manager, plugin, origin)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a broken plugin must not keep the others from being listed
        plugins.broken.append(BrokenPlugin(origin, f"{type(error).__name__}: {error}"))
        return
    for registry, hook in (
        (plugins.rewards, "saferec_register_rewards"),
        (plugins.oracles, "saferec_register_oracles"),
        (plugins.normalizers, "saferec_register_normalizers"),
        (plugins.metrics, "saferec_register_metrics"),
        (plugins.transforms, "saferec_register_transforms"),
        (plugins.parsers, "saferec_register_parsers"),
        (plugins.evidence, "saferec_register_evidence"),
    ):
        others = [other for other in manager.get_plugins() if other is not plugin]
        caller = manager.subset_hook_caller(hook, remove_plugins=others)
        try:
            with registry.offered_by(origin):
                caller(registry=registry)
        except NameTakenError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            plugins.broken.append(BrokenPlugin(origin, f"{hook}: {type(error).__name__}: {error}"))


def _refuse_unknown_hooks(manager: pluggy.PluginManager, plugin: object, origin: Origin) -> None:
    """Refuse a plugin with a misspelled hook, naming the hook that may have been meant."""
    specified = [name for name in dir(hookspecs) if name.startswith("saferec_")]
    for name in dir(plugin):
        marked = manager.parse_hookimpl_opts(plugin, name) is not None
        named = name.startswith("saferec_") and isroutine(getattr(plugin, name, None))
        if (marked or named) and name not in specified:
            manager.unregister(plugin)
            raise UnknownNameError("hook", name, specified)
    if not manager.get_hookcallers(plugin):
        manager.unregister(plugin)
        raise PluginError(f"{origin} implements no hook; is @hookimpl missing?")
