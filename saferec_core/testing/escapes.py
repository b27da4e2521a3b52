"""Probes for ways to earn reward without recommending anything good.

A policy finds whatever pays. Here completions that no user wants stand in groups of siblings as a policy
would sample them, and the advantage that they would be trained with is compared with that of an honest
list: unseen, safe titles of the catalog, two of them relevant.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from types import MappingProxyType

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from saferec_core.config.sections import DataConfig, LimitsConfig
from saferec_core.data.catalog import Catalog
from saferec_core.data.titles import Title
from saferec_core.errors import ConfigError
from saferec_core.plugins.build import chosen
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.normalizer import Normalizer
from saferec_core.plugins.contracts.parser import ListParser
from saferec_core.plugins.manager import load_plugins
from saferec_core.rl.credit import credit
from saferec_core.rl.limits import Limits, limits_of
from saferec_core.rl.rewards import ActiveReward, RewardValues, score
from saferec_core.testing.probes import (
    ALIASES,
    NUM_RANKS,
    PROBES,
    RECORD,
    WORLD,
    ProbeOracle,
    honest_titles,
    lines,
)

__all__ = ["POLICIES", "Escape", "Policy", "check_no_escape", "escapes"]

GROUP = 8
PROMPTS = 32
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Policy:
    """What the siblings of a probe are like: the share of their titles that ..."""

    hits: float
    violations: float
    wasted: float
    """... repeat an earlier one or were seen."""


POLICIES: Mapping[str, Policy] = {
    "careless": Policy(hits=0.15, violations=0.25, wasted=0.05),
    "irrelevant and careless": Policy(hits=0.03, violations=0.25, wasted=0.0),
    "trained": Policy(hits=0.4, violations=0.02, wasted=0.0),
    "wasteful": Policy(hits=0.1, violations=0.05, wasted=0.4),
}
"""Policies at several stages of training; what pays must not depend on the stage."""


@dataclass(frozen=True)
class Escape:
    """What a probe earns in a policy's groups."""

    policy: str
    probe: str
    advantage: float
    """Expected advantage of the completion: over its K ranks and its list part, as the loss weighs them."""
    honest: float
    """That of an honest list among the same siblings."""
    ordinary: float
    """That of a list as the policy writes them, but without wasted ranks and, under limits, violations."""
    pays: bool
    """Whether it earns more than the honest list or, naming nothing relevant, than the ordinary one."""


def escapes(
    rewards: Sequence[ActiveReward],
    normalizer: Normalizer,
    parser: ListParser | None = None,
    *,
    multipliers: Mapping[str, float] = MappingProxyType({}),
) -> list[Escape]:
    """Measure what every probe earns among the siblings of every policy.

    Args:
        rewards: The reward functions of a run; a count reward with the target 5.
        normalizer: Turns rewards into advantages.
        parser: Reads the lists; that of the default configuration, which knows the catalog, unless given.
        multipliers: What limits charge at, by limit, such as ``{"violation_rate<=0.02": 3.0}``; the trait of
            the probes is ``gore``.

    Raises:
        ConfigError: A limit or its multiplier is refused.
        UnknownNameError: A limit is about another trait.
    """
    if parser is None:
        with _default_parser() as default:
            return escapes(rewards, normalizer, default, multipliers=multipliers)
    texts = {name: _of_each_prompt(probe.write) for name, probe in PROBES.items()}
    texts["honest"] = _of_each_prompt(lambda rng: lines(honest_titles(rng)))
    for name, policy in POLICIES.items():
        thrifty = replace(policy, wasted=0.0, violations=0.0 if multipliers else policy.violations)
        texts[f"siblings: {name}"] = _siblings(policy)
        texts[f"ordinary: {name}"] = _of_each_prompt(lambda rng, policy=thrifty: lines(_drawn(policy, rng)))  # type: ignore[misc]
    judge = Judge(Catalog(WORLD.catalog, aliases=ALIASES), ProbeOracle())
    limits = _limits_at(multipliers, judge)
    scored = _scored(texts, rewards, parser, judge, limits)
    measured = []
    for policy_name in POLICIES:
        siblings = scored[f"siblings: {policy_name}"]
        earned = {
            name: _expected(scored[name].beside(siblings), rewards, normalizer, limits)
            for name in ("honest", f"ordinary: {policy_name}", *PROBES)
        }
        honest, ordinary = earned["honest"], earned[f"ordinary: {policy_name}"]
        for name, probe in PROBES.items():
            most = honest if probe.relevant else min(honest, ordinary)
            pays = not earned[name] <= most + TOLERANCE  # what is NaN has not been shown to be harmless
            measured.append(Escape(policy_name, name, earned[name], honest, ordinary, pays))
    return measured


