"""Completions of a policy, for evaluation."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

from saferec_core.data.records import Message
from saferec_core.models.adapters import without_adapters
from saferec_core.models.completions import Completion, Decoding, Progress
from saferec_core.models.context import encode_fitting, ignore, room_for_prompt
from saferec_core.models.decoding import TokenAligner
from saferec_core.models.finite import only_finite_logits
from saferec_core.models.loading import Policy, declared_context
from saferec_core.models.memory import memory_advised
from saferec_core.models.resume import Journal, key_of
from saferec_core.models.whole_policy import weights_hash
from saferec_core.runs.distributed import gathered, process_count, process_index

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from saferec_core.models.guided.guiding import Guiding

__all__ = ["PolicyGenerator", "decoded", "generate", "generation_prefix", "prompt_tokens", "seed_of"]


_LESS_MEMORY = (
    "smaller batches (--eval-batch-size; of saferec recommend, --batch-size)",
    "a shorter --max-completion-length",
    "--dtype bfloat16, or --load-in-4bit",
)


@dataclass(frozen=True)
class PolicyGenerator:
    """Generates with transformers and the model as it is, adapters included."""

    policy: Policy
    journal: Journal | None = None
    """Keeps what was generated, batch by batch, so that an interrupted evaluation continues."""
    sharded: bool = False
    """Whether the processes that train together share the work; then all of them have to call."""
    note: Callable[[str], None] = ignore
    """Called with a sentence if prompts had to be shortened."""

    def __call__(
        self,
        prompts: Sequence[Sequence[Message]],
        decoding: Decoding,
        *,
        guiding: Guiding | None = None,
        progress: Progress | None = None,
    ) -> list[list[Completion]]:
        """Generate; each completion is its text and whether it ended on its own."""
        with memory_advised("generating lists", *_LESS_MEMORY):
            written = generate(
                self.policy,
                prompts,
                decoding,
                guiding=guiding,
                progress=progress,
                journal=self.journal,
                sharded=self.sharded,
                note=self.note,
            )
        return decoded(written, self._aligner, self.policy.end_ids)

    @cached_property
    def _aligner(self) -> TokenAligner:
        return TokenAligner(self.policy.tokenizer)


def decoded(
    written: Sequence[Sequence[list[int]]], aligner: TokenAligner, ends: frozenset[int]
) -> list[list[Completion]]:
    """Turn token ids into text, by prompt and sibling; a completion that ended has its end token last."""
    return [
        [Completion(aligner.decode(ids)[0], bool(ids) and ids[-1] in ends) for ids in siblings]
        for siblings in written
    ]


def generation_prefix(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return what the chat template writes between the last turn and the policy's own text."""
    template: Any = tokenizer
    turns = [{"role": "user", "content": "x"}]
    whole = str(template.apply_chat_template(turns, add_generation_prompt=True, tokenize=False))
    return whole[len(str(template.apply_chat_template(turns, tokenize=False))) :]


@torch.no_grad()
def generate(
    policy: Policy,
    prompts: Sequence[Sequence[Message]],
    decoding: Decoding,
    *,
    guiding: Guiding | None = None,
    progress: Progress | None = None,
    journal: Journal | None = None,
    sharded: bool = False,
    on_token: Callable[[int], None] | None = None,
    note: Callable[[str], None] = ignore,
) -> list[list[list[int]]]:
    """Generate completions as token ids, for each prompt as many as *decoding* says.

    Prompts are batched by length; the order of the result is that of *prompts*, whatever the batch
    size. A completion ends with its end-of-sequence token unless it was cut off. Every batch has a seed
    of its own, made of that of *decoding* and its number: what is drawn for a batch does not depend on
    whether those before it were generated now or read from the journal.

    Args:
        policy: The model and its tokenizer.
        prompts: Conversations that end where the policy's turn begins.
        decoding: How to draw.
        guiding: What each prompt's list may hold; None: anything may be written.
        progress: Called after each batch with the number of prompts done so far.
        journal: Batches that are in it are not generated again, others are added to it.
        sharded: Whether each process generates every so-many-th batch, and all get everything. What a batch
            is given does not depend on which process has it.
        on_token: Called with every token of a single completion as it is drawn; what it raises ends the
            generation.
        note: Called with a sentence if prompts had to be shortened.

    Raises:
        DataError: The last turn of a prompt is too long for the model's context.
    """
    encoded = encode_fitting(policy.tokenizer, prompts, _room(policy, decoding, guiding), note)
    by_length = sorted(range(len(prompts)), key=lambda prompt: len(encoded[prompt]))
    policy_hash = "" if journal is None else weights_hash(policy)
    completions: list[list[list[int]]] = [[] for _ in prompts]
    processes, own = (process_count(), process_index()) if sharded else (1, 0)
    batches = list(enumerate(range(0, len(prompts), decoding.batch_size)))
    generated: dict[int, list[list[list[int]]]] = {}
    done = 0
    with _settings_of_our_own(policy.model), torch.random.fork_rng():  # training must not draw otherwise
        for number, start in batches[own::processes]:
            members = by_length[start : start + decoding.batch_size]
            batch = [encoded[prompt] for prompt in members]
            guided = None if guiding is None else guiding.of(members)
            drawn = {**vars(decoding), **({} if guided is None else {"guided": guided.keys()})}
            key = "" if journal is None else key_of(policy_hash, drawn, number, batch)
            written = None if journal is None else journal.get(key)
            if written is None:
                torch.manual_seed(seed_of(decoding.seed, number))
                written = _generate_batch(policy, batch, decoding, guided, alone=sharded, on_token=on_token)
                if journal is not None:
                    journal.add(key, written)
            generated[number] = written
            done += len(members) * processes
            if progress is not None:
                progress(min(done, len(prompts)))
    for part in gathered(generated) if sharded else [generated]:
        for number, written in part.items():
            start = number * decoding.batch_size
            for prompt, siblings in zip(by_length[start:], written, strict=False):
                completions[prompt] = siblings
    return completions


