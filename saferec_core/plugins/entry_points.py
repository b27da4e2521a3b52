"""Import what an entry point names, and say in a stranger's words what it should name."""

from __future__ import annotations

import inspect
from functools import reduce
from importlib import import_module
from importlib.metadata import EntryPoint
from types import ModuleType

from saferec_core.errors import PluginError

__all__ = ["imported"]

_EXAMPLE = (
    "'from saferec_core import hookimpl' and '@hookimpl' above 'def saferec_register_rewards(registry):'"
)


def imported(point: EntryPoint) -> object:
    """Return the module, or the object with hooks, that an entry point names.

    Raises:
        PluginError: The attribute does not exist, or is a class, a function or nothing that has hooks.
    """
    module = import_module(point.module)
    try:
        plugin = reduce(getattr, filter(None, (point.attr or "").split(".")), module)
    except AttributeError as error:
        raise PluginError(
            f"its entry point {_written(point)} names {point.attr!r}, which the module {point.module} does "
            f"not have. {_wanted(point)}"
        ) from error
    if kind := _kind(plugin):
        raise PluginError(f"its entry point {_written(point)} names {kind}. {_wanted(point)}")
    return plugin


def _written(point: EntryPoint) -> str:
    return f"{point.name} = {point.value!r}"


def _wanted(point: EntryPoint) -> str:
    return f"Expected is the module with the hooks: {point.name} = {point.module!r}, where {_EXAMPLE} stands"


def _kind(plugin: object) -> str:
    """Say what something is that cannot be a plugin; empty if it may be one."""
    if isinstance(plugin, ModuleType):
        return ""
    if inspect.isclass(plugin):
        return f"the class {plugin.__name__}, which is not an object with hooks"
    if inspect.isroutine(plugin):
        return f"the function {plugin.__name__}"
    if plugin is None or isinstance(plugin, str | bytes | int | float | list | tuple | dict | set):
        return f"{plugin!r:.100}"
    return ""
