"""Dynamic sampling on the real TRL trainer: which prompts are replaced, by what, and what is left alone."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch

from saferec_core.config.sections import LimitsConfig
from saferec_core.errors import PluginError
from saferec_core.rl.further_prompts import FurtherPrompts
from saferec_core.rl.limits import Limits, limits_of
from tests.core.training.trl.test_grpo_trainer import G, N, Setup, set_up, tokens_of

ASKS = {"normalizer": {"name": "gdpo", "dynamic_sampling": True}}


def policy_of(setup: Setup, *, flat: set[int]) -> None:
    """Let the siblings of *flat* records write one list, and those of others lists of 1 to G titles."""
    prompts = [list(record.prompt) for record in setup.records]
    record_of = {tuple(ids): record for record, ids in enumerate(setup.trainer._tokenize_prompts(prompts)[0])}
    titles = setup.trainer._scorer.judge.catalog.titles

    def generate(prompt_ids: Any, *_: Any) -> tuple[list[list[int]], None]:
        completions = []
        first = setup.trainer.accelerator.process_index * len(prompt_ids)
        for row, ids in enumerate(prompt_ids, first):
            record = record_of[tuple(ids)]
            length = 1 if record in flat else 1 + row % G
            chosen = titles[record : record + length]
            completions.append(tokens_of(setup.tokenizer, "\n".join(map(str, chosen))))
        return completions, None

    setup.trainer._generate_single_turn = generate


def generated(setup: Setup, *, flat: set[int], rows: int = N) -> dict[str, Any]:
    """Generate and score a batch that begins with the first records."""
    policy_of(setup, flat=flat)
    setup.trainer.model.train()
    setup.trainer.current_gradient_accumulation_steps = 1
    batch: dict[str, Any] = setup.trainer._generate_and_score_completions(setup.inputs(rows))
    return batch


def figures(setup: Setup) -> dict[str, float]:
    """The last figures of dynamic sampling."""
    metrics = setup.trainer._metrics["train"]
    return {name: values[-1] for name, values in metrics.items() if name.startswith("resample/")}


@pytest.fixture
def made(world, tmp_path):
    def make(**changes):
        return set_up(world, tmp_path, **{**ASKS, **changes})

    return make


def test_a_prompt_whose_siblings_all_earn_the_same_is_replaced_and_the_others_are_left_alone(made):
    setup = made()

    batch = generated(setup, flat={0})

    (scored,) = setup.scored
    first, second = scored.record_ids[:G], scored.record_ids[G:]
    assert len(set(first)) == 1
    assert first[0] not in {0, 1}
    assert second == [1] * G
    prompts = [list(setup.records[record].prompt) for record in scored.record_ids]
    expected = setup.trainer._tokenize_prompts(prompts)[0]
    there = [
        ids[mask.bool()].tolist() for ids, mask in zip(batch["prompt_ids"], batch["prompt_mask"], strict=True)
    ]
    assert there == expected
    written = [text.splitlines()[0] for text in scored.rollouts.texts]
    titles = setup.trainer._scorer.judge.catalog.titles
    assert written == [str(titles[record]) for record in scored.record_ids]
    assert [record is setup.records[first[0]] for record in scored.rollouts.lists.records[:G]] == [True] * G
    assert scored.advantages.list[:G].any()
    assert figures(setup) == {"resample/replaced": 0.5, "resample/left": 0.0, "resample/prompts": 3}


def test_rounds_end_when_there_are_no_more_and_a_batch_stays_as_large_as_it_was(made):
    setup = made(rollout={"max_resample": 3})

    batch = generated(setup, flat=set(range(40)))

    assert len(batch["completion_ids"]) == N
    assert figures(setup) == {"resample/replaced": 1.0, "resample/left": 1.0, "resample/prompts": 2 + 3 * 2}
    assert not batch["advantages"].any()


@pytest.mark.parametrize(
    "changes",
    [{"normalizer": {"name": "gdpo", "dynamic_sampling": False}}, {"rollout": {"max_resample": 0}}],
    ids=["never asked for", "no rounds"],
)
def test_without_it_every_prompt_of_the_sampler_is_kept(made, changes):
    setup = made(**changes)

    generated(setup, flat={0, 1})

    assert setup.scored[0].record_ids == [0] * G + [1] * G
    assert figures(setup) == {}


def test_prompts_of_an_evaluation_are_never_replaced(made):
    setup = made()
    policy_of(setup, flat={0, 1})
    setup.trainer.model.eval()

    setup.trainer._generate_and_score_completions(setup.inputs(N))

    assert setup.scored[0].record_ids == [0] * G + [1] * G


def test_a_prompt_at_which_a_limit_is_charged_is_kept(made):
    setup = made()
    judge = setup.trainer._scorer.judge
    setup.trainer._limits = Limits(limits_of(["repeated<=0.1"], judge), LimitsConfig())
    policy_of(setup, flat={0, 1})
    honest = setup.trainer._generate_single_turn
    prompts = [list(record.prompt) for record in setup.records[:2]]
    first, second = map(tuple, setup.trainer._tokenize_prompts(prompts)[0])
    seen = {title.name for title in judge.meant(setup.records[1]).seen_titles}
    unseen = next(title for title in judge.catalog.titles if title.name not in seen)
    written = {
        first: tokens_of(setup.tokenizer, "\n".join([str(judge.catalog.titles[0])] * 2)),
        second: tokens_of(setup.tokenizer, str(unseen)),
    }

    def generate(prompt_ids, *rest):
        completions, _ = honest(prompt_ids, *rest)
        return [written.get(tuple(ids), own) for ids, own in zip(prompt_ids, completions, strict=True)], None

    setup.trainer._generate_single_turn = generate
    setup.trainer.model.train()
    setup.trainer.current_gradient_accumulation_steps = 1
    setup.trainer._generate_and_score_completions(setup.inputs(N))

    assert setup.scored[0].record_ids[:G] == [0] * G
    assert 1 not in setup.scored[0].record_ids


def test_a_normalizer_that_answers_with_something_else_is_named(made):
    setup = made()
    object.__setattr__(setup.trainer._normalizer, "uninformative", lambda rewards: [True, False])

    with pytest.raises(
        PluginError, match=r"uninformative must return a bool tensor \(B,\) = \(2,\), but returned list"
    ):
        generated(setup, flat=set())


def test_further_prompts_follow_from_seed_and_position_and_none_comes_twice():
    def drawn(**where):
        further = FurtherPrompts(50, [3, 3, 7], **where)
        return further.draw(5), further.draw(20), further.draw(99), further.draw(1)

    first, second, rest, none = drawn(seed=1, position=4)
    assert [first, second, rest, none] == list(drawn(seed=1, position=4))
    assert first != drawn(seed=1, position=5)[0]
    assert first != drawn(seed=2, position=4)[0]
    assert sorted(chain([3, 7], first, second, rest)) == list(range(50))
    assert (len(first), len(second), none) == (5, 20, [])


def save_batches(world: str, folder: str) -> None:
    """Score this process's part of a batch and write down what it became."""
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    batch_size = {"optimization": {"per_device_train_batch_size": 12 // processes}}
    setup = set_up(Path(world), Path(folder), **ASKS, **batch_size)
    assert setup.trainer.accelerator.num_processes == processes
    generated(setup, flat={0, *range(2, 40, 2)}, rows=12)
    (scored,) = setup.scored
    made = {
        "records": torch.tensor(list(scored.record_ids)),
        "advantages": scored.advantages.list,
        "lengths": scored.rollouts.lists.lengths,
        "figures": torch.tensor(list(figures(setup).values())),
    }
    torch.save(made, Path(folder) / f"{processes}-{setup.trainer.accelerator.process_index}.pt")


@pytest.mark.slow
def test_two_processes_replace_the_prompts_that_one_would(world, tmp_path):
    script = tmp_path / "score.py"
    script.write_text(
        "import sys\nfrom tests.core.training.trl.test_resampling import save_batches\n"
        "save_batches(*sys.argv[1:])\n"
    )
    save_batches(str(world), str(tmp_path))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone"]
    root = str(Path(__file__).parents[4])

    done = subprocess.run(
        [*torchrun, str(script), str(world), str(tmp_path)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true", "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    alone = torch.load(tmp_path / "1-0.pt", weights_only=True)
    together = [  # G = 4: the second group lies in both
        torch.load(tmp_path / f"2-{index}.pt", weights_only=True) for index in range(2)
    ]
    assert alone["advantages"].any()
    assert 0 not in alone["records"]
    for name in ("records", "advantages", "lengths"):
        torch.testing.assert_close(torch.cat([part[name] for part in together]), alone[name])
    for part in together:
        torch.testing.assert_close(part["figures"], alone["figures"])
