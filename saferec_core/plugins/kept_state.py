"""The state of a component between steps, as checkpoints keep it and give it back."""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from saferec_core.errors import PluginError
from saferec_core.plugins.calls import calling, undisturbed

__all__ = ["has_state", "kept_state"]

_AS_IT_IS = {type(None), bool, int, float, complex, str, bytes, torch.dtype, torch.device, torch.Size}


def has_state(component: object, what: str) -> bool:
    """Whether a component has a state of its own, that is ``state_dict`` and ``load_state_dict``.

    Raises:
        PluginError: It has one of the two, so that its state would be lost without a word.
    """
    names = ("state_dict", "load_state_dict")
    present = [name for name in names if callable(getattr(component, name, None))]
    if len(present) == 1:
        (missing,) = {*names} - {*present}
        raise PluginError(
            f"{what} has {present[0]} and no {missing}: a component with a state needs both, one without a "
            "state neither"
        )
    return bool(present)


def kept_state(component: Any, what: str) -> Any:
    """Return a copy of a component's state, of types that a checkpoint is read in without running code.

    Args:
        component: It has ``state_dict``.
        what: The component, as errors name it.

    Raises:
        PluginError: It failed, or its state holds something else, which could be written and never be read.
    """
    with undisturbed(what), calling(what, doing=" to return its state"):
        state = component.state_dict()
        return _copy(state, what, "state_dict()")


def _copy(value: Any, what: str, path: str) -> Any:
    kind = type(value)
    if kind in _AS_IT_IS:
        return value
    if kind is Tensor or kind is Parameter:
        return value.detach().clone()
    if kind in {list, tuple}:
        return kind(_copy(item, what, f"{path}[{index}]") for index, item in enumerate(value))
    if kind is set:
        return {_copy(item, what, f"an item of {path}") for item in value}
    if kind in {dict, OrderedDict, Counter}:
        copied: dict[Any, Any] = kind()
        for key, item in value.items():
            copied[_copy(key, what, f"a key of {path}")] = _copy(item, what, f"{path}[{key!r}]")
        return copied
    hint = "; convert what is of NumPy, with float(...) or torch.as_tensor(...)"
    name = f"{kind.__module__}.{kind.__qualname__}"
    raise PluginError(
        f"{what} has a state that no checkpoint can give back: {path} is of the type {name}. A state "
        "consists of tensors, numbers, text, and lists, tuples, sets and dictionaries of these"
        f"{hint if kind.__module__ == 'numpy' else ''}"
    )
