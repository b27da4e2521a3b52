"""Find the installed plugins and ask them what they offer."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal

import pluggy

from saferec_core.errors import ConfigError, PluginError, UnknownNameError, near_misses
from saferec_core.plugins import hookspecs
from saferec_core.plugins.compatibility import incompatibility
from saferec_core.plugins.discovery import InstalledPlugin, installed_plugins
from saferec_core.plugins.endings import note_package
from saferec_core.plugins.entry_points import imported
from saferec_core.plugins.file_plugins import components_in, has_hooks, origin_of_file
from saferec_core.plugins.hook_checks import check_hooks
from saferec_core.plugins.isolation import LOGGER, Isolation, in_words
from saferec_core.plugins.lifecycle import LIFECYCLE_HOOKS, LifecycleHook
from saferec_core.plugins.patches import Patches, patches_undone
from saferec_core.plugins.plain_text import plain
from saferec_core.plugins.registry import Entry, Origin, Registry, module_of_file
from saferec_core.plugins.selection import Selection, canonical
from saferec_core.plugins.time_limits import limits_by_name

if TYPE_CHECKING:
    from saferec_core.plugins.contracts.alarm import Alarm
    from saferec_core.plugins.contracts.evidence import EvidenceSource
    from saferec_core.plugins.contracts.metric import Metric
    from saferec_core.plugins.contracts.normalizer import Normalizer
    from saferec_core.plugins.contracts.oracle import Oracle
    from saferec_core.plugins.contracts.parser import ListParser
    from saferec_core.plugins.contracts.reward import RewardFunction
    from saferec_core.plugins.contracts.transform import Transform

__all__ = ["PluginState", "Plugins", "load_plugins"]

_IN_HOOK = "in the hook "
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
        return tuple(self._by_hook.values())

    @property
    def _by_hook(self) -> Mapping[str, Registry[Any]]:
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


def load_plugins(selection: Selection | None = None) -> Plugins:
    """Load the entry points of the group ``saferec`` and run their registration hooks.

    A plugin that fails, or is made for another release, is noted in ``Plugins.states`` and does not keep the
    others from working. What was found is kept for the next call, as long as ``sys.path`` and the choice of
    plugins are the same; files are read anew.

    Args:
        selection: Which plugins to load; what the environment says unless given.

    Raises:
        ConfigError: A plugin to switch off is not installed, or a component that is given more time.
        PluginError: A file to load as a plugin cannot be; or plugins must be sound and one is not.
    """
    selection = selection or Selection.of()
    key = (selection, tuple(sys.path))
    if selection.files or key not in _loaded_by:
        _loaded_by.clear()
        _loaded_by[key] = _discovered(selection)
    plugins = _loaded_by[key]
    for state in plugins.broken:
        LOGGER.debug("%s failed to load", state.origin, exc_info=state.error)
    _check_limits(plugins)
    return plugins


_loaded_by: dict[tuple[Selection, tuple[str, ...]], Plugins] = {}
"""The plugins of the last choice: looking for them costs about 25 ms, and chains ask once for every step."""


def _discovered(selection: Selection) -> Plugins:
    """Find and load the plugins of a choice."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    plugins = Plugins()
    patches = None
    for plugin in installed_plugins():
        if patches is None and not plugin.origin.is_built_in:
            patches = Patches()
        if selection.leaves_out(plugin.origin):
            plugins.states.append(PluginState(plugin.origin, "disabled"))
        else:
            plugins.states.append(_loaded(manager, plugin, plugins, patches))
    for path in selection.files:
        plugins.states.append(_loaded_file(manager, path, plugins))
    _check_names(selection, plugins)
    if selection.strict:
        _check_all_sound(plugins)
    return plugins


def _loaded(
    manager: pluggy.PluginManager, plugin: InstalledPlugin, plugins: Plugins, patches: Patches | None
) -> PluginState:
    """Load one plugin and let it fill the registries, or say why it cannot."""
    from saferec_core import __version__

    origin, point = plugin.origin, plugin.point
    if plugin.fault or point is None:
        return PluginState(origin, "broken", plugin.fault)
    if not origin.is_built_in and (reason := incompatibility(plugin.requires, __version__)):
        return PluginState(origin, "incompatible", reason)
    if not origin.is_built_in:
        note_package(point.module)
    with Isolation("" if origin.is_built_in else f"plugin {origin}, being loaded,") as loading:
        loading.notes.extend(_registered(manager, imported(point), origin, plugins))
    if patches is not None:
        loading.notes.extend(patches.put_back())
    return _state(origin, loading, plugins)


