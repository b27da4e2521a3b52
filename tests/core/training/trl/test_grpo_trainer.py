"""Safe-Rank-GRPO on the real TRL trainer: what gets which advantage, ratio and gradient."""

from __future__ import annotations

import copy
import os
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from trl import GRPOConfig, GRPOTrainer

from saferec_core import SaferecError, load_plugins
from saferec_core.config.schema import TrainConfig
from saferec_core.config.sections import LimitsConfig
from saferec_core.config.settings import merged
from saferec_core.errors import RewardError, RunError
from saferec_core.evaluation.setup import assemble
from saferec_core.models.decoding import NO_RANK, TokenAligner
from saferec_core.models.loading import load_tokenizer
from saferec_core.plugins.build import build
from saferec_core.plugins.contracts.normalizer import Advantages, Normalizer
from saferec_core.plugins.contracts.reward import RewardFunction
from saferec_core.rl.limits import Limits, limits_of
from saferec_core.rl.loss import rank_grpo_loss
from saferec_core.rl.ranks import rank_weights, spread
from saferec_core.rl.rewards import ActiveReward
from saferec_core.rl.rollouts import RolloutScorer
from saferec_core.training.setup import build_normalizer, build_rewards
from saferec_core.training.trl.callbacks import save_policy
from saferec_core.training.trl.grpo_setup import rank_grpo_trainer
from saferec_core.training.trl.grpo_trainer import RankGRPOTrainer
from tests import warm

K, G, N = 4, 4, 8

SETTINGS = {
    "num_ranks": K,
    "rewards": {
        "relevance": {"weight": 2.0},
        "safety": {"weight": 1.0},
        "count": {"weight": 0.5, "target": K},
    },
    "normalizer": {"name": "gdpo"},
    "kl_beta": 0.0,
    "rollout": {"num_generations": G},
    "optimization": {
        "learning_rate": 1e-3,
        "max_steps": 1,
        "per_device_train_batch_size": N,
        "gradient_accumulation_steps": 1,
        "optim": "adamw_torch",
    },
    "logging": {"save_strategy": "no"},
    "evaluation": {"eval_at": [1]},
    "oracle": {"name": "table"},
    "seed": 5,
}
ONLY_RANK_REWARDS = {"rewards": {"count": {"weight": 0.0, "target": K}}}


