"""Completions of a policy, for evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch

from saferec_core.models import Policy
from saferec_core.records import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["Decoding", "generate", "render"]


@dataclass(frozen=True)
class Decoding:
    """How completions are drawn; nothing is taken over from a checkpoint's own settings."""

    kind: Literal["greedy", "sampled"]
    max_completion_length: int
    """Tokens after which a completion is cut off."""
    temperature: float = 1.0
    top_p: float = 1.0
    samples: int = 1
    """Completions per prompt; 1 if greedy."""
    batch_size: int = 32
    seed: int = 0


def render(tokenizer: PreTrainedTokenizerBase, prompt: Sequence[Message]) -> str:
    """Write a conversation as the policy reads it, up to where its own turn begins."""
    text: Any = tokenizer.apply_chat_template(
        [dict(message) for message in prompt], add_generation_prompt=True, tokenize=False
    )
    return str(text)


@torch.no_grad()
def generate(
    policy: Policy,
    prompts: Sequence[Sequence[Message]],
    decoding: Decoding,
    *,
    progress: Callable[[int], None] | None = None,
) -> list[list[list[int]]]:
    """Generate completions as token ids, for each prompt as many as *decoding* says.

    Prompts are batched by length; the order of the result is that of *prompts*, whatever the batch
    size. A completion ends with its end-of-sequence token unless it was cut off.

    Args:
        policy: The model and its tokenizer.
        prompts: Conversations that end where the policy's turn begins.
        decoding: How to draw.
        progress: Called after each batch with the number of prompts done so far.
    """
    model: Any = policy.model
    tokenizer: Any = policy.tokenizer
    texts = [render(tokenizer, prompt) for prompt in prompts]
    lengths = [len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]]
    by_length = sorted(range(len(prompts)), key=lambda place: lengths[place])
    completions: list[list[list[int]]] = [[] for _ in prompts]
    done = 0
    with _settings_of_our_own(model), torch.random.fork_rng():  # training must not draw otherwise
        torch.manual_seed(decoding.seed)
        for start in range(0, len(prompts), decoding.batch_size):
            places = by_length[start : start + decoding.batch_size]
            batch = tokenizer(
                [texts[place] for place in places],
                return_tensors="pt",
                padding=True,
                add_special_tokens=False,
            ).to(model.device)
            output = model.generate(**batch, generation_config=_generation_config(policy, decoding))
            for row, ids in enumerate(output[:, batch["input_ids"].shape[1] :].tolist()):
                place = places[row // _samples(decoding)]
                completions[place].append(_up_to_end(ids, policy.end_ids))
            done += len(places)
            if progress is not None:
                progress(done)
    return completions


@contextmanager
def _settings_of_our_own(model: Any) -> Iterator[None]:
    """Switch to evaluation, with none of the decoding settings that the checkpoint came with.

    What ``generate`` is not told it takes from the model, such as Qwen's repetition penalty.
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
        num_return_sequences=_samples(decoding),
        max_new_tokens=decoding.max_completion_length,
        eos_token_id=sorted(policy.end_ids),
        pad_token_id=policy.tokenizer.pad_token_id,
        **drawing,
    )


def _samples(decoding: Decoding) -> int:
    return decoding.samples if decoding.kind == "sampled" else 1


def _up_to_end(ids: list[int], ends: frozenset[int]) -> list[int]:
    """Cut off what stands behind the first token that ends a completion."""
    return next((ids[: place + 1] for place, token in enumerate(ids) if token in ends), ids)