def prompt_tokens(
    policy: Policy, prompt: Sequence[Message], decoding: Decoding, guiding: Guiding | None
) -> int:
    """Return how many tokens of a prompt the policy reads."""
    return len(encode_fitting(policy.tokenizer, [prompt], _room(policy, decoding, guiding))[0])


def _room(policy: Policy, decoding: Decoding, guiding: Guiding | None) -> int | None:
    longest = decoding.max_completion_length if guiding is None else guiding.longest
    return room_for_prompt(declared_context(policy.model.config), longest)


def seed_of(seed: int, number: int) -> int:
    """Mix a seed and the number of what is drawn; 63 bits, as the engines take them."""
    digest = hashlib.sha256(f"{seed} {number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def _generate_batch(
    policy: Policy,
    batch: Sequence[list[int]],
    decoding: Decoding,
    guiding: Guiding | None,
    *,
    alone: bool,
    on_token: Callable[[int], None] | None = None,
) -> list[list[list[int]]]:
    """Generate for a few prompts at once, padded on the left; a prompt is computed once for its completions.

    *alone* says that other processes generate other batches. Without it transformers would wait for them at
    every token while DeepSpeed ZeRO-3 is active, although the weights are whole here.
    """
    model, tokenizer = policy.model, policy.tokenizer
    width = max(map(len, batch))
    pad: Any = tokenizer.pad_token_id
    size = decoding.completions
    rows = [ids for ids in batch for _ in range(size)]
    inputs = torch.tensor([[pad] * (width - len(ids)) + ids for ids in rows], device=model.device)
    mask = torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in rows], device=model.device)
    generator: Any = model
    if size > 1:
        _share_prompts(generator)
    config = _generation_config(policy, decoding)
    processors = []
    if guiding is not None:
        config.max_new_tokens = guiding.longest
        processors.append(guiding.logits_processor(size, model.device))
    with only_finite_logits(model):
        output = generator.generate(
            input_ids=inputs,
            attention_mask=mask,
            generation_config=config,
            logits_processor=processors,
            synced_gpus=False if alone else None,
            streamer=None if on_token is None else _Tokens(on_token),
        )
    written = [_up_to_end(ids, policy.end_ids) for ids in output[:, width:].tolist()]
    return [written[row : row + size] for row in range(0, len(written), size)]


class _Tokens:
    """What ``generate`` calls a streamer: takes the prompt first, then one token at a time."""

    def __init__(self, on_token: Callable[[int], None]) -> None:
        self._on_token = on_token
        self._prompt_is_next = True

    def put(self, value: torch.Tensor) -> None:
        """Take what was drawn."""
        if not self._prompt_is_next:
            self._on_token(int(value))
        self._prompt_is_next = False

    def end(self) -> None:
        """Do nothing: the caller knows when ``generate`` returns."""


def _share_prompts(model: Any) -> None:
    """Let ``generate`` compute equal rows once, where the model allows it."""
    from saferec_core.models.shared_prefix.generation import share_generation  # imports transformers
    from saferec_core.models.shared_prefix.support import reason_against_shared_attention

    bare = without_adapters(model)
    if reason_against_shared_attention(bare) is None:
        share_generation(bare)


@contextmanager
def _settings_of_our_own(model: Any) -> Iterator[None]:
    """Switch to evaluation, with none of the decoding settings that the checkpoint came with.

    ``generate`` takes settings that are not passed from the model, such as Qwen's repetition penalty.
    """
    from transformers import GenerationConfig  # imports slowly

    was_training, declared = model.training, model.generation_config
    model.eval()
    model.generation_config = GenerationConfig(eos_token_id=declared.eos_token_id)
    try:
        yield
    finally:
        model.generation_config = declared
        model.train(was_training)


def _generation_config(policy: Policy, decoding: Decoding) -> Any:
    from transformers import GenerationConfig  # imports slowly

    sampled = decoding.kind == "sampled"
    drawing: dict[str, Any] = (
        {"temperature": decoding.temperature, "top_p": decoding.top_p, "top_k": 0} if sampled else {}
    )
    return GenerationConfig(
        do_sample=sampled,
        max_new_tokens=decoding.max_completion_length,
        eos_token_id=sorted(policy.end_ids),
        pad_token_id=policy.tokenizer.pad_token_id,
        **drawing,
    )


def _up_to_end(ids: list[int], ends: frozenset[int]) -> list[int]:
    """Cut off everything after the first token that ends a completion."""
    return next((ids[: position + 1] for position, token in enumerate(ids) if token in ends), ids)
