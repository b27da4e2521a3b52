"""How far importance ratios are from 1 without any update, by token and by rank.

    python benchmarks/bf16_ratios.py MODEL [--lists 16] [--titles 10]

The same lists of films are scored in bfloat16 one at a time and eight at a time. Whatever differs is
arithmetic: kernels add up in another order. A rank's ratio is the geometric mean over its tokens, as in the
loss, so that what differs partly cancels; printed is the share of ratios outside 0.9 .. 1.1.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error")

import argparse
import random
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from saferec_core import load_plugins
from saferec_core.config.sections import DataConfig, ModelConfig
from saferec_core.demo.films import load_films
from saferec_core.models.context import render
from saferec_core.models.decoding import NO_RANK, TokenAligner
from saferec_core.models.loading import load_policy
from saferec_core.plugins.build import chosen
from saferec_core.rl.ranks import assign_ranks, rank_ratio

PROMPT = [{"role": "user", "content": "I loved Alien (1979). Please recommend films."}]
TOGETHER = 8


def main(arguments: Sequence[str] | None = None) -> None:
    """Score the lists both ways and print the shares."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", help="folder, hub id or GGUF file")
    parser.add_argument("--lists", type=int, default=16)
    parser.add_argument("--titles", type=int, default=10)
    chosen_ = parser.parse_args(arguments)
    torch.set_num_threads(1)
    policy = load_policy(chosen_.model, ModelConfig(dtype="bfloat16"))
    policy.model.to("cuda" if torch.cuda.is_available() else "cpu")
    plugins, rng = load_plugins(), random.Random(0)
    parse = chosen(plugins, plugins.parsers, DataConfig().parser)
    encode, aligner = policy.tokenizer, TokenAligner(policy.tokenizer)
    prompt = encode(render(encode, PROMPT), add_special_tokens=False)["input_ids"]
    films = [str(film.title) for film in load_films()]
    lists = [
        encode("\n".join(rng.sample(films, chosen_.titles)), add_special_tokens=False)["input_ids"]
        for _ in range(chosen_.lists)
    ]
    width = max(map(len, lists))
    rank_ids = torch.full((len(lists), width), NO_RANK)
    mask = torch.zeros_like(rank_ids, dtype=torch.bool)
    for row, ids in enumerate(lists):
        text, starts = aligner.decode(ids)
        (ranks,) = assign_ranks([starts], [parse(text)], chosen_.titles)
        rank_ids[row, : len(ids)] = torch.from_numpy(ranks)
        mask[row, : len(ids)] = True
    alone = torch.cat(
        [scored(policy.model, prompt, lists[row : row + 1], width) for row in range(len(lists))]
    )
    together = torch.cat(
        [
            scored(policy.model, prompt, lists[row : row + TOGETHER], width)
            for row in range(0, len(lists), TOGETHER)
        ]
    )
    ratios = (together - alone).exp()
    by_rank = rank_ratio(ratios, rank_ids, mask, chosen_.titles)
    first = mask & (rank_ids != NO_RANK)
    first[:, 1:] &= rank_ids[:, 1:] != rank_ids[:, :-1]  # one token of each rank
    tokens = int((mask & (rank_ids != NO_RANK)).sum())
    print(f"{policy.model.num_parameters() / 1e6:.0f} M weights in bfloat16, {len(lists)} lists")
    print(f"{tokens} tokens of ranks: {outside(ratios[mask & (rank_ids != NO_RANK)]):.2%} outside 0.9 .. 1.1")
    print(
        f"{int(first.sum())} ranks of {tokens / int(first.sum()):.1f} tokens: "
        f"{outside(by_rank[first]):.2%} outside 0.9 .. 1.1"
    )
    spread = [float(np.std(values.log().numpy())) for values in (ratios[mask], by_rank[first])]
    print(f"deviation of the log ratio: {spread[0]:.4f} by token, {spread[1]:.4f} by rank")


@torch.no_grad()
def scored(
    model: torch.nn.Module, prompt: Sequence[int], lists: Sequence[Sequence[int]], width: int
) -> Float[Tensor, "N T"]:
    """Return the log probabilities of the lists' tokens, padded on the right to *width*."""
    longest = max(map(len, lists))
    ids = torch.tensor([[*prompt, *one, *[0] * (longest - len(one))] for one in lists])
    mask = torch.tensor([[1] * (len(prompt) + len(one)) + [0] * (longest - len(one)) for one in lists])
    device = next(model.parameters()).device
    logits = model(input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False).logits
    logits = logits[:, len(prompt) - 1 : -1].float().cpu()
    log_probs = logits.log_softmax(-1).gather(-1, ids[:, len(prompt) :, None])[..., 0]
    return torch.nn.functional.pad(log_probs, (0, width - longest))


def outside(ratios: Tensor) -> float:
    """Return the share outside 0.9 .. 1.1."""
    return float(((ratios < 0.9) | (ratios > 1.1)).float().mean())


if __name__ == "__main__":
    main()
