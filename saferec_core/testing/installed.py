"""Try the contracts on components as they are installed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from saferec_core.data.rows import Row
from saferec_core.errors import ConfigError
from saferec_core.plugins.build import build
from saferec_core.plugins.offered import Plugins
from saferec_core.plugins.registry import Entry
from saferec_core.testing.contract import Contract, Tried, tried_on

__all__ = ["Checked", "check_installed", "check_observer_installed"]

_CONTRACTS: Mapping[str, str] = {
    "reward": "RewardContract",
    "oracle": "OracleContract",
    "normalizer": "NormalizerContract",
    "metric": "MetricContract",
    "transform": "TransformContract",
    "parser": "ParserContract",
    "evidence": "EvidenceContract",
    "alarm": "AlarmContract",
}


@dataclass(frozen=True)
class Checked:
    """What a check of one component has come to."""

    entry: Entry[Any]
    properties: int = 0
    """How many properties were tried; those that do not apply are not."""
    failures: Mapping[str, str] = field(default_factory=dict)
    """Why each property that does not hold does not, by its name."""
    inapplicable: Mapping[str, str] = field(default_factory=dict)
    """Why each property that does not apply to it does not, by its name."""
    not_checked: str = ""
    """Why nothing was tried, such as an option that only the user can give; empty if it was."""


def check_installed(
    entry: Entry[Any], options: Mapping[str, Any] | None = None, rows: Sequence[Row] = ()
) -> Checked:
    """Build a component as a run would, and try every property of the contract of its kind.

    Args:
        entry: The registered component.
        options: Options by name.
        rows: Rows such as it reads, for transforms and evidence sources; transforms have rows to begin with.
            Of an oracle that declares columns the first row is the record.

    Raises:
        PluginError: It cannot be loaded or built.
    """
    if entry.kind == "evidence" and not rows:
        return Checked(entry, not_checked="it needs rows such as it reads: --rows FILE")
    try:
        component = build(entry, options or {})
    except ConfigError as error:
        return Checked(entry, not_checked=str(error))
    contract = _contract_of(entry.kind)
    if not rows and (columns := _columns_beyond_the_samples(entry.kind, component, contract)):
        return Checked(entry, not_checked=f"it needs rows with the columns {', '.join(columns)}: --rows FILE")
    samples: dict[str, Any] = {}
    if rows and entry.kind == "oracle" and component.columns:
        samples = {"record": rows[0]}
    elif rows and entry.kind in {"evidence", "transform"}:
        samples = {"rows": tuple(rows)}
    tried = tried_on(contract, component, **samples)
    if entry.kind == "transform" and not rows and (refusal := _refusal(tried.failures)):
        return Checked(entry, not_checked=f"it refuses the rows that the kit has ({refusal}): --rows FILE")
    return _checked(entry, tried)


def check_observer_installed(name: str, plugins: Plugins) -> Checked:
    """Try every property of the contract of observers on what a distribution observes runs with."""
    from saferec_core.testing.observer import ObserverContract  # like the other contracts, where it is needed

    origin, observer = plugins.observers()[name]
    entry: Entry[Any] = Entry("observer", name, "", "Observes runs.", origin)
    return _checked(entry, tried_on(ObserverContract, observer))


def _checked(entry: Entry[Any], tried: Tried) -> Checked:
    return Checked(entry, len(tried.held) + len(tried.failures), tried.failures, tried.inapplicable)


def _columns_beyond_the_samples(kind: str, component: Any, contract: Any) -> tuple[str, ...]:
    """Return the columns that a component declares, if the rows that the kit has lack one of them."""
    if kind not in {"oracle", "transform"}:
        return ()
    columns: tuple[str, ...] = component.columns
    here = contract.rows[0] if kind == "transform" else {}
    return columns if any(column not in here for column in columns) else ()


def _refusal(failures: Mapping[str, str]) -> str:
    """Return what a component finds wrong with its rows; empty if that is not why it fails."""
    _, is_refused, reason = failures.get("test_it_answers", "").partition("DataError: ")
    return reason if is_refused else ""


def _contract_of(kind: str) -> type[Contract[Any]]:
    contract: type[Contract[Any]] = getattr(import_module(f"saferec_core.testing.{kind}"), _CONTRACTS[kind])
    return contract
