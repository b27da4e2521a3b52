"""Settings of libraries that change how everybody in the process computes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

__all__ = ["library_settings", "put_back_library_settings"]


def library_settings() -> Mapping[str, Any]:
    """Return the settings of libraries that are loaded, which change how everybody computes."""
    settings: dict[str, Any] = {}
    if hasattr(numpy := sys.modules.get("numpy"), "geterr"):
        settings["numpy"] = numpy.geterr()  # type: ignore[union-attr]
    if hasattr(torch := sys.modules.get("torch"), "are_deterministic_algorithms_enabled"):
        settings["torch"] = (
            torch.get_default_dtype(),  # type: ignore[union-attr]
            torch.is_grad_enabled(),  # type: ignore[union-attr]
            torch.get_num_threads(),  # type: ignore[union-attr]
            torch.are_deterministic_algorithms_enabled(),  # type: ignore[union-attr]
            torch.get_float32_matmul_precision(),  # type: ignore[union-attr]
            str(torch.get_default_device()),  # type: ignore[union-attr]
            torch.is_anomaly_enabled(),  # type: ignore[union-attr]
            torch.is_autocast_enabled("cpu"),  # type: ignore[union-attr]
            torch.is_inference_mode_enabled(),  # type: ignore[union-attr]
        )
    for name, (read, _) in _SETTINGS_OF.items():
        if name in sys.modules:
            settings[name] = read(sys.modules[name])
    return MappingProxyType(settings)


def _decimals(decimal: Any) -> tuple[Any, ...]:
    context = decimal.getcontext()
    return tuple(getattr(context, name) for name in _OF_DECIMALS), dict(context.traps)


def _put_back_decimals(decimal: Any, before: tuple[Any, ...]) -> None:
    context = decimal.getcontext()
    for name, value in zip(_OF_DECIMALS, before[0], strict=True):
        setattr(context, name, value)
    context.traps.update(before[1])


_modes: list[Any] = []
"""What holds the inference mode of torch, which ends with it."""
_OF_DECIMALS = ("prec", "rounding", "Emin", "Emax", "capitals", "clamp")


def put_back_library_settings(before: Mapping[str, Any]) -> None:
    """Put back what :func:`library_settings` returned."""
    if "numpy" in before and "numpy" in sys.modules:
        sys.modules["numpy"].seterr(**before["numpy"])
    if "torch" in before and (torch := sys.modules.get("torch")) is not None:
        dtype, records_gradients, threads, is_deterministic, precision, device, *others = before["torch"]
        if torch.is_inference_mode_enabled() != others[2]:
            mode = torch.inference_mode(others[2])  # there is no other way to leave that of somebody else
            mode.__enter__()
            _modes.append(mode)
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(records_gradients)
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(is_deterministic)
        torch.set_float32_matmul_precision(precision)
        if str(torch.get_default_device()) != device:
            torch.set_default_device(None if device == "cpu" else device)
        torch.autograd.set_detect_anomaly(others[0])
        torch.set_autocast_enabled("cpu", others[1])
    for name, (_, put_back) in _SETTINGS_OF.items():
        if name in before and name in sys.modules:
            put_back(sys.modules[name], before[name])


_SETTINGS_OF: Mapping[str, tuple[Callable[[Any], Any], Callable[[Any, Any], object]]] = MappingProxyType(
    {
        "socket": (lambda it: it.getdefaulttimeout(), lambda it, old: it.setdefaulttimeout(old)),
        "decimal": (_decimals, _put_back_decimals),
        "multiprocessing": (
            # Whoever starts a process first makes the default the method: that is not a change.
            lambda it: it.get_start_method(allow_none=True) or it.get_all_start_methods()[0],
            lambda it, old: it.set_start_method(old, force=True),
        ),
    }
)
"""How settings of a module are read and put back, where it is loaded."""
