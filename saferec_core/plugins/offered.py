"""What the installed plugins offer, and what became of each of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal

from saferec_core.errors import PluginError, UnknownNameError
from saferec_core.plugins.lifecycle import LifecycleHook
from saferec_core.plugins.registry import Entry, Origin, Registry
from saferec_core.plugins.selection import canonical

if TYPE_CHECKING:
    from saferec_core.plugins.contracts.alarm import Alarm
    from saferec_core.plugins.contracts.evidence import EvidenceSource
    from saferec_core.plugins.contracts.metric import Metric
    from saferec_core.plugins.contracts.normalizer import Normalizer
    from saferec_core.plugins.contracts.oracle import Oracle
    from saferec_core.plugins.contracts.parser import ListParser
    from saferec_core.plugins.contracts.reward import RewardFunction
    from saferec_core.plugins.contracts.transform import Transform

__all__ = ["PluginState", "Plugins"]

Status = Literal["ok", "broken", "incompatible", "disabled"]


@dataclass(frozen=True)
class PluginState:
    """One installed plugin, and what became of it."""

    origin: Origin
    status: Status = "ok"
    reason: str = ""
    """Why it is not available."""
    notes: tuple[str, ...] = ()
    """What it printed or changed while it was loaded, and similar remarks."""
    error: BaseException | None = field(default=None, compare=False, repr=False)
    """What it raised, with the original traceback."""
    withdrawn: tuple[Entry[Any], ...] = ()
    """What it had offered before it failed; a run that names one of these needs it."""


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
    alarms: Registry[Alarm] = field(default_factory=lambda: Registry("alarm"))
    lifecycle_hooks: list[LifecycleHook] = field(default_factory=list)
    """What observes runs, in the order of the plugins."""
    states: list[PluginState] = field(default_factory=list)
    """Every plugin that was found, in the order of their names."""

    @property
    def registries(self) -> tuple[Registry[Any], ...]:
        """The registries in the order in which they are listed."""
        return tuple(self.by_hook.values())

    @property
    def by_hook(self) -> Mapping[str, Registry[Any]]:
        """The registry that each registration hook fills."""
        return {
            "saferec_register_rewards": self.rewards,
            "saferec_register_oracles": self.oracles,
            "saferec_register_normalizers": self.normalizers,
            "saferec_register_metrics": self.metrics,
            "saferec_register_transforms": self.transforms,
            "saferec_register_parsers": self.parsers,
            "saferec_register_evidence": self.evidence,
            "saferec_register_alarms": self.alarms,
        }

    @property
    def broken(self) -> list[PluginState]:
        """Plugins that cannot be used: they failed to load, or are made for another release."""
        return [state for state in self.states if state.status in {"broken", "incompatible"}]

    @property
    def disabled(self) -> list[PluginState]:
        """Plugins that are switched off."""
        return [state for state in self.states if state.status == "disabled"]

    def conflicts(self) -> list[tuple[Entry[Any], ...]]:
        """Return what is offered by several plugins under one name, which no run can use."""
        return [entries for registry in self.registries for entries in registry.conflicts().values()]

    def __iter__(self) -> Iterator[Entry[Any]]:
        for registry in self.registries:
            yield from registry

    def find(self, registry: Registry[Any], name: str) -> Entry[Any]:
        """Look up a component that a run names.

        Raises:
            UnknownNameError: Nothing is registered under the name; plugins that failed to load are
                named beside the near misses, since one of them may have supplied it.
            PluginError: The plugin that offers it failed to load, or two plugins offer it.
        """
        try:
            return registry.get(name)
        except UnknownNameError as error:
            for state in self.broken:
                for entry in state.withdrawn:
                    if entry.kind == registry.kind and canonical(entry.name) == canonical(name):
                        raise PluginError(
                            f"{registry.kind} {name!r} is not available: {state.origin} failed to load: "
                            f"{state.reason}"
                        ) from state.error
            known = [entry.name for entry in registry]
            raise UnknownNameError(registry.kind, name, known, hint=self._missing_hint()) from error

    def named(self, name: str) -> list[Entry[Any]]:
        """Return every component called *name*, of whatever kind.

        Raises:
            UnknownNameError: There is none.
        """
        entries = [entry for entry in self if canonical(entry.name) == canonical(name)]
        if not entries:
            raise UnknownNameError("plugin", name, {entry.name for entry in self}, hint=self._missing_hint())
        return entries

    def observers(self) -> dict[str, tuple[Origin, SimpleNamespace]]:
        """Return what observes runs, with its lifecycle hooks as attributes, by distribution."""
        observers: dict[str, tuple[Origin, SimpleNamespace]] = {}
        for hook in self.lifecycle_hooks:
            _, observer = observers.setdefault(hook.origin.distribution, (hook.origin, SimpleNamespace()))
            setattr(observer, hook.name, hook.function)
        return observers

    def _missing_hint(self) -> str:
        """Name the plugins that may have supplied what is missing."""
        hints = []
        if self.broken:
            reasons = "; ".join(f"{state.origin}: {state.reason}" for state in self.broken)
            hints.append(f"Plugins that failed to load: {reasons}.")
        if self.disabled:
            hints.append(f"Switched off: {', '.join(str(state.origin) for state in self.disabled)}.")
        return " ".join(hints)
