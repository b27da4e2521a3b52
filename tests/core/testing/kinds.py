"""What the tests of all contracts share."""

from __future__ import annotations

from saferec_core.testing.contract import Contract, failures_of, properties_of

COMMON = properties_of(Contract)


def own_properties(contract):
    """Return the properties that a kind adds to those of every kind."""
    return [name for name in properties_of(contract) if name not in COMMON]


def only(contract, component, **samples):
    """Return the one property that *component* does not hold, or all of them in words."""
    failures = failures_of(contract, component, **{"examples": 10, **samples})
    return next(iter(failures)) if len(failures) == 1 else failures
