"""Whether the installed engines give the trainer the loss and the gradient that the paper defines."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from saferec_core.config.schema import TrainConfig
from saferec_core.config.settings import merged
from saferec_core.demo.profile import demo_settings, make_demo
from saferec_core.doctor.finding import Finding
from saferec_core.errors import SaferecError
from saferec_core.evaluation.setup import assemble
from saferec_core.models.decoding import TokenAligner
from saferec_core.models.loading import load_tokenizer
from saferec_core.plugins.offered import Plugins
from saferec_core.rl.rollouts import RolloutScorer, ScoredBatch
from saferec_core.training.setup import build_normalizer, build_rewards

__all__ = ["examine_gradient"]

TOLERANCE = 1e-3
"""Largest difference of a gradient, relative to its largest entry. The two are sums in another order: about
1e-6 in float32 on a CPU, and more on a GPU, which may multiply in TF32."""

_GROUP, _PROMPTS = 4, 2


def examine_gradient(plugins: Plugins) -> Iterator[Finding]:
    """Compare the trainer with the pure loss on a small batch of the demo, sampled by older weights."""
    topic = "gradient of Safe-Rank-GRPO"
    try:
        difference = _difference(plugins)
    except SaferecError as error:
        yield Finding(topic, "problem", str(error), "install versions that saferec supports")
        return
    detail = f"differs from the paper's objective by {difference:.1e} of its largest entry"
    if difference <= TOLERANCE:
        yield Finding(topic, "ok", detail)
    else:
        remedy = (
            f"do not train: more than {TOLERANCE:g} is not rounding; please report this with the versions"
        )
        yield Finding(topic, "problem", detail, remedy)


def _difference(plugins: Plugins) -> float:
    from saferec_core.training.trl.grpo_setup import rank_grpo_trainer  # imports TRL
    from saferec_core.training.trl.self_check import gradient_difference

    with tempfile.TemporaryDirectory(prefix="saferec-doctor-") as folder:
        make_demo(Path(folder), seed=0)
        small = {
            "limits": {"limit": []},
            "rollout": {"num_generations": _GROUP},
            "optimization": {"per_device_train_batch_size": _GROUP * _PROMPTS, "share_prefix": "off"},
        }
        settings = {**demo_settings(Path(folder), seed=0), "sft": None}
        config = TrainConfig.model_validate(merged([settings, small]))
        rewards = build_rewards(config, plugins)
        parts = assemble(config, plugins, rewards=rewards)
        tokenizer: Any = load_tokenizer(str(config.model.model), config.model)
        scored: list[ScoredBatch] = []
        trainer = rank_grpo_trainer(
            str(config.model.model),
            tokenizer,
            config,
            scorer=RolloutScorer(
                records=parts.train[:_PROMPTS],
                parser=parts.parser,
                judge=parts.judge,
                rewards=rewards,
                num_ranks=config.num_ranks,
                aligner=TokenAligner(tokenizer),
                end_ids=frozenset({tokenizer.eos_token_id}),
            ),
            normalizer=build_normalizer(config, plugins),
            output_dir=Path(folder) / "checkpoints",
            on_rollouts=scored.append,
        )
        rng = random.Random(0)
        completions = []
        for row in range(_GROUP * _PROMPTS):
            titles = rng.sample(parts.judge.catalog.titles, 1 + row % (config.num_ranks + 1))
            text = "\n".join(map(str, titles))
            ids = tokenizer(text, add_special_tokens=False)["input_ids"]
            completions.append([*ids, tokenizer.eos_token_id])
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return gradient_difference(trainer, completions, scored, config)
