"""Steps of stock TRL and of saferec on the same rollouts, taken in turns and timed by phase.

Used by ``training_step.py`` and ``gpu_step.py``. Both trainers load the same weights and train on the same
token ids: prompts and completions are made beforehand, and what would generate them returns them. Stock TRL
has one scalar reward that costs nothing; saferec has relevance, safety and count, GDPO, and weighting by
ranks. The first pair of steps, which compiles and allocates what the others reuse, is left out.

Phases: *generate* is the sampling of the completions, where that is measured: what is sampled is thrown away,
so that both train on the same; *old* and *reference* are the scoring passes without gradient, *reward* is
everything else that turns completions into advantages, *forward* is the loss, then *backward* and
*optimizer*. *training part* is old + reference + forward + backward.
"""

from __future__ import annotations

import contextlib
import gc
import math
import os
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from peak_memory import read_peak, start_peak
from reward_path import PROMPT, World
from trainer_pair import pair_of_trainers, write_qwen2

from saferec_core.config.schema import TrainConfig

TOKENS_A_LINE = 9
"""About how many tokens a title of `World` takes."""

SCORING = ("old", "reference")
TRAINING = (*SCORING, "forward", "backward")
PHASES = ("generate", *SCORING, "reward", "forward", "backward", "optimizer")


@dataclass(frozen=True)
class Size:
    """Dimensions of a network."""

    hidden: int
    layers: int
    intermediate: int
    heads: int
    key_value_heads: int
    vocabulary: int


@dataclass(frozen=True)
class Shape:
    """What a step trains on and how."""

    prompt: int
    """Tokens of each prompt."""
    listed: int
    """Tokens of each completion, about."""
    group: int
    """Completions per prompt (G)."""
    rows: int
    """Completions per optimizer step."""
    micro: int
    """Completions per forward pass."""
    lora: int = 0
    """Size of the adapters; 0: all weights are trained."""
    checkpointing: bool = False
    iterations: int = 1
    """How often a generation batch is trained on; above 1 there is a pass for the old policy."""
    generated: bool = False
    """Whether as many tokens are sampled in every step, too."""

    def __str__(self) -> str:
        trained = f"LoRA {self.lora}" if self.lora else "full"
        more = ", checkpointing" * self.checkpointing + f", x{self.iterations}" * (self.iterations > 1)
        more += ", generated" * self.generated
        return (
            f"prompt {self.prompt}, list {self.listed}, G {self.group}, {self.rows} rows in passes of "
            f"{self.micro}, {trained}{more}"
        )


@dataclass
class Phases:
    """Seconds and peak bytes of the phases of one step."""

    seconds: dict[str, float] = field(default_factory=dict)
    peak: int = 0
    """Largest memory in use above that of the weights and optimizer."""

    @property
    def training(self) -> float:
        """Seconds of the scoring passes, forward and backward."""
        return sum(self.seconds.get(name, 0.0) for name in TRAINING)

    @property
    def whole(self) -> float:
        """Seconds of the step, without generation unless that is measured."""
        return sum(self.seconds.values())


