"""Score the completions of a batch with every prompt computed once, as long as that is exact."""

from __future__ import annotations

import functools
import math
import types
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from accelerate import Accelerator, DistributedType
from jaxtyping import Float, Int
from torch import Tensor
from trl.kernels import ChunkedLogProbFunction

from saferec_core.errors import SaferecError
from saferec_core.models.shared_prefix.attention import SHARED_PREFIX, register_attention, unread_mask
from saferec_core.models.shared_prefix.generation import share_generation
from saferec_core.models.shared_prefix.log_probs import token_log_probs
from saferec_core.models.shared_prefix.packing import PackedGroups, pack, prompt_groups
from saferec_core.models.shared_prefix.support import (
    active_dropout,
    reason_against_sharing,
    without_recomputation,
)
from saferec_core.runs.folder import RunFolder
from saferec_core.runs.observer import Observer

__all__ = [
    "PASSES_AT_ONCE",
    "Scores",
    "SharePrefix",
    "SharedScoring",
    "engine_obstacle",
    "report_sharing",
]

SharePrefix = Literal["auto", "on", "off"]
"""Whether prompts are shared: where possible and worth it, always or else an error, never."""

WORTH_IT = 0.85
"""Largest share of the tokens of plain scoring at which ``auto`` packs a batch."""

TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 2e-2, torch.float16: 4e-3}
"""Mean difference of log-probabilities between shared and plain scoring up to which both count as equal.

That of bfloat16 is twice the largest that was measured (0.0096, 0.5 B weights); see docs/performance.md.
"""

PASSES_AT_ONCE = 4
"""How many micro-batches are scored together where no gradient is wanted.

Such a pass holds the activations of one layer at a time, a training pass those of all layers (or, where they
are recomputed, of one layer and its gradients): by that count it needs no more. A GPU that waits for kernel
launches is given a quarter of them.
"""

VOCABULARY_CHUNK = 8192
"""Entries of the vocabulary that TRL's kernel computes at a time, for up to 4,096 tokens."""


class Scores(NamedTuple):
    """Log-probabilities of the tokens of completions, and their entropies; 0 at padding."""

    log_probs: Float[Tensor, "N C"]
    entropy: Float[Tensor, "N C"]


Plain = Callable[[Int[Tensor, "N L"], Int[Tensor, "N L"], int], Float[Tensor, "N C"]]
"""Scores rows one by one: ``plain(input_ids, attention_mask, completion_width)``."""


@dataclass
class SharedScoring:
    """Scores batches over shared prompts until something rules it out.

    The first batch of every size that was not seen before is scored both ways.
    """

    mode: SharePrefix
    on_fallback: Callable[[str], None] = warnings.warn
    """Called with a message when sharing is given up after training has begun."""
    reason: str | None = None
    """Why prompts are not shared; None: they are."""
    checked: int = 0
    """Tokens up to which packed rows count as compared with plain scoring, a power of 2."""
    largest_difference: float = 0.0
    """Largest mean difference that was seen in such a comparison."""

    def prepare(self, models: list[Any], temperature: float, obstacle: str | None = None) -> None:
        """Make *models* ready to score packed rows, or note why they cannot.

        Args:
            models: The policy and, if it is a model of its own, the reference; without wrappers.
            temperature: What logits are divided by.
            obstacle: A reason against sharing that does not lie in the models.

        Raises:
            SaferecError: They cannot, and the mode is ``on``.
        """
        if self.mode == "off":
            self.reason = "share_prefix is off"
            return
        reasons = (_dropout(model) or reason_against_sharing(model) for model in models)
        reason = obstacle or next(filter(None, reasons), None)
        if reason is not None:
            self.give_up(reason)
            return
        register_attention()
        for model in models:
            model.set_attn_implementation(SHARED_PREFIX)
            _add_packed_forward(model, temperature)
            share_generation(model)

    def give_up(self, reason: str) -> None:
        """Score plainly from now on.

        Raises:
            SaferecError: The mode is ``on``.
        """
        self.reason = reason
        if self.mode == "on":
            raise SaferecError(f"share_prefix is on, but {reason}; set it to auto or off")

    def score(
        self,
        model: Any,
        input_ids: Int[Tensor, "N L"],
        attention_mask: Int[Tensor, "N L"],
        completion_width: int,
        plain: Plain,
    ) -> Scores | None:
        """Score a batch, or return None where it is to be scored plainly.

        Args:
            model: The model, with its wrappers.
            input_ids: Prompts and completions.
            attention_mask: Which of them are tokens.
            completion_width: How many of the last columns hold completions.
            plain: Scores plainly, with the same model and without gradients.
        """
        if self.reason is not None:
            return None
        packed = pack(input_ids, attention_mask, completion_width)
        if packed is None or (self.mode == "auto" and packed.size > WORTH_IT * input_ids.numel()):
            return None
        if packed.size <= self.checked:  # a size that was compared, or smaller
            return _scores(model, packed)
        try:
            scores = _scores(model, packed)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a model does not take, plain scoring may
            self._fall_back(f"the model refuses a packed row ({type(error).__name__}: {error})")
            return None
        with without_recomputation(model):
            difference = _mean_difference(scores.log_probs.detach(), input_ids, attention_mask, plain)
        allowed = TOLERANCE[_precision(model)]
        self.checked = 2 ** math.ceil(math.log2(packed.size))
        self.largest_difference = max(self.largest_difference, difference)
        if not difference <= allowed:  # NaN is not
            self._fall_back(
                f"log-probabilities differ from plain scoring by {difference:.2g} on average "
                f"(allowed: {allowed:g})"
            )
            return None
        return scores

    def _fall_back(self, reason: str) -> None:
        self.give_up(reason)
        self.on_fallback(f"Prompts are no longer shared between their completions: {reason}.")