@dataclass
class Setup:
    """A trainer whose policy writes prescribed completions."""

    trainer: Any
    scored: list[Any]
    """Every `ScoredBatch` so far."""

    @property
    def tokenizer(self) -> Any:
        return self.trainer.processing_class

    @property
    def records(self) -> Any:
        return self.trainer._scorer.records

    def writes(self, completions: list[list[int]]) -> None:
        """Let the policy write *completions* next, each process its part of them."""
        first = self.trainer.accelerator.process_index * len(completions)
        first //= self.trainer.accelerator.num_processes

        def generate(prompt_ids: Any, *_: Any) -> tuple[list[list[int]], None]:
            return completions[first : first + len(prompt_ids)], None

        self.trainer._generate_single_turn = generate

    def batch(self, completions: list[list[int]] | None = None) -> dict[str, Any]:
        """Score completions of the first records, G each: the dictionary that the loss reads."""
        completions = completions or lists_of_all_kinds(self)
        self.writes(completions)
        self.trainer.model.train()
        self.trainer.current_gradient_accumulation_steps = 1
        batch: dict[str, Any] = self.trainer._generate_and_score_completions(self.inputs(len(completions)))
        return batch

    def inputs(self, rows: int) -> list[dict[str, Any]]:
        """Prompts as TRL's sampler yields them: each G times, a part for every process."""
        own = rows // self.trainer.accelerator.num_processes
        first = self.trainer.accelerator.process_index * own
        places = [row // G for row in range(first, first + own)]
        return [{"prompt": list(self.records[index].prompt), "record": index} for index in places]

    def rank_ids(self, text: str, *, ended: bool = True) -> tuple[list[int], list[int]]:
        """Write *text* in tokens and return them with their ranks."""
        ids = tokens_of(self.tokenizer, text, ended=ended)
        return ids, self.trainer._scorer([ids], [0]).rank_ids[0].tolist()


def set_up(
    world: Path, output_dir: Path, *, network: str = "pieces", normalize: Any = None, **changes: Any
) -> Setup:
    """Put a trainer together as `saferec train` does, with *changes* of the settings."""
    paths = {
        "model": {"model": str(world / network)},
        "data": {
            "train_path": world / "train.jsonl",
            "catalog_path": world / "catalog.jsonl",
            "max_records": 40,
        },
        "oracle": {"path": world / "oracle.jsonl"},
    }
    config = TrainConfig.model_validate(merged([SETTINGS, paths, changes]))
    plugins = load_plugins()
    rewards = build_rewards(config, plugins)
    parts = assemble(config, plugins, rewards=rewards)
    tokenizer = load_tokenizer(str(world / network), config.model)
    scored: list[Any] = []
    trainer = rank_grpo_trainer(
        str(world / network),
        tokenizer,
        config,
        scorer=RolloutScorer(
            records=parts.train,
            parser=parts.parser,
            judge=parts.judge,
            rewards=rewards,
            num_ranks=config.num_ranks,
            aligner=TokenAligner(tokenizer),
            end_ids=frozenset({tokenizer.eos_token_id}),
        ),
        normalizer=normalize or build_normalizer(config, plugins),
        output_dir=output_dir,
        on_rollouts=scored.append,
    )
    return Setup(trainer, scored)


def tokens_of(tokenizer: Any, text: str, *, ended: bool = True) -> list[int]:
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    return [*ids, tokenizer.eos_token_id] if ended else ids


def lists_of_all_kinds(setup: Setup, rows: int = N) -> list[list[int]]:
    """Completions with hits and violations, in every form, shorter and longer than K, all different."""
    rng = random.Random(2)
    catalog = setup.trainer._scorer.judge.catalog.titles
    completions = []
    for row in range(rows):
        truth = setup.records[row // G].groundtruth
        titles = rng.sample([*truth[:3], *rng.sample(catalog, 9)], 1 + (row * 5 + 1) % (K + 2))
        lines = [str(title) for title in titles]
        match row % 4:
            case 1:
                lines = ["Here are some films for you:", *lines]
            case 2:
                lines = [f"{number}. {line}" for number, line in enumerate(lines, 1)]
            case 3:
                lines = ["<reasoning>calm", "films</reasoning>", lines[0], "and also", *lines[1:]]
        completions.append(tokens_of(setup.tokenizer, "\n".join(lines), ended=row % 5 != 4))
    return completions


@pytest.fixture(scope="module")
def setup(world, tmp_path_factory):
    return set_up(world, tmp_path_factory.mktemp("trainer"))


@pytest.fixture
def score_with(world, tmp_path):
    """Make a trainer with other settings and score the lists of all kinds: (setup, batch)."""

    def score(**changes):
        made = set_up(world, tmp_path, **changes)
        return made, made.batch()

    return score


def inputs_of(batch):
    """Prompt and completion side by side, as the policy reads them."""
    return {
        "input_ids": torch.cat([batch["prompt_ids"], batch["completion_ids"]], 1),
        "attention_mask": torch.cat([batch["prompt_mask"], batch["completion_mask"]], 1),
    }


def log_probs(trainer, batch):
    """Plain forward of the policy, nothing of TRL."""
    length = batch["completion_ids"].shape[1]
    logits = trainer.model(**inputs_of(batch)).logits[:, -length - 1 : -1]
    return logits.log_softmax(-1).gather(-1, batch["completion_ids"].unsqueeze(-1)).squeeze(-1)


def off_policy(trainer, batch, *, noise=0.4, seed=0):
    """The same batch as if older weights had sampled it and a further policy were the reference."""
    rng = torch.Generator().manual_seed(seed)
    logps = log_probs(trainer, batch).detach()
    return {
        **batch,
        "old_per_token_logps": logps + noise * torch.randn(logps.shape, generator=rng),
        "ref_per_token_logps": logps + noise * torch.randn(logps.shape, generator=rng),
    }


def gradients(trainer, loss):
    trainer.model.zero_grad()
    loss.backward()
    return {name: p.grad.clone() for name, p in trainer.model.named_parameters() if p.grad is not None}


def assert_close(got, wanted, tolerance):
    """Compare gradients relative to the largest entry of all."""
    assert got.keys() == wanted.keys()
    scale = max(gradient.abs().max() for gradient in wanted.values())
    assert scale > 0
    assert max((got[name] - wanted[name]).abs().max() for name in wanted) < tolerance * scale


def loss_of(logps, batch, advantages, **settings):
    """The loss as a pure function, from what the trainer's batch holds."""
    return rank_grpo_loss(
        logps,
        batch["old_per_token_logps"],
        batch["ref_per_token_logps"],
        spread(advantages.rank, advantages.list, batch["rank_ids"]),
        batch["rank_ids"],
        batch["completion_mask"].bool(),
        num_ranks=K,
        **settings,
    )


@pytest.mark.parametrize("weighting", ["ranks", "tokens"])
@pytest.mark.parametrize("beta", [0.0, 0.3])
def test_loss_and_gradient_are_those_of_the_pure_function(score_with, weighting, beta):
    setup, batch = score_with(rank_weighting=weighting, kl_beta=beta)
    trainer, advantages = setup.trainer, setup.scored[0].advantages
    batch = off_policy(trainer, batch)

    loss = trainer._compute_loss(trainer.model, batch)
    got = gradients(trainer, loss)
    wanted_loss = loss_of(
        log_probs(trainer, batch), batch, advantages, weighting=weighting, epsilon=0.2, beta=beta
    )
    wanted = gradients(trainer, wanted_loss)

    assert trainer._metrics["train"]["clip_ratio/region_mean"][-1] > 0.05  # the clip is at work
    of_no_rank = (batch["rank_ids"] == NO_RANK) & batch["completion_mask"].bool()
    assert of_no_rank.sum() > N
    assert advantages.list.abs().max() > 0.1
    assert loss.item() == pytest.approx(wanted_loss.item(), abs=1e-5)
    assert_close(got, wanted, 2e-4)


@pytest.mark.parametrize(
    ("name", "value", "cause"),
    [
        ("ref_per_token_logps", torch.nan, "not finite are the reference's log-probabilities"),
        ("advantages", torch.inf, "not finite are the advantages"),
        ("old_per_token_logps", torch.nan, "not finite are the log-probabilities of the policy that sampled"),
        ("ref_per_token_logps", 100.0, r"a token is exp\(1\d\d\) times as likely under the reference"),
    ],
    ids=["reference", "advantages", "sampler", "overflow of the KL"],
)
def test_a_loss_that_is_not_finite_names_what_it_comes_from(score_with, name, value, cause):
    made, batch = score_with(kl_beta=0.3)
    batch = off_policy(made.trainer, batch)
    batch[name] = torch.full_like(batch[name], value)

    with pytest.raises(
        RunError, match=rf"the loss of step 1 is not finite, so the step was not taken: {cause}"
    ):
        made.trainer._compute_loss(made.trainer.model, batch)


def test_a_policy_whose_weights_are_nan_is_named_before_it_samples(world, tmp_path):
    made = set_up(world, tmp_path)
    with torch.no_grad():
        next(made.trainer.model.parameters())[0] = torch.nan

    with pytest.raises(RunError, match=r"1 of its \d+ weight tensors are not finite"):
        made.trainer._generate_and_score_completions(made.inputs(N))


def test_a_batch_on_policy_has_ratio_one_and_the_gradient_of_the_advantage(setup):
    """TRL leaves ``old`` out where nothing was trained since the sampling."""
    trainer, batch = setup.trainer, setup.batch()
    assert batch.get("old_per_token_logps") is None

    got = gradients(trainer, trainer._compute_loss(trainer.model, batch))
    logps, size = log_probs(trainer, batch), batch["completion_mask"].sum(1, keepdim=True)
    mean = (batch["advantages"] * logps * batch["completion_mask"] / size).sum(1).mean()

    assert_close(got, gradients(trainer, -mean), 2e-4)


@pytest.mark.parametrize(
    ("changes", "passes"),
    [
        ({"kl_beta": 0.0}, 1),
        ({"kl_beta": 0.1}, 2),  # and the reference
        (
            {"kl_beta": 0.1, "num_iterations": 2},
            3,
        ),  # and the policy that sampled, since it is trained on twice
    ],
    ids=["policy", "reference", "old policy"],
)
def test_a_batch_is_scored_no_more_often_than_the_loss_needs(world, tmp_path, changes, passes):
    setup = set_up(world, tmp_path, **changes)
    trainer, score, scored = setup.trainer, setup.trainer._get_per_token_logps_and_entropies, []

    def counting(*arguments, **options):
        scored.append(options)
        return score(*arguments, **options)

    trainer._get_per_token_logps_and_entropies = counting
    trainer._compute_loss(trainer.model, setup.batch())

    assert len(scored) == passes


def test_four_micro_batches_are_scored_at_once_where_no_gradient_is_wanted(world, tmp_path):
    slices = {"per_device_train_batch_size": G, "gradient_accumulation_steps": 5, "share_prefix": "on"}
    setup = set_up(world, tmp_path, kl_beta=0.1, optimization=slices)
    trainer, sizes = setup.trainer, []
    score = trainer.sharing.score

    def noting(model, input_ids, *arguments):
        sizes.append(len(input_ids))
        return score(model, input_ids, *arguments)

    trainer.sharing.score = noting
    batch = setup.batch(lists_of_all_kinds(setup, 5 * G))
    plain = log_probs(trainer, batch) * batch["completion_mask"]  # the reference is the policy so far

    assert sizes == [4 * G, G]
    torch.testing.assert_close(batch["ref_per_token_logps"], plain, atol=1e-4, rtol=0)


def test_rewards_come_after_the_reference_so_that_a_gpu_scores_while_the_processor_parses(world, tmp_path):
    setup = set_up(world, tmp_path, kl_beta=0.1)
    trainer, order = setup.trainer, []

    def noted(name, function):
        return lambda *arguments, **options: (order.append(name), function(*arguments, **options))[1]

    trainer._get_per_token_logps_and_entropies = noted("score", trainer._get_per_token_logps_and_entropies)
    trainer._scorer.parser = noted("parse", trainer._scorer.parser)
    trainer._compute_loss(trainer.model, setup.batch())

    assert [order[0], order[1], order[-1]] == ["score", "parse", "score"]


@dataclass
class OnlyRank(Normalizer):
    """A normalizer that finds something to say about one rank alone."""

    k: int

    def __call__(self, rewards):
        advantages = torch.zeros_like(rewards.rank_mask, dtype=torch.float)
        advantages[:, self.k] = torch.tensor([1.0, -0.5] * (N // 2)) * rewards.rank_mask[:, self.k]
        return Advantages(rank=advantages, list=torch.zeros(len(advantages)))


@pytest.fixture
def keep_logps(monkeypatch):
    """Keep the log probabilities that the loss is computed from, with the gradient that they receive."""
    kept = []
    inner = RankGRPOTrainer._get_per_token_logps_and_entropies

    def spy(self, *args, **kwargs):
        result = inner(self, *args, **kwargs)
        if result[0].requires_grad:
            result[0].retain_grad()
            kept.append(result[0])
        return result

    monkeypatch.setattr(RankGRPOTrainer, "_get_per_token_logps_and_entropies", spy)
    return kept


@pytest.mark.parametrize("network", ["pieces", "model"])
@pytest.mark.parametrize("k", [0, 2])
def test_the_advantage_of_a_rank_moves_the_tokens_of_that_rank_alone(score_with, keep_logps, network, k):
    setup, batch = score_with(network=network, normalize=OnlyRank(k))
    trainer, own = setup.trainer, batch["rank_ids"] == k
    batch = off_policy(trainer, batch, noise=0.05)

    got = gradients(trainer, trainer._compute_loss(trainer.model, batch))

    on_tokens = keep_logps[-1].grad
    assert own.any()
    assert not on_tokens[~own].any()
    assert (on_tokens[own] != 0).all()
    through_own = (log_probs(trainer, batch) * on_tokens)[own].sum()
    assert_close(got, gradients(trainer, through_own), 1e-4)


def test_the_correction_for_another_sampler_is_one_ratio_for_each_rank(world, tmp_path, monkeypatch):
    """Tokens whose ratios are 4 and 1/4 in turn; as vLLM would report them."""
    inner = GRPOTrainer._generate_and_score_completions

    def with_ratios(self, inputs):
        output = inner(self, inputs)
        ratios = torch.full(output["completion_ids"].shape, 4.0)
        ratios[:, 1::2] = 0.25
        return {**output, "importance_sampling_ratio": ratios}

    monkeypatch.setattr(GRPOTrainer, "_generate_and_score_completions", with_ratios)
    batch = set_up(world, tmp_path).batch()

    for ratios, rank_ids in zip(batch["importance_sampling_ratio"], batch["rank_ids"], strict=True):
        for k in rank_ids[rank_ids >= 0].unique():
            tokens = (rank_ids == k).nonzero()[:, 0]
            surplus = int((tokens % 2 == 0).sum() - (tokens % 2 == 1).sum())  # of 4 over 1/4
            mean = 4.0 ** (surplus / len(tokens))
            assert ratios[tokens].tolist() == pytest.approx([mean] * len(tokens), rel=1e-5)


@pytest.mark.parametrize(("off", "alarmed"), [(0.0, False), (0.5, True)], ids=["same", "other"])
def test_an_engine_that_samples_by_other_probabilities_than_the_trainer_raises_the_alarm(
    world, tmp_path, plugins, off, alarmed
):
    setup = set_up(world, tmp_path)
    trainer, completions = setup.trainer, lists_of_all_kinds(setup)
    own = log_probs(trainer, setup.batch(completions))
    sampled_by = [(row[: len(ids)] - off).tolist() for row, ids in zip(own, completions, strict=True)]
    trainer.use_vllm, trainer.vllm_importance_sampling_correction = True, True
    trainer._generate_single_turn = lambda prompt_ids, *_: (completions, sampled_by)  # an engine's answer

    trainer._generate_and_score_completions(setup.inputs(len(completions)))

    name = "sampling/sampling_logp_difference/mean"
    (difference,) = trainer._metrics["train"][name]
    assert difference == pytest.approx(off, abs=1e-3)
    sentence = build(plugins.alarms.get("sampler"), {})([{name: difference}] * 3)
    assert (sentence is not None) == alarmed
    assert sentence is None or "vLLM and the trainer differ by 0.50 nats per token" in sentence


@pytest.mark.parametrize("normalizer", ["grpo", "gdpo"])
def test_a_list_reward_reaches_the_end_of_the_completion_and_rank_rewards_do_not(
    score_with, keep_logps, normalizer
):
    of_the_end = {}
    for name, rewards in {"with": {}, "without": ONLY_RANK_REWARDS}.items():
        setup, batch = score_with(normalizer={"name": normalizer}, **rewards)
        setup.trainer._compute_loss(setup.trainer.model, batch).backward()
        ends = batch["completion_ids"] == setup.tokenizer.eos_token_id
        ends &= batch["completion_mask"].bool()
        by_list = setup.scored[0].advantages.list[ends.any(1)]
        of_the_end[name] = (keep_logps[-1].grad[ends], by_list)
        assert keep_logps[-1].grad.any()

    gradient, by_list = of_the_end["with"]
    assert by_list.count_nonzero() >= N // 2
    assert torch.equal(gradient.sign(), -by_list.sign())
    assert not of_the_end["without"][0].any()


def test_a_longer_or_shorter_list_than_wanted_is_made_less_likely_to_end_where_it_does(world, tmp_path):
    """All titles alike, so that only their number differs; the gradient on the end follows the count."""
    setup = set_up(world, tmp_path, rewards={"relevance": {"weight": 0.0}, "safety": {"weight": 0.0}})
    titles = [str(title) for title in setup.trainer._scorer.judge.catalog.titles[:6]]
    texts = ["\n".join(titles[:length]) for length in (4, 1, 6, 2)]

    batch = setup.batch([tokens_of(setup.tokenizer, text) for text in texts])

    is_end = batch["completion_ids"] == setup.tokenizer.eos_token_id
    ends = (batch["advantages"] * is_end).sum(1)
    # Rewards 1, -0.75, -0.5, -0.5
    assert ends[0] > 0
    assert (ends[1:] < 0).all()
    assert ends[1] < ends[2]


@pytest.mark.parametrize("network", ["pieces", "model"])
def test_text_around_the_list_does_not_shift_the_credit(world, tmp_path, network):
    setup = set_up(world, tmp_path, network=network)
    first, second, third = (f"{title}\n" for title in setup.trainer._scorer.judge.catalog.titles[40:43])
    reasoning = f"<reasoning>\nThey liked\n{second}\nso, perhaps:\n</reasoning>\n"

    ids, rank_ids = setup.rank_ids(
        f"Gladly!\n{reasoning}{first}this one is unlike the others\n{second}\n3. {third}Enjoy."
    )

    of_ranks = [[i for i, k in zip(ids, rank_ids, strict=True) if k == rank] for rank in range(3)]
    # A line break that is a token of its own belongs to the list, one within a token to its title.
    written = [setup.tokenizer.decode(own) for own in of_ranks]
    assert [text.removesuffix("\n") for text in written] == [first[:-1], second[:-1], f"3. {third[:-1]}"]
    line_breaks = {i for i in ids if setup.tokenizer.decode([i]).strip(" ") == "\n"}
    assert line_breaks
    assert not line_breaks & {i for own in of_ranks for i in own}
    assert set(rank_ids) == {NO_RANK, 0, 1, 2}
    assert rank_ids[-1] == NO_RANK


@pytest.mark.parametrize("network", ["pieces", "model"])
def test_titles_beyond_k_and_a_line_that_was_cut_off_belong_to_no_rank(world, tmp_path, network):
    setup = set_up(world, tmp_path, network=network)
    lines = [f"{title}\n" for title in setup.trainer._scorer.judge.catalog.titles[: K + 1]]

    ids, rank_ids = setup.rank_ids("".join(lines) + "Pirates of the (20", ended=False)

    rest = [i for i, k in zip(ids, rank_ids, strict=True) if k == NO_RANK]
    assert setup.tokenizer.decode(rest).lstrip("\n") == f"{lines[K]}Pirates of the (20"


def test_every_token_carries_the_advantage_of_its_rank_or_of_its_list(score_with):
    setup, batch = score_with(rank_weighting="tokens")
    advantages = setup.scored[0].advantages

    for n, ids in enumerate(lists_of_all_kinds(setup)):
        rank_ids = setup.trainer._scorer([ids], [n // G]).rank_ids[0].tolist()
        wanted = [
            advantages.list[n].item() if k == NO_RANK else advantages.rank[n, k].item() for k in rank_ids
        ]
        assert batch["advantages"][n, : len(ids)].tolist() == wanted
        assert batch["rank_ids"][n].tolist() == rank_ids + [NO_RANK] * (batch["rank_ids"].shape[1] - len(ids))


@pytest.mark.parametrize(
    ("normalizer", "aggregation"), [("grpo", "sum_then_normalize"), ("gdpo", "normalize_then_sum")]
)
def test_with_one_rank_the_advantages_are_those_of_stock_trl(world, tmp_path, normalizer, aggregation):
    # TRL takes a reward without value for 0; here it would be the mean of the siblings.
    rewards = {"count": {"target": 1}, "safety": {"unknown": "safe"}}
    one_rank = {"num_ranks": 1, "rewards": rewards, "normalizer": {"name": normalizer}}
    setup = set_up(world, tmp_path, **one_rank, rank_weighting="tokens")
    scorer, completions = setup.trainer._scorer, lists_of_all_kinds(setup)
    ours = setup.batch(completions)

    def scalar(name):
        def reward(completion_ids, record, **_):
            rollouts = scorer(completion_ids, record)
            by_name = dict(zip(["relevance", "safety"], rollouts.rewards.rank[:, :, 0], strict=True))
            return (by_name | {"count": rollouts.rewards.list[0]})[name].tolist()

        reward.__name__ = name
        return reward

    stock = GRPOTrainer(
        str(world / "pieces"),
        [scalar(active.name) for active in scorer.rewards],
        GRPOConfig(
            str(tmp_path),
            per_device_train_batch_size=N,
            num_generations=G,
            multi_objective_aggregation=aggregation,
            reward_weights=[active.weight for active in scorer.rewards],
            report_to="none",
            use_cpu=True,
            bf16=False,
        ),
        train_dataset=setup.trainer.train_dataset,
        processing_class=setup.tokenizer,
    )
    theirs = Setup(stock, [])
    theirs.writes(completions)
    stock.model.train()
    wanted = stock._generate_and_score_completions(setup.inputs(N))["advantages"]

    assert wanted.abs().min() > 0.01
    torch.testing.assert_close(setup.scored[0].advantages.rank[:, 0], wanted, atol=1e-5, rtol=1e-4)
    for n in range(N):
        own = ours["advantages"][n][ours["rank_ids"][n] == 0]
        torch.testing.assert_close(own, wanted[n].expand_as(own), atol=1e-5, rtol=1e-4)


def test_slices_of_a_generation_batch_keep_ranks_and_advantages_with_their_tokens(world, tmp_path):
    slices = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 4}
    setup = set_up(world, tmp_path, optimization=slices)
    trainer, completions = setup.trainer, lists_of_all_kinds(setup, 16)
    setup.writes(completions)
    trainer.model.train()

    trainer._prepare_inputs(setup.inputs(16))

    rollouts, order = setup.scored[0].rollouts, []
    for batch in trainer._buffered_inputs:
        for n, mask in enumerate(batch["completion_mask"].bool()):
            row = completions.index(batch["completion_ids"][n][mask].tolist())
            order.append(row)
            assert batch["rank_ids"][n][mask].tolist() == rollouts.rank_ids[row].tolist()
            advantages = setup.scored[0].advantages
            signs = spread(
                advantages.rank[[row]], advantages.list[[row]], batch["rank_ids"][[n]]
            ).sign()  # weights by rank are positive
            assert torch.equal(batch["advantages"][n][mask].sign(), signs[0][mask])
    assert sorted(order) == list(range(16))
    assert order != list(range(16))  # TRL has shuffled


@pytest.mark.parametrize("weighting", ["ranks", "tokens"])
@pytest.mark.parametrize("rows", [4, 12])
def test_the_loss_of_a_batch_is_the_same_in_any_micro_batches(world, tmp_path, weighting, rows):
    slices = {"per_device_train_batch_size": rows, "gradient_accumulation_steps": 12 // rows}
    setup = set_up(world, tmp_path, optimization=slices, rank_weighting=weighting)
    trainer = setup.trainer
    setup.writes(lists_of_all_kinds(setup, 12))
    trainer.model.train()
    trainer._prepare_inputs(setup.inputs(12))
    trainer.current_gradient_accumulation_steps = 12 // rows

    parts = [off_policy(trainer, part, seed=n) for n, part in enumerate(trainer._buffered_inputs)]
    got = sum(trainer._compute_loss(trainer.model, part).item() for part in parts)

    whole = {name: torch.cat([part[name] for part in parts]) for name in LOSS_READS}
    weights = 1.0
    if weighting == "ranks":  # folded into the advantages
        weights = rank_weights(whole["rank_ids"], whole["completion_mask"].bool(), K).clamp(min=1e-9)
    wanted = rank_grpo_loss(
        torch.cat([log_probs(trainer, part) for part in parts]),
        whole["old_per_token_logps"],
        None,
        whole["advantages"] / weights,
        whole["rank_ids"],
        whole["completion_mask"].bool(),
        num_ranks=K,
        epsilon=0.2,
        beta=0.0,
        weighting=weighting,
    )
    assert got == pytest.approx(wanted.item(), abs=1e-5)
    assert abs(got) > 1e-3


LOSS_READS = ("old_per_token_logps", "advantages", "rank_ids", "completion_mask")


def test_dropout_of_adapters_is_off_so_that_a_batch_on_policy_has_ratio_one(world, tmp_path):
    setup = set_up(world, tmp_path, model={"use_lora": True, "lora_dropout": 0.5})
    for name, parameter in setup.trainer.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter.data, std=0.5)
    batch = setup.batch()
    setup.trainer.model.train()

    first, second = (log_probs(setup.trainer, batch) for _ in range(2))

    assert torch.equal(first, second)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("top_entropy_quantile", 0.2),
        ("off_policy_mask_threshold", 0.5),
        ("use_bias_correction_kl", True),
        ("importance_sampling_level", "sequence"),
        ("loss_type", "bnpo"),
        ("disable_dropout", False),
    ],
)
def test_a_setting_of_trl_that_breaks_rank_level_ratios_is_refused_by_name(setup, setting, value):
    args = copy.copy(setup.trainer.args)
    setattr(args, setting, value)

    with pytest.raises(SaferecError, match=rf"{setting} must be .*, but is {value!r}"):
        RankGRPOTrainer(
            "unused", scorer=setup.trainer._scorer, normalizer=setup.trainer._normalizer, args=args
        )


def test_adapters_have_the_policy_without_them_as_reference_and_are_all_that_is_saved(world, tmp_path):
    setup = set_up(world, tmp_path / "run", kl_beta=0.1, model={"use_lora": True})
    trainer = setup.trainer
    assert trainer.ref_model is None

    first = setup.batch()
    trainer._compute_loss(trainer.model, first)
    assert trainer._metrics["train"]["kl"][-1] == pytest.approx(0, abs=1e-7)

    for name, parameter in trainer.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter.data, std=0.5)
    second = setup.batch()
    trainer._compute_loss(trainer.model, second)
    assert trainer._metrics["train"]["kl"][-1] > 1e-3
    torch.testing.assert_close(second["ref_per_token_logps"], first["ref_per_token_logps"])

    save_policy(trainer, tmp_path / "policy")
    weights = [path.name for path in (tmp_path / "policy").rglob("*") if path.stat().st_size > 50_000]
    assert set(weights) <= {"adapter_model.safetensors", "tokenizer.json"}
    with safe_open(tmp_path / "policy" / "adapter_model.safetensors", "pt") as saved:
        assert all(".lora_A." in name or ".lora_B." in name for name in saved.keys())  # noqa: SIM118


def renamed_parameter(self, model, batch):
    """Stand for a `_compute_loss` of another TRL."""


def read_before_scoring(self, model, inputs):
    old = inputs.get("old_per_token_logps")
    logps = self._get_per_token_logps_and_entropies(model, inputs)
    return logps - old if inputs["advantages"].dim() == 1 else None


def only_advantages_by_completion(self, model, inputs):
    logps = self._get_per_token_logps_and_entropies(model, inputs)
    return (logps - inputs.get("old_per_token_logps")) * inputs["advantages"].unsqueeze(1)


@pytest.mark.parametrize(
    ("method", "replacement", "difference"),
    [
        ("_compute_loss", renamed_parameter, r"_compute_loss takes \['model', 'batch'\], expected"),
        ("_compute_loss", read_before_scoring, "reads old_per_token_logps before scoring"),
        ("_compute_loss", only_advantages_by_completion, "does not take advantages by token"),
        ("_generate_and_score_completions", renamed_parameter, r"completions takes \['model', 'batch'\]"),
        ("_generate_and_score_completions", None, "completions takes None, expected"),
    ],
)
def test_a_trl_with_other_internals_is_refused_when_the_trainer_is_built(
    world, tmp_path, monkeypatch, method, replacement, difference
):
    monkeypatch.setattr(GRPOTrainer, method, replacement)

    with pytest.raises(SaferecError, match=difference) as refusal:
        set_up(world, tmp_path)

    assert "Install trl" in str(refusal.value)


def test_loss_clipping_and_gradient_are_those_of_the_research_code(recorded, setup, monkeypatch):
    trainer, checked = setup.trainer, 0
    for record in recorded["loss"]:
        config = record["config"]
        if config["level"] != "item":
            continue
        logps = torch.tensor(record["logps"], requires_grad=True)
        # There, all that lies beyond the last rank shares one ratio; here each token has its own.
        # As one rank more, it is the same in both.
        rank_ids = torch.tensor(record["seg_ids"]).clamp(max=config["rec_num"])
        mask = torch.tensor(record["mask"])
        batch = {
            "prompt_ids": torch.zeros(len(mask), 1).long(),
            "prompt_mask": torch.ones(len(mask), 1).long(),
            "completion_ids": torch.zeros_like(mask),
            "completion_mask": mask,
            "advantages": torch.tensor(record["advantages"]),
            "rank_ids": rank_ids,  # -1 on padding
        }
        for name in ("old", "ref"):
            if record[f"{name}_logps"] is not None:
                batch[f"{name}_per_token_logps"] = torch.tensor(record[f"{name}_logps"])
        scored = (logps, torch.zeros_like(logps), None)
        with monkeypatch.context() as patched:
            patched.setattr(trainer.sharing, "reason", "log-probabilities are given")
            patched.setattr(GRPOTrainer, "_get_per_token_logps_and_entropies", lambda *_, s=scored, **__: s)
            for name, value in {
                "loss_type": config["loss_type"],
                "beta": config["beta"],
                "epsilon_low": config["eps"],
                "epsilon_high": config["eps_hi"],
                "current_gradient_accumulation_steps": 1,
            }.items():
                patched.setattr(trainer, name, value, raising=False)
            loss = trainer._compute_loss(trainer.model.train(), batch)
        loss.backward()

        assert loss.item() == pytest.approx(record["loss"], abs=1e-5), record["name"]
        torch.testing.assert_close(
            logps.grad, torch.tensor(record["grad_logps"]), atol=1e-5, rtol=0, msg=record["name"]
        )
        for name in {"kl", "clip_ratio/low_mean", "clip_ratio/high_mean"} & record["metrics"].keys():
            measured = trainer._metrics["train"][name][-1]
            assert measured == pytest.approx(record["metrics"][name], abs=1e-5), (record["name"], name)
        checked += 1
    assert checked == 6


def test_a_limit_is_charged_in_training_adapts_and_is_part_of_the_checkpoint(setup):
    trainer, texts = setup.trainer, lists_of_all_kinds(setup)
    free = setup.batch(texts) and setup.scored[-1]
    asked = ["violation_rate<=0.01"]
    limits = Limits(limits_of(asked, trainer._scorer.judge), LimitsConfig(limit=asked))
    limits.controllers[0].multiplier = 3.0
    unlimited, trainer._limits = trainer._limits, limits
    try:
        setup.batch(texts)
        figures = trainer._metrics["train"]["multiplier/violation_rate"]
        parts = trainer.stateful_parts()
    finally:
        trainer._limits = unlimited

    lists = free.rollouts.lists
    change = setup.scored[-1].advantages.rank - free.advantages.rank
    paying, at_no_cost = lists.violations, lists.known & ~lists.violations & ~lists.wasted
    compared = (paying.any(0) & at_no_cost.any(0)).expand_as(paying)  # elsewhere all pay alike, or none does
    assert (lists.violations & compared).any()
    assert (change[paying & compared] < 0).all()
    assert (change[at_no_cost & compared] > 0).all()
    assert (change[~paying & ~at_no_cost] == 0).all()  # wasted, known to nobody, or not written
    charged = torch.where(lists.rank_mask, change, torch.nan).nanmean(0)
    torch.testing.assert_close(charged, torch.zeros(K), atol=1e-5, rtol=0)
    assert torch.equal(setup.scored[-1].advantages.list, free.advantages.list)
    assert len(figures) == 1
    assert parts["limits"] is limits


class Faulty(RewardFunction):
    """A reward function that breaks its contract."""

    scope = "rank"


class Raises(Faulty):
    def __call__(self, lists):
        raise ZeroDivisionError("no titles")


class ReturnsOneColumn(Faulty):
    def __call__(self, lists):
        return lists.hits.float()[:, :1]


class ReturnsInfinity(Faulty):
    def __call__(self, lists):
        return torch.where(lists.rank_mask, torch.inf, 0.0)


class ReturnsAList(Faulty):
    def __call__(self, lists):
        return lists.hits.tolist()


@pytest.mark.parametrize(
    ("function", "what"),
    [
        (Raises, "failed: ZeroDivisionError: no titles"),
        (ReturnsOneColumn, rf"must return \(N, K\) = \({N}, {K}\), but returned \({N}, 1\)"),
        (ReturnsInfinity, "must return finite values .* returned inf for completion 1 at rank 1"),
        (ReturnsAList, "must return a tensor .* but returned list"),
    ],
)
def test_a_reward_that_fails_stops_the_training_by_name(world, tmp_path, function, what):
    setup = set_up(world, tmp_path)
    setup.trainer._scorer.rewards.append(ActiveReward("novelty", function(), 1.0))
    setup.writes(lists_of_all_kinds(setup))

    with pytest.raises(RewardError, match=f"reward 'novelty' {what}"):
        setup.trainer.train()

    assert setup.trainer.state.global_step == 0


def test_a_step_of_training_makes_tokens_with_advantage_likelier_than_those_without(world, tmp_path):
    setup = set_up(world, tmp_path)
    setup.writes(lists_of_all_kinds(setup))
    trainer = setup.trainer
    untrained = {name: weights.clone() for name, weights in trainer.model.state_dict().items()}

    trainer.train()

    batch = trainer._buffered_inputs[0]
    after = log_probs(trainer, batch).detach()
    trainer.model.load_state_dict(untrained)
    gain = after - log_probs(trainer, batch).detach()
    assert trainer.state.global_step == 1
    assert (gain * batch["advantages"])[batch["completion_mask"].bool()].sum() > 0.1


REWARD_SETS: dict[str, dict[str, Any]] = {"all": {}, "by rank": ONLY_RANK_REWARDS}


def save_advantages(world: str, folder: str) -> None:
    """Score this process's part of twelve completions and write down what it was given."""
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    batch_size = {"optimization": {"per_device_train_batch_size": 12 // processes}}
    given = {}
    for name, rewards in REWARD_SETS.items():
        setup = set_up(Path(world), Path(folder), **batch_size, **rewards)
        assert setup.trainer.accelerator.num_processes == processes
        setup.batch(lists_of_all_kinds(setup, 12))
        advantages = setup.scored[0].advantages
        given[name] = torch.cat([advantages.rank, advantages.list[:, None]], 1)
    by_token = set_up(Path(world), Path(folder), **batch_size, rank_weighting="tokens")
    batch = by_token.batch(lists_of_all_kinds(by_token, 12))
    given["loss"] = by_token.trainer._compute_loss(by_token.trainer.model, batch).detach()
    torch.save(given, Path(folder) / f"{processes}-{setup.trainer.accelerator.process_index}.pt")


@pytest.mark.slow
def test_two_processes_get_the_advantages_and_the_loss_that_one_would_though_a_group_straddles_them(
    world, tmp_path
):
    script = tmp_path / "score.py"
    script.write_text(
        f"import runpy, sys\nrunpy.run_path({str(Path(__file__))!r})['save_advantages'](*sys.argv[1:])\n"
    )
    save_advantages(str(world), str(tmp_path))
    scoring = warm.Together(
        *(2, world, tmp_path),
        folder=tmp_path,
        output=tmp_path / "output",
        settings={"ACCELERATE_USE_CPU": "true", "PYTHONPATH": str(Path(warm.__file__).parents[1])},
        module="score",
    )

    assert scoring.wait() == 0, (tmp_path / "output").read_text(encoding="utf-8")[-3000:]
    alone = torch.load(tmp_path / "1-0.pt", weights_only=True)
    together = [torch.load(tmp_path / f"2-{index}.pt", weights_only=True) for index in range(2)]
    for name in REWARD_SETS:
        parts = [part[name] for part in together]
        assert [len(part) for part in parts] == [6, 6]  # G = 4: the second group lies in both
        assert alone[name].any()
        torch.testing.assert_close(torch.cat(parts), alone[name])
    # Gradients are averaged over processes, and so the loss: every token counts what it does for one.
    assert alone["loss"].abs() > 1e-3
    torch.testing.assert_close(
        sum(part["loss"] for part in together) / 2, alone["loss"], atol=1e-5, rtol=1e-4
    )
