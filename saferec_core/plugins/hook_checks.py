"""Whether a plugin implements hooks as they are specified; what pluggy would lose silently is refused."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pluggy

from saferec_core.errors import PluginError, UnknownNameError
from saferec_core.plugins import hookspecs

__all__ = ["check_hooks"]

_PREFIX = f"{hookspecs.PROJECT}_"


def check_hooks(manager: pluggy.PluginManager, plugin: object) -> list[str]:
    """Check every hook of a plugin by the specification.

    Args:
        manager: Reads the marks of hooks.
        plugin: The module or object that an entry point names.

    Returns:
        What deserves a note, such as an optional hook that this release does not specify.

    Raises:
        UnknownNameError: A hook is misspelled, or specified by another release only.
        PluginError: A hook is not marked, or has another signature than the specification, or there is none.
    """
    specified = {name: spec for name, spec in vars(hookspecs).items() if _is_specification(spec)}
    notes: list[str] = []
    faults: list[str] = []
    implemented = 0
    for attribute, member in _members(plugin):
        options = manager.parse_hookimpl_opts(plugin, attribute)
        if options is None:
            if attribute in specified and inspect.isroutine(member):
                faults.append(f"hook {attribute!r} is not marked; is @hookimpl missing?")
            elif attribute.startswith(_PREFIX) and inspect.isroutine(member):
                raise _unknown(attribute, specified)
            continue
        name = options["specname"] or attribute
        if name not in specified:
            if not options["optionalhook"]:
                raise _unknown(name, specified)
            notes.append(f"hook {name!r} is not one of this release of saferec; it is optional and ignored")
            continue
        implemented += 1
        faults += _signature_faults(name, member, specified[name])
        if options["wrapper"] or options["hookwrapper"]:
            faults.append(
                f"hook {name!r} must not be a wrapper: what other plugins offer is not its business"
            )
    if faults:
        raise PluginError("; ".join(faults))
    if not implemented and not notes:
        raise PluginError(
            "it implements no hook; expected is a function such as saferec_register_rewards(registry) with "
            "@hookimpl above it ('from saferec_core import hookimpl')"
        )
    return notes


def _is_specification(member: object) -> bool:
    return inspect.isfunction(member) and hasattr(member, f"{hookspecs.PROJECT}_spec")


def _members(plugin: object) -> Iterator[tuple[str, Any]]:
    for attribute in dir(plugin):
        member = getattr(plugin, attribute, None)
        if not _is_specification(member):  # re-exported from saferec
            yield attribute, member


def _unknown(name: str, specified: dict[str, Any]) -> UnknownNameError:
    return UnknownNameError(
        "hook",
        name,
        specified,
        hint=f"If another release of saferec specifies it (hooks here: those of {hookspecs.SPECIFICATION}), "
        "mark it @hookimpl(optionalhook=True) or install that release.",
    )


def _signature_faults(name: str, hook: Any, specification: Any) -> list[str]:
    """Compare the parameters of a hook with those of its specification."""
    wanted = list(inspect.signature(specification).parameters)
    call = f"{name}({', '.join(wanted)})"
    if inspect.iscoroutinefunction(hook) or inspect.isgeneratorfunction(hook):
        return [f"hook {name!r} must be a plain function, {call}, neither async nor a generator"]
    try:
        parameters = list(inspect.signature(hook).parameters.values())
    except (TypeError, ValueError) as error:
        return [f"hook {name!r} cannot be inspected: {error}"]
    plain = {inspect.Parameter.POSITIONAL_OR_KEYWORD}
    unknown = [str(each) for each in parameters if each.name not in wanted or each.kind not in plain]
    if unknown:
        return [f"hook {name!r} has the parameter {', '.join(unknown)}, but is called as {call}"]
    if "registry" in wanted and not parameters:
        return [f"hook {name!r} has no parameter, so it can offer nothing; it is called as {call}"]
    return []