class Clock:
    """Measures phases, the inner of nested ones excluded from the outer."""

    def __init__(self, cuda: bool, processor: bool) -> None:
        """Count the time of a GPU, of the processor, or of the clock."""
        self._cuda = cuda
        self._now: Callable[[], float] = time.process_time if processor else time.perf_counter
        self._inner = [0.0]
        self.phases = Phases()

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the time that passes within to phase *name*."""
        self._synchronize()
        start = self._now()
        self._inner.append(0.0)
        try:
            yield
        finally:
            self._synchronize()
            took = self._now() - start
            own = took - self._inner.pop()
            self._inner[-1] += took
            self.phases.seconds[name] = self.phases.seconds.get(name, 0.0) + own

    def _synchronize(self) -> None:
        if self._cuda:
            torch.cuda.synchronize()


class Steps:
    """A trainer whose steps are timed."""

    def __init__(self, trainer: Any, *, processor: bool, generated: int = 0) -> None:
        """Make *trainer* take single steps; activations are recomputed if its arguments say so.

        Args:
            trainer: Of TRL or of saferec.
            processor: Whether to count the processor's time and not the clock's.
            generated: How many tokens to sample for every completion; 0: none.
        """
        self.trainer = trainer
        self._generate = trainer._generate_single_turn if generated else None
        if generated:
            trainer.generation_config.max_new_tokens = generated
        self._processor = processor
        self._cuda = next(trainer.model.parameters()).is_cuda
        trainer.create_optimizer()
        trainer.current_gradient_accumulation_steps = trainer.args.gradient_accumulation_steps
        trainer.model.train()
        if trainer.args.gradient_checkpointing:  # which only train() would do
            trainer.model.gradient_checkpointing_enable(trainer.args.gradient_checkpointing_kwargs)
        self._clock = Clock(self._cuda, processor)
        self._wrap("_generate_and_score_completions", lambda: "reward")
        self._wrap("_get_per_token_logps_and_entropies", self._scoring_phase)
        self._wrap("compute_loss", lambda: "forward")
        backward = trainer.accelerator.backward

        def timed(*args: Any, **kwargs: Any) -> None:
            with self._clock.phase("backward"):
                backward(*args, **kwargs)

        trainer.accelerator.backward = timed
        self._passes = 0

    def _wrap(self, name: str, phase: Callable[[], str]) -> None:
        method = getattr(self.trainer, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            with self._clock.phase(phase()):
                return method(*args, **kwargs)

        setattr(self.trainer, name, timed)

    def _scoring_phase(self) -> str:
        if torch.is_grad_enabled():
            return "forward"
        self._passes += 1
        # TRL scores with the old policy first, if at all, and then with the reference.
        return "old" if self.trainer.num_iterations > 1 and self._passes == 1 else "reference"

    def step(
        self, prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]], records: Sequence[int]
    ) -> Phases:
        """Train on rollouts once, in as many passes as the arguments say."""
        trainer = self.trainer
        trainer._tokenize_prompts = lambda _: ([list(ids) for ids in prompts], None, {})

        def sampled(*args: Any, **kwargs: Any) -> tuple[list[list[int]], None]:
            if self._generate is not None:
                with self._clock.phase("generate"):
                    self._generate(*args, **kwargs)
            return [list(ids) for ids in completions], None

        trainer._generate_single_turn = sampled
        inputs = [{"prompt": PROMPT, "record": record} for record in records]
        self._clock = Clock(self._cuda, self._processor)
        self._passes = 0
        trainer._step, trainer._buffered_inputs = 0, None
        before = start_peak(self._cuda)
        for _ in range(trainer.args.gradient_accumulation_steps):
            trainer.training_step(trainer.model, inputs, num_items_in_batch=None)
        with self._clock.phase("optimizer"):
            torch.nn.utils.clip_grad_norm_(trainer.model.parameters(), 1.0)
            trainer.optimizer.step()
            trainer.optimizer.zero_grad()
        self._clock.phases.peak = read_peak(self._cuda) - before
        return self._clock.phases


def write_model(folder: Path, tokenizer: Any, size: Size, dtype: torch.dtype) -> float:
    """Write a network with random weights; return its millions of weights."""
    return write_qwen2(
        folder,
        tokenizer,
        dtype,
        vocab_size=size.vocabulary,
        hidden_size=size.hidden,
        intermediate_size=size.intermediate,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.key_value_heads,
        max_position_embeddings=32768,
    )


def trainers(
    folder: Path, world: World, shape: Shape, dtype: str, *, share_prefix: str = "on", bf16: bool = False
) -> tuple[Any, Any]:
    """Build both trainers on the same model and arguments: TRL's, ours."""
    config = TrainConfig.model_validate(
        {
            "num_ranks": 20,
            "kl_beta": 1e-3,
            "num_iterations": shape.iterations,
            "max_completion_length": 2 * shape.listed,
            "model": {
                "dtype": dtype,
                "use_lora": shape.lora > 0,
                "lora_r": max(shape.lora, 1),
                "lora_alpha": 2.0 * max(shape.lora, 1),
                "lora_dropout": 0.0,
            },
            "rollout": {"num_generations": shape.group},
            "optimization": {
                "optim": "adamw_torch",
                "bf16": bf16,
                "gradient_checkpointing": shape.checkpointing,
                "per_device_train_batch_size": shape.micro,
                "gradient_accumulation_steps": shape.rows // shape.micro,
                "share_prefix": share_prefix,
            },
            "logging": {"save_strategy": "no"},
        }
    )
    return pair_of_trainers(folder, world, config)


