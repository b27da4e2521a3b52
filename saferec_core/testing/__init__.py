"""Contracts that a plugin's author can test against; the built-in plugins hold them.

Every property as a test of its own, with pytest::

    from saferec_core.testing import RewardContract

    class TestNovelty(RewardContract):
        def make(self):
            return Novelty(since=1990)

or all at once, with one error that lists every property that does not hold::

    from saferec_core.testing import check_reward

    check_reward(Novelty(since=1990))

Needs ``saferec[testing]``. What needs no torch, such as a parser's contract, imports none.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from saferec_core.errors import ConfigError

if TYPE_CHECKING:
    from saferec_core.testing.alarm import AlarmContract, check_alarm
    from saferec_core.testing.contract import Contract, ContractError
    from saferec_core.testing.escapes import check_no_escape
    from saferec_core.testing.evidence import EvidenceContract, check_evidence
    from saferec_core.testing.installed import Checked, check_installed
    from saferec_core.testing.metric import MetricContract, check_metric
    from saferec_core.testing.normalizer import NormalizerContract, check_normalizer
    from saferec_core.testing.observer import ObserverContract, check_observer
    from saferec_core.testing.oracle import OracleContract, check_oracle
    from saferec_core.testing.parser import ParserContract, check_parser
    from saferec_core.testing.reward import RewardContract, check_reward
    from saferec_core.testing.stated_oracle import StatedOracle
    from saferec_core.testing.titles import TITLES
    from saferec_core.testing.transform import ROWS, TransformContract, check_transform
    from saferec_core.testing.world import judged_lists, listing

__all__ = [
    "ROWS",
    "TITLES",
    "AlarmContract",
    "Checked",
    "Contract",
    "ContractError",
    "EvidenceContract",
    "MetricContract",
    "NormalizerContract",
    "ObserverContract",
    "OracleContract",
    "ParserContract",
    "RewardContract",
    "StatedOracle",
    "TransformContract",
    "check_alarm",
    "check_evidence",
    "check_installed",
    "check_metric",
    "check_no_escape",
    "check_normalizer",
    "check_observer",
    "check_oracle",
    "check_parser",
    "check_reward",
    "check_transform",
    "judged_lists",
    "listing",
]

_MODULES = {
    "alarm": ("AlarmContract", "check_alarm"),
    "contract": ("Contract", "ContractError"),
    "escapes": ("check_no_escape",),
    "evidence": ("EvidenceContract", "check_evidence"),
    "installed": ("Checked", "check_installed"),
    "metric": ("MetricContract", "check_metric"),
    "normalizer": ("NormalizerContract", "check_normalizer"),
    "observer": ("ObserverContract", "check_observer"),
    "oracle": ("OracleContract", "check_oracle"),
    "parser": ("ParserContract", "check_parser"),
    "reward": ("RewardContract", "check_reward"),
    "stated_oracle": ("StatedOracle",),
    "titles": ("TITLES",),
    "transform": ("ROWS", "TransformContract", "check_transform"),
    "world": ("judged_lists", "listing"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import what is asked for, and torch only where that needs it."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(f"{__name__}.{_MODULE_OF[name]}")
    except ModuleNotFoundError as error:
        if error.name != "hypothesis":
            raise
        raise ConfigError(
            "the contracts draw examples with hypothesis, which is not installed; "
            "pip install 'saferec[testing]'"
        ) from error
    return getattr(module, name)
