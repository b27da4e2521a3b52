"""Load a policy, from wherever it is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from saferec_core.config.sections import ModelConfig
from saferec_core.errors import ConfigError, RunError
from saferec_core.files import replacing
from saferec_core.models.adapters import base_of_adapter, is_adapter
from saferec_core.models.cudnn_attention import avoid_cudnn_attention
from saferec_core.models.four_bit import four_bit_settings, keep_trainable
from saferec_core.models.unreadable import readable

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

__all__ = [
    "Policy",
    "check_same_vocabulary",
    "checkpoint_dtype",
    "context_length",
    "declared_context",
    "end_token_ids",
    "load_policy",
    "load_tokenizer",
    "merged_folder",
]


@dataclass(frozen=True)
class Policy:
    """A model with its tokenizer."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    @property
    def end_ids(self) -> frozenset[int]:
        """Every token that ends a completion: the tokenizer's, those the model declares, the template's."""
        return _end_ids(self.tokenizer, self.model.generation_config)


def load_policy(reference: str, config: ModelConfig) -> Policy:
    """Load a policy: a hub id, a folder, a LoRA adapter's folder, or a GGUF file.

    An adapter is put on the model that it was trained on. The weights of a GGUF file are unpacked.

    Raises:
        RunError: *reference* does not exist, holds no model, or is damaged.
    """
    avoid_cudnn_attention()
    folder = Path(reference)
    if reference.endswith(".gguf"):
        return _load_gguf(folder, config)
    if is_adapter(folder):
        return _load_adapter(folder, config)
    model = _load_model(reference, config)
    return Policy(model, load_tokenizer(reference, config))


def load_tokenizer(reference: str, config: ModelConfig) -> PreTrainedTokenizerBase:
    """Load a model's tokenizer, ready for generation: padded on the left.

    Raises:
        RunError: There is none, or it has no end-of-sequence token or no chat template.
    """
    from transformers import AutoTokenizer  # imports torch

    _check_exists(reference)
    if Path(reference).is_dir() and not (Path(reference) / "tokenizer_config.json").is_file():
        raise RunError(f"{reference} has no tokenizer (tokenizer_config.json); copy the model's into it")
    with readable("tokenizer", reference):
        tokenizer = AutoTokenizer.from_pretrained(reference, trust_remote_code=config.trust_remote_code)
    _check_vocabulary(tokenizer, reference, config)
    return _ready(tokenizer, reference, config)


def check_same_vocabulary(tokenizer: PreTrainedTokenizerBase, reference: str, config: ModelConfig) -> None:
    """Refuse a reference policy for which a token id means another text than for the policy.

    Raises:
        ConfigError: The vocabularies differ.
    """
    other = load_tokenizer(reference, config)
    if other.get_vocab() != tokenizer.get_vocab():
        raise ConfigError(
            f"the reference policy {reference} has another vocabulary ({len(other)} tokens) than the policy "
            f"({len(tokenizer)} tokens), so that no KL divergence can be measured; name a policy of the same "
            "model with --reference-policy"
        )


def merged_folder(reference: str, config: ModelConfig, target: Path) -> str:
    """Return a plain model folder or hub id for *reference*, written to *target* where need be.

    A GGUF file and an adapter have to be unpacked once: the reference policy of a full-weight run is
    read from disk again, and a new adapter needs a base that can be named.
    """
    if not reference.endswith(".gguf") and not is_adapter(Path(reference)):
        return str(Path(reference).resolve()) if Path(reference).exists() else reference
    if not target.is_dir():  # else the run is continued
        policy = load_policy(reference, config.model_copy(update={"load_in_4bit": False}))
        model: Any = policy.model
        if hasattr(model, "merge_and_unload"):
            model = model.merge_and_unload()
        with replacing(target) as draft:
            model.save_pretrained(draft)
            policy.tokenizer.save_pretrained(draft)
    return str(target.resolve())


def end_token_ids(reference: str, tokenizer: PreTrainedTokenizerBase, config: ModelConfig) -> frozenset[int]:
    """Return every token that ends a completion of the model at *reference*, without loading it."""
    from transformers import GenerationConfig  # imports torch

    try:
        declared = GenerationConfig.from_pretrained(reference, trust_remote_code=config.trust_remote_code)
    except OSError:  # the model declares nothing
        declared = None
    return _end_ids(tokenizer, declared)


def checkpoint_dtype(reference: str, config: ModelConfig) -> torch.dtype | None:
    """Return the type of the weights at *reference*, without loading them; None if it is not declared."""
    from transformers import AutoConfig  # imports torch

    try:
        declared = AutoConfig.from_pretrained(reference, trust_remote_code=config.trust_remote_code)
    except (OSError, ValueError):
        return None  # loading it will say why
    dtype: torch.dtype | None = declared.dtype
    return dtype


def context_length(reference: str, config: ModelConfig) -> int | None:
    """Return the tokens that the model at *reference* can read; None if it does not declare that."""
    from transformers import AutoConfig  # imports torch

    try:
        declared = AutoConfig.from_pretrained(reference, trust_remote_code=config.trust_remote_code)
    except (OSError, ValueError):
        return None  # loading it will say why
    return declared_context(declared)


def declared_context(declared: PreTrainedConfig) -> int | None:
    """Return the tokens that a model with this configuration can read; None if it does not say."""
    text = declared.get_text_config()
    names = ("max_position_embeddings", "n_positions")
    positions = next((getattr(text, name) for name in names if getattr(text, name, None)), None)
    if positions is None:
        return None
    scaling = getattr(text, "rope_parameters", None) or {}
    before = scaling.get("original_max_position_embeddings") or positions
    return max(int(positions), int(before * (scaling.get("factor") or 1)))


