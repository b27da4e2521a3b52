"""Find the installed plugins, load them and ask them what they offer."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pluggy

from saferec_core.errors import PluginError
from saferec_core.plugins import hookspecs
from saferec_core.plugins.compatibility import incompatibility
from saferec_core.plugins.discovery import InstalledPlugin, installed_plugins
from saferec_core.plugins.endings import note_package
from saferec_core.plugins.entry_points import imported
from saferec_core.plugins.file_plugins import components_in, has_hooks, origin_of_file
from saferec_core.plugins.hook_checks import check_hooks
from saferec_core.plugins.isolation import LOGGER, Isolation, in_words
from saferec_core.plugins.lifecycle import LIFECYCLE_HOOKS, LifecycleHook
from saferec_core.plugins.offered import Plugins, PluginState
from saferec_core.plugins.patches import Patches, patches_undone
from saferec_core.plugins.plain_text import plain
from saferec_core.plugins.registry import Origin, module_of_file
from saferec_core.plugins.selection import Selection
from saferec_core.plugins.selection_checks import check_all_sound, check_left_out, check_limits

__all__ = ["load_plugins"]

_IN_HOOK = "in the hook "


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
    withdrawn = (entry for state in plugins.states for entry in state.withdrawn)
    names: dict[bool, set[str]] = {True: set(), False: set(LIFECYCLE_HOOKS.values())}
    for entry in (*plugins, *withdrawn):
        names[entry.origin.is_built_in].add(entry.name)
    check_limits(names[False], names[True])
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
    check_left_out(selection, [state.origin for state in plugins.states])
    if selection.strict:
        check_all_sound([(state.origin, state.reason) for state in plugins.broken], plugins.conflicts())
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
    for hook, registry in plugins.by_hook.items():
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
