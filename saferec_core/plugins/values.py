"""Check and convert, in one place, the numbers that components return.

Accepted are tensors and NumPy arrays of the right shape, of any real type and on any device; they are
detached, brought to the CPU and converted. Everything else is refused by name, and so is what the
conversion would change: a number that is finite in float64 and infinite in float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import Parameter

from saferec_core.errors import PluginError

__all__ = ["LARGEST", "as_values"]

LARGEST = 1e15
"""Largest size of a reward or an advantage: a larger one, squared for a deviation, overflows float32."""


def as_values(
    value: Any,
    what: str,
    shape: tuple[int, ...],
    axes: str,
    *,
    dtype: torch.dtype = torch.float32,
    integers: bool = True,
    nan: bool = True,
    largest: float = LARGEST,
    error: type[PluginError] = PluginError,
) -> Tensor:
    """Return what a component returned as a tensor of its own on the CPU.

    Args:
        value: What it returned.
        what: The component, as errors name it.
        shape: The expected shape.
        axes: The same in words, such as ``"(N, K)"``.
        dtype: The expected type.
        integers: Whether integers and truth values are converted; else they are refused.
        nan: Whether NaN, that is "no value", is allowed.
        largest: Numbers of a larger size are refused.
        error: The class of the error.

    Raises:
        PluginError: It is not a tensor of real numbers, has another shape, or holds an infinite number.
    """
    wanted = f"{axes} = {shape}" if shape else axes
    bound = "" if largest > LARGEST else f", at most {largest:g} in size"
    if type(value) is np.ndarray and value.dtype.kind in "fiub":  # a masked array hides what has no value
        is_known = value.dtype.isnative and value.dtype.itemsize <= 8  # to torch
        value = torch.from_numpy(np.array(value, dtype=None if is_known else np.float64))
    if not isinstance(value, Tensor) or type(value) not in {Tensor, Parameter} or value.is_nested:
        raise error(
            f"{what} must return a tensor {'' if shape else 'of '}{wanted}, but returned {_kind(value)}"
        )
    if tuple(value.shape) != shape:
        raise error(f"{what} must return {wanted}, but returned {tuple(value.shape)}")
    if (
        value.layout != torch.strided
        or value.is_complex()
        or value.is_quantized
        or value.device.type == "meta"
    ):
        raise error(f"{what} must return real numbers, but returned {_kind(value)}")
    if not value.is_floating_point() and not integers:
        raise error(
            f"{what} must return floating-point numbers, but returned {value.dtype}, which cuts fractions off"
        )
    exact = value.detach().to(device="cpu", dtype=torch.float64, copy=True)
    wrong = exact.abs() > largest if nan else (exact.abs() > largest) | exact.isnan()
    if wrong.any():
        index = wrong.nonzero()[0].tolist() if shape else []
        allowed = "finite values or NaN for 'no value'" if nan else "finite values"
        raise error(
            f"{what} must return {allowed}{bound}, but returned "
            f"{exact[tuple(index)].item()}{_position(index)}"
        )
    return exact.to(dtype)


def _kind(value: Any) -> str:
    """Say what came instead of a tensor of numbers."""
    if isinstance(value, Tensor) and type(value) not in {Tensor, Parameter}:
        return f"a tensor of the class {type(value).__name__}"
    if isinstance(value, Tensor) and value.is_nested:
        return "a nested tensor"
    if isinstance(value, Tensor):
        return f"a tensor of {value.dtype}, {value.layout}, on {value.device}"
    if isinstance(value, np.ndarray) and type(value) is not np.ndarray:
        return f"an array of the class {type(value).__name__}"
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}"
    return "None (is a return statement missing?)" if value is None else type(value).__name__


def _position(index: list[int]) -> str:
    if not index:
        return ""
    rank = f" at rank {index[1] + 1}" if len(index) > 1 else ""
    return f" for completion {index[0] + 1}{rank}"