def report_sharing(sharing: SharedScoring, folder: RunFolder, observer: Observer) -> None:
    """Record in the manifest whether prompts are shared, and notify the user if they are not."""

    def write() -> None:
        state = {"setting": sharing.mode, "shared": sharing.reason is None, "reason": sharing.reason}
        folder.extend_manifest({"shared_prompts": state})

    def fallen_back(message: str) -> None:
        observer.note(message)
        write()

    sharing.on_fallback = fallen_back
    if sharing.mode == "auto" and sharing.reason is not None:
        observer.note(f"Prompts are not shared between their completions: {sharing.reason}.")
    write()


def engine_obstacle(accelerator: Accelerator) -> str | None:
    """Return why the way in which weights are spread over processes forbids sharing; None: it does not.

    Processes may form different numbers of packed rows, and gathering weights needs equally many passes.
    """
    if accelerator.distributed_type == DistributedType.FSDP:
        return "weights are split over processes (FSDP)"
    deepspeed = accelerator.state.deepspeed_plugin
    if deepspeed is not None and deepspeed.zero_stage == 3:
        return "weights are split over processes (DeepSpeed ZeRO-3)"
    return None


def _add_packed_forward(model: Any, temperature: float) -> None:
    """Let the model's forward take ``packed_groups`` and return `Scores` of its completions then."""
    original = model.forward

    @functools.wraps(original)
    def forward(self: Any, *args: Any, packed_groups: PackedGroups | None = None, **kwargs: Any) -> Any:
        if packed_groups is None:
            return original(*args, **kwargs)
        body = self.base_model(*args, packed_groups=packed_groups, use_cache=False, **kwargs)
        hidden = body.last_hidden_state[0].index_select(0, packed_groups.scored)  # (M, D)
        head = self.get_output_embeddings()
        log_probs, entropy = _log_probs(hidden, head, packed_groups.targets, temperature)
        return Scores(packed_groups.unpack(log_probs), packed_groups.unpack(entropy))

    model.forward = types.MethodType(forward, model)


def _log_probs(
    hidden: Float[Tensor, "M D"], head: Any, targets: Int[Tensor, " M"], temperature: float
) -> tuple[Float[Tensor, " M"], Float[Tensor, " M"]]:
    """Use TRL's Triton kernel on a GPU."""
    if hidden.device.type != "cuda":
        return token_log_probs(hidden, head.weight, head.bias, targets, temperature)
    log_probs, entropy, *_ = ChunkedLogProbFunction.apply(
        hidden,
        head.weight,
        head.bias,
        targets,
        temperature,
        VOCABULARY_CHUNK,
        None,
        1.0,
        ("log_probs", "entropy"),
    )
    return log_probs, entropy.detach()


def _scores(model: Any, packed: PackedGroups) -> Scores:
    scores: Scores = model(
        input_ids=packed.token_ids,
        attention_mask=unread_mask(packed.token_ids.device),
        position_ids=packed.position_ids,
        packed_groups=packed,
    )
    return scores


@torch.no_grad()
def _mean_difference(
    log_probs: Float[Tensor, "N C"],
    input_ids: Int[Tensor, "N L"],
    attention_mask: Int[Tensor, "N L"],
    plain: Plain,
) -> float:
    """Return how far shared and plain scoring are apart on average, over the tokens of completions.

    Plain scoring gets one group at a time, without padding before the prompt, since models that count
    positions from the first column are wrong about padded prompts.
    """
    width = input_ids.shape[1] - log_probs.shape[1]
    total, number = 0.0, 0
    prompts, mask = input_ids[:, :width], attention_mask[:, :width]
    for rows in prompt_groups(prompts.cpu().numpy(), mask.cpu().numpy() != 0):
        tokens = attention_mask[rows, width:].bool()
        if not tokens.any():
            continue
        prompt = prompts[rows[0]][mask[rows[0]].bool()].expand(len(rows), -1)
        ids = torch.cat([prompt, input_ids[rows, width:]], dim=1)
        seen = torch.cat([torch.ones_like(prompt), attention_mask[rows, width:]], dim=1)
        difference = (plain(ids, seen, log_probs.shape[1]) - log_probs[rows])[tokens].abs()
        total += difference.sum().item()
        number += difference.numel()
    return total / number


def _precision(model: Any) -> torch.dtype:
    """Return the least precise type that the model computes in."""
    parameter = next(parameter for parameter in model.parameters() if parameter.is_floating_point())
    device = parameter.device.type
    if torch.is_autocast_enabled(device):
        return torch.get_autocast_dtype(device)
    return parameter.dtype if parameter.dtype in TOLERANCE else torch.float32


def _dropout(model: torch.nn.Module) -> str | None:
    name = active_dropout(model)
    return None if name is None else f"dropout is active ({name})"