def check_no_escape(
    rewards: Sequence[ActiveReward],
    normalizer: Normalizer,
    parser: ListParser | None = None,
    *,
    multipliers: Mapping[str, float] = MappingProxyType({}),
) -> None:
    """Check that nothing pays but good lists: see :func:`escapes`.

    Raises:
        AssertionError: It names every probe that earns more than an honest list.
    """
    paying = [
        escape for escape in escapes(rewards, normalizer, parser, multipliers=multipliers) if escape.pays
    ]
    assert not paying, "these pay: " + "; ".join(
        f"{escape.probe} ({escape.advantage:+.2f}; an honest list {escape.honest:+.2f}, an ordinary one "
        f"{escape.ordinary:+.2f}; siblings: {escape.policy})"
        for escape in paying
    )


@contextmanager
def _default_parser() -> Iterator[ListParser]:
    """Give the parser of a run that says nothing about it: one that looks titles up in the catalog."""
    plugins = load_plugins()
    rows = [
        {"title": title.name, "year": title.year, "aliases": ALIASES[position]}
        for position, title in enumerate(WORLD.catalog)
    ]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "catalog.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        yield chosen(plugins, plugins.parsers, DataConfig().parser, {"catalog_path": path})


def _of_each_prompt(write: Callable[[Random], str]) -> list[str]:
    """Write one completion for each prompt."""
    rng = Random("probes")
    return [write(rng) for _ in range(PROMPTS)]


def _siblings(policy: Policy) -> list[str]:
    """Draw the completions that stand beside the probes, seven for each prompt."""
    rng = Random(f"siblings {policy}")
    return [lines(_drawn(policy, rng)) for _ in range(PROMPTS * (GROUP - 1))]


def _drawn(policy: Policy, rng: Random) -> list[Title]:
    titles: list[Title] = []
    while len(titles) < NUM_RANKS:
        dice = rng.random()
        if titles and dice < policy.wasted:
            titles.append(rng.choice([titles[0], *WORLD.seen]))
            continue
        dice = rng.random()
        kind = (
            WORLD.relevant
            if dice < policy.hits
            else WORLD.violating
            if dice < policy.hits + policy.violations
            else WORLD.safe
        )
        titles.append(rng.choice([title for title in kind if title not in titles]))
    return titles


@dataclass(frozen=True)
class _Scored:
    """What completions are rewarded with: a value depends on its completion alone, so each is scored once."""

    values: RewardValues
    rank_mask: Bool[Tensor, "N K"]
    prices: Float[Tensor, "C N K"]
    """What limits charge."""

    def beside(self, siblings: _Scored) -> _Scored:
        """Put one completion of each prompt in front of its siblings."""

        def grouped(own: Tensor, others: Tensor, axis: int) -> Tensor:
            others = others.reshape(*own.shape[: axis + 1], GROUP - 1, *own.shape[axis + 1 :])
            return torch.cat([own.unsqueeze(axis + 1), others], axis + 1).flatten(axis, axis + 1)

        own, others = self.values, siblings.values
        values = RewardValues(
            rank=grouped(own.rank, others.rank, 1),
            list=grouped(own.list, others.list, 1),
            cost=grouped(own.cost, others.cost, 1),
        )
        return _Scored(
            values, grouped(self.rank_mask, siblings.rank_mask, 0), grouped(self.prices, siblings.prices, 1)
        )


def _limits_at(multipliers: Mapping[str, float], judge: Judge) -> Limits:
    """Return limits whose multipliers stand where they are wanted."""
    for limit, multiplier in multipliers.items():
        if not 0 <= multiplier < math.inf:
            raise ConfigError(
                f"the multiplier of {limit!r} must be a finite number from 0, but is {multiplier}"
            )
    limits = Limits(limits_of(list(multipliers), judge), LimitsConfig())
    for controller, multiplier in zip(limits.controllers, multipliers.values(), strict=True):
        controller.multiplier = float(multiplier)
    return limits


def _scored(
    texts: Mapping[str, Sequence[str]],
    rewards: Sequence[ActiveReward],
    parser: ListParser,
    judge: Judge,
    limits: Limits,
) -> dict[str, _Scored]:
    """Judge and reward all completions in one batch; each part of it is returned by its name."""
    lists = [parser(text) for part in texts.values() for text in part]
    judged = JudgedLists(lists, [RECORD] * len(lists), judge, NUM_RANKS)
    values, prices = score(rewards, judged), limits.ranks(judged).prices
    scored, start = {}, 0
    for name, part in texts.items():
        rows = slice(start, start := start + len(part))
        own = RewardValues(rank=values.rank[:, rows], list=values.list[:, rows], cost=values.cost[:, rows])
        scored[name] = _Scored(own, judged.rank_mask[rows], prices[:, rows])
    return scored


def _expected(
    groups: _Scored, rewards: Sequence[ActiveReward], normalizer: Normalizer, limits: Limits
) -> float:
    """Return the expected advantage of the first completion of each group."""
    advantages = credit(rewards, groups.values, normalizer, groups.rank_mask, GROUP)
    advantages = limits.charge(advantages, groups.prices, groups.rank_mask)
    total = (advantages.rank.sum(1) + advantages.list) / (NUM_RANKS + 1)  # as the loss weighs them
    return float(total[::GROUP].mean())
