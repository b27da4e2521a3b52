"""Limits: constraints that carry a number, such as ``max_runtime=100``."""

from __future__ import annotations

from saferec_core.plugins.contracts.parameters import Parameter, ParameterTraits

__all__ = ["MAX_RUNTIME", "MIN_YEAR", "TIME_AT_HAND", "TRAITS"]

MAX_RUNTIME = Parameter("max_runtime", int, example=100)
"""The most minutes that a film may last."""
MIN_YEAR = Parameter("min_year", int, example=1990)
"""The first year that a film may be of."""
TIME_AT_HAND = "fits the time at hand"
"""A film that the user has time for, as the record says."""
TRAITS = ParameterTraits(MAX_RUNTIME, MIN_YEAR)
"""What the oracle of limits judges."""
