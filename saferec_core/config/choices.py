"""Sections that name a component of a plugin, and what every section is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from saferec_core.config.lists import with_lists

__all__ = [
    "DEFAULT_METRICS",
    "DEFAULT_ORACLE",
    "DEFAULT_PARSER",
    "ComponentChoice",
    "OracleChoice",
    "RewardCalls",
    "RewardChoice",
    "Section",
]


class Section(BaseModel):
    """A group of settings: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _lists_of_one(cls, settings: Any) -> Any:
        if not isinstance(settings, Mapping):
            return settings
        return with_lists(settings, {name: field.annotation for name, field in cls.model_fields.items()})


class ComponentChoice(Section):
    """A plugin component by name; every other key is an option of the component."""

    model_config = ConfigDict(extra="allow")

    name: str
    """Name under which a plugin registered it; see ``saferec plugins list``."""

    @property
    def options(self) -> dict[str, Any]:
        """The component's options."""
        return dict(self.model_extra or {})


class OracleChoice(ComponentChoice):
    """An oracle by name, with the oracles that judge further constraints; other keys are its options."""

    beside: tuple[ComponentChoice, ...] = Field(default=(), exclude_if=lambda beside: not beside)
    """Further oracles, each for the traits that it names; every constraint has one oracle that judges it."""

    @property
    def each(self) -> tuple[ComponentChoice, ...]:
        """Every oracle by itself, this one first."""
        return ComponentChoice(name=self.name, **self.options), *self.beside

    @property
    def names(self) -> str:
        """The names of all of them."""
        return " + ".join(choice.name for choice in self.each)


DEFAULT_PARSER = ComponentChoice(name="title-year")
"""How lists are read and written unless a configuration names another parser."""


DEFAULT_ORACLE = "table"
"""Which oracle reads a file of risks that is named without an oracle."""


DEFAULT_METRICS = "default"
"""What stands for saferec's own metrics in ``eval_metrics``."""


class RewardCalls(Section):
    """How a reward function is called."""

    timeout: float | None = Field(default=600, gt=0)
    """Seconds that a call may take for one generation batch; none: no limit."""
    on_error: Literal["fail", "drop"] = "fail"
    """What a failure does: end the run, or leave the completions that it is about without a value."""
    cache: bool = False
    """Keep the values of lists that were rewarded before, for a reward that declares to be deterministic."""
    processes: int | None = Field(default=None, ge=1, exclude_if=lambda number: number is None)
    """Processes that share the completions of a batch, for a slow reward without a state; a timeout kills
    them, also where they compute outside of Python. By default it is called in the run's own process, where
    a timeout interrupts Python code only."""


class RewardChoice(Section):
    """A reward function's weight and calls; every other key is an option of the reward function."""

    model_config = ConfigDict(extra="allow")

    weight: float = Field(default=1.0, ge=0)
    """Weight of the reward when the normalizer combines rewards; 0 disables it."""
    calls: RewardCalls | None = None
    """How the function is called: timeout (seconds), on_error (fail, drop), cache, processes."""

    @property
    def options(self) -> dict[str, Any]:
        """The reward function's options."""
        return dict(self.model_extra or {})
