"""The protocol of an evaluation: every choice that moves a number, under one short id.

Figures of two protocols do not compare. Not part of it are settings that only select columns
(``eval_at``), that leave the distribution of samples unchanged (seed, batch size), or should (the engine).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field

from saferec_core.config.choices import OracleChoice, Section
from saferec_core.config.schema import RunConfig
from saferec_core.config.sections import EvaluationConfig, StandaloneEvaluation
from saferec_core.config.value_types import EmptyList, IdealDcg, Preset, Removal, TitleMatching
from saferec_core.data.catalog import Catalog
from saferec_core.files import data_hash, json_hash
from saferec_core.models.completions import Decoding
from saferec_core.plugins.contracts.oracle import Oracle
from saferec_core.plugins.registry import entry_of
from saferec_core.plugins.side_by_side import oracles_in

__all__ = ["PRESETS", "EvaluationProtocol", "described", "described_oracles", "protocol_of"]

PRESETS: Mapping[Preset, Mapping[str, str]] = MappingProxyType(
    {
        "saferec": {},
        "rank-grpo": {
            "seen": "removed",
            "out_of_catalog": "removed",
            "title_matching": "exact",
            "ideal_dcg": "list",
        },
        "safe-training": {
            "seen": "removed",
            "out_of_catalog": "removed",
            "title_matching": "exact",
            "ideal_dcg": "list",
            "empty_list": "safe",
        },
    }
)
"""How lists are scored, by preset.

``rank-grpo`` is what the reference implementation of Rank-GRPO (arXiv 2510.20150) computes, ``safe-training``
that of the Safe-Rank-GRPO paper. Their figures were made with greedy decoding, at most 1,024
tokens, K = 20 and a year tolerance of 2; a preset leaves these to the run, whose lists may be shorter.
"""


class EvaluationProtocol(Section):
    """What has to be alike for two figures to be compared."""

    seen: Removal = "miss"
    """Whether a title the user has seen keeps its rank as a miss, or is removed before ranking."""
    duplicates: Removal = "miss"
    """Likewise for a title that repeats an earlier one."""
    out_of_catalog: Removal = "miss"
    """Likewise for a title that may not be recommended."""
    title_matching: TitleMatching = "normal-form"
    """How titles are matched where hits are looked for; see `saferec_core.evaluation.protocol_lists`."""
    ideal_dcg: IdealDcg = "truth"
    """What NDCG compares with: as many hits as there are relevant titles, or as the list has room for."""
    empty_list: EmptyList = "no-value"
    """What an empty list has for a share of violations: no value, or none at all, as if it were safe."""
    year_tolerance: int
    """Maximum difference in release year, in years, when matching titles."""
    match_subtitles: bool = False
    """Whether a title is also matched with the only one of its year that has a subtitle, or lacks it."""
    num_ranks: int
    """K: what a list holds beyond it is not looked at."""
    only_traits: tuple[str, ...] = ()
    """Only records with one of these constraints are used; none: all records."""
    decoding: Literal["greedy", "sampled"]
    """The most likely token each time, or sampled."""
    temperature: float | None = None
    """Temperature of sampled decoding; None if greedy."""
    top_p: float | None = None
    """Share of the probability that sampled decoding draws from; None if greedy."""
    samples: int = 1
    """Completions per record."""
    guided: bool = False
    """Whether only lists of titles that the user may be shown could be written."""
    unknown: Literal["allow", "forbid"] | None = None
    """Whether guided lists may hold titles that the oracle cannot judge; None if lists are free."""
    list_marker: str | None = None
    """Text that ends free reasoning in front of a guided list; None if there is none, or lists are free."""
    max_completion_length: int
    """Tokens after which a completion is cut off."""
    parser: str
    """What reads titles out of a completion, with its options."""
    catalog: str
    """Hash of the titles that may be recommended."""
    metrics: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Options of metrics that the run sets, by name."""
    metrics_of_others: dict[str, str] = Field(default_factory=dict)
    """Distribution and version of metrics that are not saferec's own, by name."""
    oracle: str | None = None
    """The oracle, with its options, files by their hashes; None: there is no oracle."""

    @property
    def preset(self) -> str:
        """Name of the preset that these choices are, or ``"custom"``."""
        scoring = {name: getattr(self, name) for name in _SCORING}
        known = ((name, {**_DEFAULTS, **choices}) for name, choices in PRESETS.items())
        return next((name for name, choices in known if choices == scoring), "custom")

    @property
    def short(self) -> str:
        """Eight hexadecimal digits that are the same wherever all choices are."""
        unset = set() if self.metrics else {"metrics"}  # ids of earlier versions did not have these
        unset |= set() if self.guided else {"guided", "unknown"}
        unset |= self._newer
        return json_hash(self.model_dump(mode="json", exclude=unset))[:8]

    @property
    def _newer(self) -> set[str]:
        """Choices that results of earlier versions do not state, where they are as they were then."""
        newer = ("list_marker", "match_subtitles", "metrics_of_others")
        return {name for name in newer if not getattr(self, name)}

    @property
    def id(self) -> str:
        """A short name, such as ``saferec-greedy-K20-1f0c33a9``."""
        drawn = "greedy"
        if self.decoding == "sampled":
            drawn = f"t{self.temperature:g}-p{self.top_p:g}-n{self.samples}"
        if self.guided:
            drawn += "-guided"
        return f"{self.preset}-{drawn}-K{self.num_ranks}-{self.short}"

    @property
    def decoding_name(self) -> str:
        """What files call the decoding: ``greedy``, ``sampled``, each also with ``-guided`` behind it."""
        return f"{self.decoding}-guided" if self.guided else self.decoding

    @property
    def metric_options(self) -> dict[str, str]:
        """Options that every metric takes over which has them and for which the run sets no others."""
        return {"ideal": self.ideal_dcg, "empty": self.empty_list}

    def facts(self) -> dict[str, Any]:
        """Return the id and every choice, as results keep them."""
        return {"id": self.id, **self.model_dump(mode="json", exclude=self._newer)}

    def drawing(self, *, batch_size: int, seed: int) -> Decoding:
        """Return the decoding, completed by the settings that are not part of a protocol."""
        return Decoding(
            self.decoding,
            self.max_completion_length,
            temperature=1.0 if self.temperature is None else self.temperature,
            top_p=1.0 if self.top_p is None else self.top_p,
            samples=self.samples,
            batch_size=batch_size,
            seed=seed,
        )