def _load_model(reference: str, config: ModelConfig) -> PreTrainedModel:
    from transformers import AutoModelForCausalLM  # imports torch

    _check_exists(reference)
    if Path(reference).exists() and not (Path(reference) / "config.json").is_file():
        raise RunError(
            f"{reference} does not hold a model; expected a folder with config.json, a run folder, a "
            ".gguf file, or the id of a model on the hub"
        )
    with readable("model", reference):
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            reference,
            dtype=config.dtype,
            attn_implementation=config.attn_implementation,
            trust_remote_code=config.trust_remote_code,
            **({"quantization_config": four_bit_settings()} if config.load_in_4bit else {}),
        )
    if config.load_in_4bit:
        keep_trainable(model)
    return model


def _load_adapter(folder: Path, config: ModelConfig) -> Policy:
    from peft import PeftModel  # imports torch

    base = base_of_adapter(folder)
    model: Any = _load_model(base, config)
    with readable("adapter", str(folder)):
        model = PeftModel.from_pretrained(model, str(folder))
    has_tokenizer = (folder / "tokenizer_config.json").is_file()
    return Policy(model, load_tokenizer(str(folder) if has_tokenizer else base, config))


def _load_gguf(file: Path, config: ModelConfig) -> Policy:
    import torch  # slow to import
    import transformers  # imports torch

    if not file.is_file():
        raise RunError(f"GGUF file {file} does not exist")
    try:
        import gguf  # noqa: F401 - what transformers reads the file with
    except ImportError as error:
        raise ConfigError("reading a GGUF file needs the package gguf: install saferec[gguf]") from error
    dtype = torch.float32 if config.dtype == "auto" else getattr(torch, config.dtype)
    # Unpacked weights; a model marked as quantized could be neither trained nor saved.
    unpack: Any = {"quantization_config": transformers.GgufConfig(dequantize=True)}
    model = transformers.AutoModelForCausalLM.from_pretrained(
        str(file.parent), gguf_file=file.name, dtype=dtype, **unpack
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(file.parent), gguf_file=file.name)
    return Policy(model, _ready(tokenizer, str(file), config))


def _check_vocabulary(tokenizer: PreTrainedTokenizerBase, reference: str, config: ModelConfig) -> None:
    """Refuse the tokenizer of another model, whose tokens this one has no embeddings for."""
    from transformers import AutoConfig  # imports torch

    try:
        declared = AutoConfig.from_pretrained(reference, trust_remote_code=config.trust_remote_code)
        embedded = getattr(declared.get_text_config(), "vocab_size", None)
    except Exception:  # noqa: BLE001 - an adapter's folder has none; of a damaged one, loading the model says why
        return
    added = tokenizer.added_tokens_decoder  # some models have a token or two that they never read
    last = max((token for token in tokenizer.get_vocab().values() if token not in added), default=0)
    if embedded is not None and last >= embedded:
        raise RunError(
            f"the tokenizer of {reference} has tokens up to number {last}, but its model has embeddings for "
            f"{embedded}: it is the tokenizer of another model"
        )


def _check_exists(reference: str) -> None:
    """Refuse a path to nothing, which transformers would take for the id of a model on the hub."""
    if Path(reference).is_absolute() and not Path(reference).exists():
        raise RunError(f"{reference} does not exist")


_MERGING = (
    "{%- if messages | length > 1 and messages[0].role == 'system' and messages[1].role == 'user' -%}"
    "{%- set messages = [{'role': 'user', 'content': messages[0].content + '\\n\\n' + messages[1].content}]"
    " + messages[2:] -%}{%- endif %}"
)
"""In front of a chat template it merges a system message into the first turn of the user."""


def _ready(
    tokenizer: PreTrainedTokenizerBase, reference: str, config: ModelConfig
) -> PreTrainedTokenizerBase:
    if tokenizer.eos_token_id is None:
        raise RunError(f"the tokenizer of {reference} has no end-of-sequence token")
    if tokenizer.chat_template is None:
        raise RunError(
            f"the tokenizer of {reference} has no chat template; prompts are conversations, so choose an "
            "instruction-tuned model or add a chat_template.jinja"
        )
    template = tokenizer.chat_template
    if config.system == "merge" and isinstance(template, str) and not template.startswith(_MERGING):
        tokenizer.chat_template = _MERGING + template
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "left"
    return tokenizer


def _end_ids(tokenizer: Any, declared: Any) -> frozenset[int]:
    ids = getattr(declared, "eos_token_id", None)
    of_model = ids if isinstance(ids, list) else [] if ids is None else [ids]
    of_template = _end_of_turn(tokenizer, str(tokenizer.chat_template))
    return frozenset({tokenizer.eos_token_id, *of_model, *of_template})


@lru_cache(maxsize=8)
def _end_of_turn(tokenizer: Any, template: str) -> tuple[int, ...]:  # noqa: ARG001 - part of the key
    """Return the special token with which the chat template ends the policy's turns, if it does.

    Of base models it may be another one than the tokenizer's end of sequence: those of Qwen2.5 have
    ``<|im_end|>`` in their template and ``<|endoftext|>`` as the end of a sequence.
    """
    turns = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]
    try:
        text = str(tokenizer.apply_chat_template(turns, tokenize=False))
    except Exception:  # noqa: BLE001 - templates raise what they like; the check of records names it
        return ()
    ids = tokenizer(text[text.rfind("y") + 1 :], add_special_tokens=False)["input_ids"]
    added = getattr(tokenizer, "added_tokens_decoder", {})
    return (ids[0],) if ids and ids[0] in added and added[ids[0]].special else ()
