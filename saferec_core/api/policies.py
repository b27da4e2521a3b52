"""Load a policy and ask it for lists."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from saferec_core.config.choices import DEFAULT_ORACLE
from saferec_core.config.load import Layer, resolved
from saferec_core.config.schema import RecommendConfig
from saferec_core.errors import ConfigError, one_error
from saferec_core.models.guided.allowed import UnknownTitles
from saferec_core.plugins.manager import load_plugins
from saferec_core.recommendation.baseline_recommender import BaselineRecommender
from saferec_core.recommendation.recommender import Recommendation, Recommender, check_constraints
from saferec_core.recommendation.run import Asking, load_recommender
from saferec_core.runs.layout import run_of
from saferec_core.runs.prompts import recommend_layers

__all__ = ["load_policy", "recommend"]


def load_policy(
    policy: str | Path,
    *,
    run: str | Path | None = None,
    catalog_path: str | Path | None = None,
    oracle_path: str | Path | None = None,
    train_path: str | Path | None = None,
    instruction: str | None = "run",
    num_titles: int | None = None,
    guided: bool = True,
    unknown: UnknownTitles = "allow",
    temperature: float | None = None,
    batch_size: int = 32,
) -> Recommender | BaselineRecommender:
    """Load a policy with the catalog, oracle and parser that its lists are read and judged with.

    Args:
        policy: A run folder, a checkpoint, a model folder, a hub id, or the name of a baseline.
        run: Run whose catalog, oracle and parser are used; the policy's own by default.
        catalog_path: Catalog to use instead.
        oracle_path: Oracle file or table to use instead.
        train_path: Training records, for a baseline.
        instruction: System message in front of prompts that have none; "run": that of the run's training
            records, if it is known; None for none.
        num_titles: Titles of a list; by default as many as the lists of the run are judged by, else 10.
        guided: Whether only titles of the catalog can be written that are unseen and not known to violate a
            constraint.
        unknown: Whether a guided list may hold titles that the oracle cannot judge.
        temperature: Samples at this temperature, above 0; None: greedy.
        batch_size: Lists that are generated together.

    Raises:
        SaferecError: Something is missing or does not fit.
    """
    folder = run_of(Path(run if run is not None else policy))
    files = [] if folder is None else recommend_layers(folder)
    given: dict[str, Any] = {"model": {"model": str(policy)}}
    if num_titles is not None:
        given["num_ranks"] = num_titles
    if instruction != "run":
        given["prompts"] = {"instruction": instruction}
    paths = {"catalog_path": catalog_path, "train_path": train_path}
    given["data"] = {name: str(path) for name, path in paths.items() if path is not None}
    if oracle_path is not None:
        named = any("oracle" in layer.settings and layer.settings["oracle"] for layer in files)
        given["oracle"] = {**({} if named else {"name": DEFAULT_ORACLE}), "path": str(oracle_path)}
    request = resolved(RecommendConfig, files=files, overrides=[Layer("load_policy", given)])
    if request.problems:
        raise one_error(request.problems)
    if request.config.data.catalog_path is None:
        raise ConfigError("the catalog is missing; give catalog_path, or run")
    asking = Asking(
        num_titles=request.config.num_ranks,
        guided=guided,
        unknown=unknown,
        decoding="greedy" if temperature is None else "sampled",
        temperature=1.0 if temperature is None else temperature,
        batch_size=batch_size,
    )
    return load_recommender(request.config, load_plugins(), asking)


def recommend(
    policy: Recommender | BaselineRecommender,
    text: str,
    *,
    constraints: Sequence[str] = (),
    seen: Sequence[str] = (),
) -> Recommendation:
    """Ask for one list; for many, call the policy with records.

    Args:
        policy: A policy as `load_policy` returns it.
        text: The wish.
        constraints: Traits of which nothing must be shown; a single one may be given by itself.
        seen: Titles that must not come back, such as ``"Saw (2004)"``; likewise.

    Raises:
        SaferecError: A trait is unknown, or there is no oracle to judge it.
    """
    constraints, seen = ((each,) if isinstance(each, str) else each for each in (constraints, seen))
    check_constraints(constraints, policy.judge)
    record = policy.prompts.wish(text, constraints=constraints, seen=seen)
    return policy([record])[0]
