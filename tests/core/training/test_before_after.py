"""Evaluations around and during training."""

from types import SimpleNamespace

import pytest

from saferec_core.config.schema import TrainConfig
from saferec_core.errors import ConfigError
from saferec_core.training.before_after import check_evaluations


def check(held_out=("a record",), **settings):
    check_evaluations(TrainConfig.model_validate(settings), SimpleNamespace(held_out=held_out))


def test_evaluations_during_training_that_would_evaluate_nothing_are_refused():
    with pytest.raises(ConfigError, match="--eval-steps has nothing to evaluate: name held-out records"):
        check(held_out=(), eval_steps=10)
    with pytest.raises(ConfigError, match="--eval-steps evaluates nothing with --eval-prompts 0"):
        check(eval_steps=10, evaluation={"eval_prompts": 0})


def test_others_are_not():
    check(held_out=())
    check(eval_steps=10)