def _loaded_file(manager: pluggy.PluginManager, path: Path, plugins: Plugins) -> PluginState:
    """Offer the components of a file, or load it as a plugin where it implements hooks.

    Raises:
        PluginError: It cannot be used; a file that the user names is never skipped.
    """
    origin = origin_of_file(path)
    notes: list[str] = []
    with patches_undone(notes), Isolation(f"plugin {path}, being loaded,") as loading:
        if has_hooks(path):
            loading.notes.extend(_registered(manager, module_of_file(path), origin, plugins))
        else:
            for component in components_in(path):
                registry = next(each for each in plugins.registries if each.kind == component.kind)
                with registry.offered_by(origin):
                    registry.add(component.name, component.reference, summary=component.summary)
    loading.notes.extend(notes)
    state = _state(origin, loading, plugins)
    if state.status != "ok":
        raise PluginError(f"--plugin {path}: {state.reason}") from state.error
    return state


def _registered(
    manager: pluggy.PluginManager, plugin: object, origin: Origin, plugins: Plugins
) -> Sequence[str]:
    """Check a plugin's hooks and run those that register; return what deserves a note."""
    notes = check_hooks(manager, plugin)
    manager.register(plugin, name=f"{origin.distribution}:{origin.entry_point}")
    others = [other for other in manager.get_plugins() if other is not plugin]
    for hook, registry in plugins._by_hook.items():
        caller = manager.subset_hook_caller(hook, remove_plugins=others)
        implementations = caller.get_hookimpls()
        before = len(registry)
        try:
            with registry.offered_by(origin):
                caller(registry=registry)
        except BaseException as error:
            with suppress(Exception):
                error.add_note(f"{_IN_HOOK}{hook}")
            raise
        if implementations and len(registry) == before:
            notes.append(f"offers nothing by its hook {hook}")
    plugins.lifecycle_hooks.extend(
        LifecycleHook(hook, origin, implementation.function, bool(implementation.argnames))
        for hook in LIFECYCLE_HOOKS.values()
        for implementation in manager.subset_hook_caller(hook, remove_plugins=others).get_hookimpls()
    )
    return notes


def _state(origin: Origin, loading: Isolation, plugins: Plugins) -> PluginState:
    """Say what became of a plugin; one that failed leaves nothing behind."""
    error = loading.failure
    if error is None:
        return PluginState(origin, notes=tuple(map(plain, loading.notes)))
    withdrawn = [entry for registry in plugins.registries for entry in registry.withdraw(origin)]
    where = "".join(f" ({note})" for note in _notes_of(error) if note.startswith(_IN_HOOK))
    return PluginState(
        origin,
        "broken",
        f"{in_words(error)}{where}",
        notes=tuple(map(plain, loading.notes)),
        error=error,
        withdrawn=tuple(withdrawn),
    )


def _notes_of(error: BaseException) -> list[str]:
    """Return what was noted on an exception, even on one whose class lets nobody look."""
    try:
        return list(map(str, getattr(error, "__notes__", ())))
    except BaseException:  # noqa: BLE001 - a plugin's own exception class may raise whatever it likes
        return []


def _check_names(selection: Selection, plugins: Plugins) -> None:
    """Refuse to switch off what is not there: a slip would leave the plugin on."""
    known: set[str] = {"all"}
    outside = [state.origin for state in plugins.states if not state.origin.is_built_in]
    for origin in outside:
        distribution, point = canonical(origin.distribution), canonical(origin.entry_point)
        known |= {distribution, point, f"{distribution}:{point}"}
    if unknown := sorted(selection.required - known):
        names = ", ".join(sorted({origin.distribution for origin in outside})) or "none"
        raise ConfigError(
            f"--no-plugin {unknown[0]}: no such plugin is installed. Those that can be switched off: {names}"
        )


def _check_limits(plugins: Plugins) -> None:
    """Refuse to give time to what is not there: a slip would leave the limit as it is."""
    withdrawn = (entry for state in plugins.states for entry in state.withdrawn)
    known = {entry.name for entry in (*plugins, *withdrawn)} | set(LIFECYCLE_HOOKS.values())
    for name in limits_by_name():
        if name not in known:
            raise ConfigError(
                f"--call-timeout {name}=...: no component has that name.{near_misses(name, known)} "
                "`saferec plugins list` shows the names"
            )


def _check_all_sound(plugins: Plugins) -> None:
    """Refuse plugins that cannot be used, and names that several offer."""
    problems = [f"{state.origin}: {state.reason}" for state in plugins.broken]
    problems += [
        f"{entries[0].kind} {entries[0].name!r} is offered by {_suppliers(entries)}"
        for entries in plugins.conflicts()
    ]
    if problems:
        lines = "".join(f"\n  {problem}" for problem in problems)
        raise PluginError(f"--strict-plugins: {len(problems)} problems with the installed plugins{lines}")


def _suppliers(entries: Iterable[Entry[Any]]) -> str:
    return " and by ".join(str(entry.origin) for entry in entries)