def make_world(folder: Path, shape: Shape, groups: int) -> World:
    """Make completions of about the wanted length for a number of prompts."""
    return World(
        folder,
        titles=4000,
        completions=groups * shape.group,
        seed=0,
        listed=max(1, shape.listed // TOKENS_A_LINE),
        group_size=shape.group,
    )


def prompts_for(records: Sequence[int], length: int, vocabulary: int) -> list[list[int]]:
    """Make up a prompt for every record, the same in every row of a group."""
    return [random.Random(record).choices(range(3, min(vocabulary, 800)), k=length) for record in records]


@dataclass
class Result:
    """Pairs of steps of one shape."""

    shape: Shape
    stock: list[Phases] = field(default_factory=list)
    ours: list[Phases] = field(default_factory=list)
    shared: bool = True
    """Whether saferec shared prompts."""
    reason: str | None = None
    """Why not."""
    out_of_memory: list[int] = field(default_factory=list)
    """Which trainers ran out of memory: 0 TRL's, 1 ours."""
    difference: float = 0.0
    """Largest mean difference of log-probabilities that the comparison with plain scoring saw."""

    def ratio(self, value: Callable[[Phases], float]) -> tuple[float, float, float]:
        """Return saferec's median in TRL's, and the 90 % interval of a bootstrap over pairs."""
        pairs = [(value(stock), value(ours)) for stock, ours in zip(self.stock, self.ours, strict=False)]
        if not pairs:
            return math.nan, math.nan, math.nan
        rng = random.Random(2)
        drawn = sorted(_ratio(rng.choices(pairs, k=len(pairs))) for _ in range(1000))
        return _ratio(pairs), drawn[50], drawn[949]

    def as_json(self) -> dict[str, Any]:
        """Return everything that was measured."""
        return {
            "shape": asdict(self.shape),
            "shared": self.shared,
            "reason": self.reason,
            "mean_log_prob_difference": self.difference,
            "out_of_memory": [("TRL", "saferec")[which] for which in self.out_of_memory],
            "stock": [asdict(phases) for phases in self.stock],
            "saferec": [asdict(phases) for phases in self.ours],
            "ratios": {
                "training": self.ratio(lambda phases: phases.training),
                "step": self.ratio(lambda phases: phases.whole),
                "peak": self.ratio(lambda phases: phases.peak),
            },
        }


def _ratio(pairs: Sequence[tuple[float, float]]) -> float:
    stock, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
    return _quotient(ours, stock)


def measure(
    folder: Path,
    world: World,
    shape: Shape,
    vocabulary: int,
    dtype: str,
    *,
    pairs: int,
    seconds: float,
    processor: bool,
    bf16: bool = False,
) -> Result:
    """Take steps in turns (A B, B A, ...) until there are enough pairs or the time is up.

    Args:
        folder: Holds ``model``.
        world: Has rollouts for ``pairs + 1`` steps.
        shape: What a step trains on.
        vocabulary: Entries of the model's vocabulary.
        dtype: Type of the weights.
        pairs: How many pairs to measure; one more is taken first, to warm up.
        seconds: After how many seconds no further pair is begun.
        processor: Whether to count the processor's time and not the clock's.
        bf16: Whether to compute in bfloat16 by autocast.
    """
    deadline = time.perf_counter() + seconds
    stock, ours = trainers(folder, world, shape, dtype, bf16=bf16)
    generated = shape.listed if shape.generated else 0
    both = [Steps(trainer, processor=processor, generated=generated) for trainer in (stock, ours)]
    result = Result(shape)
    for number in range(pairs + 1):
        rows = range(number * shape.rows, (number + 1) * shape.rows)
        records = [world.record_ids[row] for row in rows]
        rollouts = (
            prompts_for(records, shape.prompt, vocabulary),
            [world.ids[row] for row in rows],
            records,
        )
        for which in (0, 1) if number % 2 else (1, 0):
            if which in result.out_of_memory:
                continue
            try:
                phases = both[which].step(*rollouts)
            except torch.OutOfMemoryError:
                result.out_of_memory.append(which)
                both[which].trainer.model.zero_grad()
                continue
            finally:
                gc.collect()
            if number:
                (result.stock, result.ours)[which].append(phases)
        if number and time.perf_counter() > deadline:
            break
    result.reason = ours.sharing.reason
    result.shared = result.reason is None
    result.difference = ours.sharing.largest_difference
    return result


def header() -> str:
    """Return the head of the table that `line` makes rows of."""
    seconds = f"{'TRL':>8} {'saferec':>8}"
    return f"{'shape':<62} {'pairs':>5} {seconds}  {'training part':>22}  {'step':>22}  {'peak memory':>12}"


def line(result: Result) -> str:
    """Return one row: seconds of the training part, and ratios with their 90 % intervals."""
    stock, ours = (_median(part, lambda phases: phases.training) for part in (result.stock, result.ours))
    training, step, peak = (
        result.ratio(value) for value in (lambda p: p.training, lambda p: p.whole, lambda p: p.peak)
    )
    notes = [f"{('TRL', 'saferec')[which]} ran out of memory" for which in result.out_of_memory]
    notes += [] if result.shared else [f"not shared: {result.reason}"]
    ratios = f"{_interval(training):>22}  {_interval(step):>22}  {peak[0]:>12.2f}"
    seconds = f"{stock:>7.3f}s {ours:>7.3f}s"
    return f"{result.shape!s:<62} {len(result.ours):>5} {seconds}  {ratios}  {'; '.join(notes)}".rstrip()


def phase_table(result: Result) -> str:
    """Return the median seconds of every phase, and the peak of memory."""
    rows = [f"  {'phase':<10} {'TRL':>9} {'saferec':>9}  ratio"]
    for name in PHASES:
        stock, ours = (
            _median(part, lambda phases, name=name: phases.seconds.get(name, 0.0))
            for part in (result.stock, result.ours)
        )
        if stock or ours:
            rows.append(f"  {name:<10} {stock:>8.3f}s {ours:>8.3f}s  {_quotient(ours, stock):.2f}")
    stock, ours = (_median(part, lambda phases: phases.peak) / 2**20 for part in (result.stock, result.ours))
    rows.append(f"  {'peak MiB':<10} {stock:>9.0f} {ours:>9.0f}  {_quotient(ours, stock):.2f}")
    return "\n".join(rows)


def _median(steps: Sequence[Phases], value: Callable[[Phases], float]) -> float:
    return statistics.median(map(value, steps)) if steps else math.nan


def _quotient(ours: float, stock: float) -> float:
    return ours / stock if stock else math.nan


def _interval(ratio: tuple[float, float, float]) -> str:
    return "{:.3f} ({:.3f} to {:.3f})".format(*ratio)


def machine() -> str:
    """Return what ran this, in words."""
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    load = f"{torch.get_num_threads()} thread(s), load average {os.getloadavg()[0]:.1f}"
    return f"{name}, torch {torch.__version__}, {load}"
