"""Learning rates that cannot move the weights of a checkpoint, found before anything is loaded or trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from saferec_core.config.schema import SftConfig, StageConfig, TrainConfig
from saferec_core.preflight.problems import Problems
from saferec_core.preflight.stored_weights import model_folder, stored_weights
from saferec_core.training.rates import stuck_weights

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["check_rates"]


def check_rates(problems: Problems, config: StageConfig) -> None:
    """Check the learning rates of all stages of a run against the weights that it starts from.

    Safe SFT moves them, but hardly their size: a rate that cannot move them before it cannot move them after.
    Adapters start anew, and any rate moves them.
    """
    assert isinstance(config, SftConfig | TrainConfig)
    folder = None if config.model.use_lora else model_folder(config)
    if folder is None:
        return
    rates = {"--learning-rate": config.optimization.learning_rate}
    if isinstance(config, TrainConfig) and config.sft_comes_first:
        first = "sft.optimization.learning_rate (--set)"
        rates = {first: config.sft_config().optimization.learning_rate, **rates}
    dtype = "float32" if config.model.dtype == "auto" else config.model.dtype
    samples = [sample for weight in stored_weights(folder) if (sample := weight.sample()) is not None]
    number = sum(sample.size for sample in samples)
    for setting, rate in rates.items():
        stuck = sum(_stuck(sample, rate, dtype) for sample in samples)
        if number and (problem := stuck_weights(rate, dtype, stuck / number, setting)):
            problems.add(f"{setting}: {problem}")


def _stuck(values: npt.NDArray[np.float32], rate: float, dtype: str) -> int:
    """Count the values that a rate can be neither added to nor subtracted from in a data type."""
    import numpy as np

    exact = _rounded(values, dtype).astype(np.float64)
    up, down = (_rounded((exact + step).astype(np.float32), dtype) for step in (rate, -rate))
    return int(((up == exact) & (down == exact)).sum())


def _rounded(values: npt.NDArray[np.float32], dtype: str) -> npt.NDArray[np.float32]:
    """Round to the nearest number of a data type, ties to even."""
    import numpy as np

    if dtype == "float16":
        return values.astype(np.float16).astype(np.float32)
    if dtype == "bfloat16":
        bits = values.view(np.uint32)
        even = bits + np.uint32(0x7FFF) + ((bits >> 16) & 1)
        return (even & np.uint32(0xFFFF0000)).view(np.float32)
    return values
