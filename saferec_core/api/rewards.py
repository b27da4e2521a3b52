"""Rewards for other trainers: as a reward function of TRL, and as a score function of verl."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch

from saferec_core.api.inputs import load_catalog, load_oracle, parser_named
from saferec_core.api.lists import CatalogLike, OracleLike
from saferec_core.config.choices import DEFAULT_PARSER
from saferec_core.data.records import record_of
from saferec_core.errors import ConfigError, RewardError
from saferec_core.plugins.build import build
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.manager import load_plugins
from saferec_core.rl.rewards import ActiveReward, score

__all__ = ["as_trl_reward", "as_verl_score"]

Reduce = Literal["mean", "sum"]


class _ListReward:
    """A reward function that values whole completions; values by rank are reduced over the written ranks."""

    def __init__(
        self,
        name: str,
        catalog: CatalogLike,
        oracle: OracleLike | None,
        num_ranks: int,
        reduce: Reduce,
        parser: str,
        year_tolerance: int,
        options: Mapping[str, Any],
    ) -> None:
        plugins = load_plugins()
        function = build(plugins.find(plugins.rewards, name), options)
        if function.needs_oracle and oracle is None:
            raise ConfigError(f"reward {name!r} needs an oracle; give oracle=")
        self._reward = ActiveReward(name, function, 1.0)
        known = None if oracle is None else load_oracle(oracle, year_tolerance=year_tolerance)
        self._judge = Judge(load_catalog(catalog, year_tolerance=year_tolerance), known)
        self._parser, self._num_ranks, self._reduce = parser_named(parser), num_ranks, reduce

    def values(self, texts: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> list[float | None]:
        """Return a value for each completion, None where it has none."""
        needs = dict.fromkeys(self._reward.function.columns, f"reward {self._reward.name!r}")
        records = [record_of(dict(row), needs=needs) for row in rows]
        lists = JudgedLists([self._parser(text) for text in texts], records, self._judge, self._num_ranks)
        scored = score([self._reward], lists)
        (values,) = scored.by_function([self._reward])
        if values.dim() > 1:
            present = ~values.isnan()
            sums = torch.where(present, values, 0.0).sum(1)
            counts = present.sum(1)
            reduced = sums / counts.clamp(min=1) if self._reduce == "mean" else sums
            values = torch.where(counts > 0, reduced, torch.nan)
        return [None if value != value else value for value in values.tolist()]


def as_trl_reward(
    name: str,
    *,
    catalog: CatalogLike,
    oracle: OracleLike | None = None,
    num_ranks: int = 10,
    reduce: Reduce = "mean",
    parser: str = DEFAULT_PARSER.name,
    year_tolerance: int = 2,
    **options: Any,
) -> Callable[..., list[float | None]]:
    """Return an installed reward as a reward function of TRL's ``GRPOTrainer``.

    The trainer calls it with ``prompts``, ``completions`` and the columns of its dataset, of which
    ``groundtruth_with_release_year``, ``seen_titles`` and ``constraints`` are read. TRL knows one value per
    completion: values by rank are reduced, so that credit by rank, which `saferec train` gives, is lost.

    Args:
        name: Name of the reward, such as ``"safety"``.
        catalog: The titles that may be recommended.
        oracle: Judges violations, for rewards that need it.
        num_ranks: K, the ranks that are rewarded.
        reduce: How the values of the written ranks become one.
        parser: Name of the parser that reads completions.
        year_tolerance: Maximum difference in release year, in years, when matching titles.
        options: Options of the reward.

    Raises:
        SaferecError: The reward is unknown, an option is refused, or it needs an oracle.
    """
    reward = _ListReward(name, catalog, oracle, num_ranks, reduce, parser, year_tolerance, options)

    def function(prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
        rows = [
            {"prompt": prompt, **{column: columns[column][n] for column in _COLUMNS if columns.get(column)}}
            for n, prompt in enumerate(prompts)
        ]
        return reward.values([_text(completion) for completion in completions], rows)

    function.__name__ = name  # what TRL logs it under
    return function


def as_verl_score(
    name: str,
    *,
    catalog: CatalogLike,
    oracle: OracleLike | None = None,
    num_ranks: int = 10,
    reduce: Reduce = "mean",
    parser: str = DEFAULT_PARSER.name,
    year_tolerance: int = 2,
    without_value: float | None = None,
    **options: Any,
) -> Callable[..., float]:
    """Return an installed reward as a ``compute_score`` function of verl.

    It is called with ``data_source``, ``solution_str``, ``ground_truth`` (``[title, year]`` pairs) and
    ``extra_info``, of which ``seen_titles`` and ``constraints`` are read.

    Args:
        name: Name of the reward; arguments not described here are those of `as_trl_reward`.
        catalog: The titles that may be recommended.
        oracle: Judges violations, for rewards that need it.
        num_ranks: K, the ranks that are rewarded.
        reduce: How the values of the written ranks become one.
        parser: Name of the parser that reads completions.
        year_tolerance: Maximum difference in release year, in years, when matching titles.
        without_value: What a completion scores that has no value, such as the safety of an empty list; None:
            it is an error, since verl cannot leave a completion out and a 0 would teach something.
        options: Options of the reward.

    Raises:
        SaferecError: As for `as_trl_reward`.
        RewardError: When called: the completion has no value, and *without_value* is None.
    """
    reward = _ListReward(name, catalog, oracle, num_ranks, reduce, parser, year_tolerance, options)

    def compute_score(
        data_source: str,  # noqa: ARG001 - verl passes it by name
        solution_str: str,
        ground_truth: Sequence[Any],
        extra_info: Mapping[str, Any] | None = None,
    ) -> float:
        extra = {key: value for key, value in (extra_info or {}).items() if key in _COLUMNS}
        row = {"prompt": "-", **extra, "groundtruth_with_release_year": list(ground_truth)}
        (value,) = reward.values([solution_str], [row])
        if value is None and without_value is None:
            raise RewardError(
                f"reward {name!r} has no value for {solution_str!r:.200}; give as_verl_score without_value= "
                "to say what such a completion scores"
            )
        return float(without_value) if value is None else value  # type: ignore[arg-type]

    return compute_score


_COLUMNS = ("groundtruth_with_release_year", "seen_titles", "constraints")


def _text(completion: Any) -> str:
    """Return what the policy wrote: a text, or the last message of a conversation."""
    return str(completion) if isinstance(completion, str) else str(completion[-1]["content"])
