"""The demo's network: a tokenizer that knows the catalog, and random weights.

Every catalog line ``Title (Year)`` is one token, so that a list of five titles takes eleven tokens
(five lines, their breaks, the end) and two layers suffice to learn the world within a minute.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

__all__ = ["CHAT_TEMPLATE", "train_tokenizer", "write_network"]

PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if not loop.first %}{{ '\\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}"
    "{% else %}{{ message['content'] + '<|im_end|>' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '\\n<|im_start|>assistant\\n' }}{% endif %}"
)
"""Turns stand on lines of their own, and a rendering ends with ``<|im_end|>`` itself: a prompt with
the generation prompt is a prefix of the prompt followed by its completion."""

MAX_LENGTH = 256
"""Tokens of the longest text that the network can read."""


def train_tokenizer(
    texts: Iterable[str], lines: Iterable[str], *, vocab_size: int = 750
) -> PreTrainedTokenizerFast:
    """Train byte-level BPE on *texts* and add every catalog line as one token.

    Args:
        texts: What users and assistants say, apart from titles.
        lines: Catalog titles as a completion writes them.
        vocab_size: Bound on the vocabulary before the lines are added.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD, START, END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*texts, "system", "user", "assistant"], trainer)
    tokenizer.add_tokens([AddedToken(line, normalized=False) for line in lines])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        padding_side="left",
        model_max_length=MAX_LENGTH,
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def write_network(folder: Path, tokenizer: PreTrainedTokenizerFast, *, seed: int) -> None:
    """Write *tokenizer* and a network with random weights from *seed* to *folder*.

    The state of torch's global random generator is left as it was.
    """
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    config = Qwen2Config(
        vocab_size=-(-len(tokenizer) // 64) * 64,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=MAX_LENGTH,
        tie_word_embeddings=True,
        initializer_range=0.06,  # at this width the usual 0.02 takes twice as long to get going
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Qwen2ForCausalLM(config)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
