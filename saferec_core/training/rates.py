"""Learning rates that cannot move the weights, in words; without torch."""

from __future__ import annotations

__all__ = ["ENOUGH", "REMEDY", "stuck_weights"]

ENOUGH = 0.5
"""Share of the weights with a gradient that an optimizer step has to move."""

_RAISE_IT = "Raise {setting}."
REMEDY = (
    "Leave --dtype out, so that trained weights are kept in float32 (--bf16 still computes in bfloat16), or "
    "raise {setting}."
)
"""What helps where weights in 16 bits hardly move."""


def stuck_weights(rate: float, dtype: str, share: float, setting: str = "--learning-rate") -> str:
    """Explain that a learning rate cannot train weights; empty if it can.

    Args:
        rate: The rate.
        dtype: Type of the weights that are trained, such as ``bfloat16``.
        share: Share of the weights to which the rate can neither be added nor subtracted.
        setting: What sets the rate.
    """
    if share <= 1 - ENOUGH:
        return ""
    what_to_do = (_RAISE_IT if dtype == "float32" else REMEDY).format(setting=setting)
    return (
        f"a learning rate of {rate:g} cannot train these weights: in {dtype}, {share:.1%} of them "
        f"remain unchanged when it is added. {what_to_do}"
    )