_SCORING = ("seen", "duplicates", "out_of_catalog", "title_matching", "ideal_dcg", "empty_list")
_DEFAULTS = {name: EvaluationProtocol.model_fields[name].default for name in _SCORING}


def protocol_of(
    config: RunConfig,
    decoding: Literal["greedy", "sampled"],
    *,
    catalog: Catalog,
    parser: object,
    oracle: Oracle | None,
    metrics_of_others: Mapping[str, str] | None = None,
) -> EvaluationProtocol:
    """Return the protocol that a run's settings describe: the preset, then the choices made singly.

    Args:
        config: The run.
        decoding: Which of its decodings.
        catalog: The catalog that lists are checked against.
        parser: The parser as it was built.
        oracle: The oracle as it was built, if any.
        metrics_of_others: Distribution and version of metrics that are not saferec's own, by name.
    """
    settings = config.evaluation
    sampled = decoding == "sampled"
    return EvaluationProtocol.model_validate(
        {
            **PRESETS[settings.protocol],
            **_chosen(settings),
            "year_tolerance": catalog.year_tolerance,
            "match_subtitles": catalog.match_subtitles,
            "num_ranks": config.num_ranks,
            "only_traits": tuple(sorted(set(settings.eval_traits))),
            "decoding": decoding,
            "temperature": settings.eval_temperature if sampled else None,
            "top_p": settings.eval_top_p if sampled else None,
            "samples": settings.eval_samples if sampled else 1,
            **_guidance(settings, config.data.list_marker),
            "max_completion_length": config.max_completion_length,
            "parser": described(config.data.parser.name, parser),
            "catalog": catalog.content_hash[:12],
            "metrics": settings.eval_metric_options,
            "metrics_of_others": dict(metrics_of_others or {}),
            "oracle": None if config.oracle is None else described_oracles(config.oracle, oracle),
        }
    )


def described_oracles(choice: OracleChoice, oracle: Oracle | None) -> str:
    """Write down each oracle that stands side by side with its options, files by their hashes."""
    built = () if oracle is None else oracles_in(oracle)
    return " + ".join(described(each.name, one) for each, one in zip(choice.each, built, strict=True))


def _guidance(settings: EvaluationConfig, list_marker: str | None) -> dict[str, Any]:
    if not isinstance(settings, StandaloneEvaluation) or not settings.guided:
        return {}
    return {"guided": True, "unknown": settings.unknown, "list_marker": list_marker}


def described(name: str, component: object) -> str:
    """Write a component with the values of its options; a file by the hash of what it holds.

    One of another plugin than saferec's own is written with distribution and version: another release may
    read lists, or judge titles, otherwise.
    """
    entry = entry_of(component)
    if entry is not None and not entry.origin.is_built_in:
        name = f"{name} of {entry.origin.supplier}"
    if not dataclasses.is_dataclass(component):
        return name
    options = [field.name for field in dataclasses.fields(component) if field.init]
    written = ", ".join(f"{option}={_value(getattr(component, option))}" for option in options)
    return f"{name} ({written})" if written else name


def _chosen(settings: EvaluationConfig) -> dict[str, str]:
    chosen = {name: getattr(settings, f"eval_{name}") for name in _SCORING}
    return {name: choice for name, choice in chosen.items() if choice is not None}


def _value(value: Any) -> str:
    named = isinstance(value, Path) or (isinstance(value, str) and ("/" in value or "." in value))
    if named and Path(value).exists():
        return f"sha256:{data_hash(Path(value))[:12]}"
    return str(value)
