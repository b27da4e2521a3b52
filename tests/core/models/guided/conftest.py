"""Small tokenizers of both families, and policies that know nothing."""

import json

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from saferec_core.data.titles import Title

TITLES = [
    Title("Heat", 1995),
    Title("Heat", 2013),
    Title("The Heat", 2013),
    Title("Saw", 2004),
    Title("Saw II", 2005),
    Title("1917", 2019),
    Title("(500) Days of Summer", 2009),
    Title("2001: A Space Odyssey", 1968),
    Title("Amélie", 2001),
    Title("霸王别姬", 1993),
    Title("*batteries not included", 1987),
    Title('Dr. "Strange" Love', 1964),
    Title("10 Things I Hate About You", 1999),
    Title("It", 2017),
    Title("It Follows", 2014),
    Title("M", 1931),
]


def byte_level():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=["<pad>", "<eos>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator([f"{title}\n" for title in TITLES] * 3, trainer)
    return wrapped(tokenizer)


def sentencepiece_like():
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    special = ["<unk>", "<pad>", "<eos>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=special, limit_alphabet=60)
    tokenizer.train_from_iterator([str(title) for title in TITLES[:8]] * 3, trainer)
    state = json.loads(tokenizer.to_str())  # bytes are ordinary tokens, as in Llama's vocabulary
    state["added_tokens"] = [
        token for token in state["added_tokens"] if not token["content"].startswith("<0x")
    ]
    return wrapped(Tokenizer.from_str(json.dumps(state)))


def wrapped(tokenizer):
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", clean_up_tokenization_spaces=False
    )


@pytest.fixture(scope="session", params=[byte_level, sentencepiece_like], ids=["byte-level", "sentencepiece"])
def tokenizer(request):
    return request.param()


@pytest.fixture
def seeded():
    return torch.Generator().manual_seed(0)
