"""A reference policy that is not the one that training starts from, loaded as TRL loads its own.

TRL takes as the reference the policy that it is given or, of adapters, the weights beneath them. It loads
none where the KL has no weight, and scores with ``ref_model`` wherever there is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from accelerate import DistributedType
from trl import GRPOConfig
from trl.models import prepare_deepspeed, prepare_fsdp
from trl.trainer.utils import add_fused_lm_head, create_model_from_path, disable_dropout_in_model

__all__ = ["load_reference", "without_reference"]


@contextmanager
def without_reference(args: GRPOConfig) -> Iterator[None]:
    """Have TRL load no reference meanwhile."""
    beta, args.beta = args.beta, 0.0
    try:
        yield
    finally:
        args.beta = beta


def load_reference(trainer: Any, reference: str, quantization: Any = None) -> None:
    """Measure the KL divergence of a trainer that was set up without a reference from another policy.

    Args:
        trainer: TRL's.
        reference: A folder or an id on the hub.
        quantization: How its weights are quantized, as transformers configures it; None: they are not.
    """
    args, accelerator = trainer.args, trainer.accelerator
    settings = dict(args.model_init_kwargs or {})
    if quantization is not None:
        settings["quantization_config"] = quantization
    if accelerator.distributed_type in {DistributedType.MULTI_GPU, DistributedType.DEEPSPEED}:
        settings["device_map"] = None
    model = create_model_from_path(reference, **settings)
    disable_dropout_in_model(model)
    add_fused_lm_head(model, temperature=args.temperature, cast_lm_head_to_fp32=args.cast_lm_head_to_fp32)
    if trainer.is_deepspeed_enabled:
        model = prepare_deepspeed(model, accelerator)
    elif trainer.is_fsdp_enabled:
        model = prepare_fsdp(model, accelerator)
    else:
        model = accelerator.prepare_model(model, evaluation_mode=True)
    trainer.beta, trainer.ref_model = args.beta, model
