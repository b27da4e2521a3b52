"""Keep torch from computing attention with cuDNN, whose backward pass may give NaN.

On H100 and H200 torch 2.11 and later prefer cuDNN for attention with a mask. Where a sequence has 64 tokens
more than a multiple of 128 and a query attends to nothing (padding) or only to keys of very low scores, the
gradient of the queries is NaN (https://github.com/pytorch/pytorch/issues/196678). Padded prompts of random
lengths meet that every few hundred steps. The other implementations, which torch then chooses from, are not
affected.
"""

from __future__ import annotations

__all__ = ["avoid_cudnn_attention"]


def avoid_cudnn_attention() -> None:
    """Take cuDNN from the implementations that torch's ``scaled_dot_product_attention`` chooses from."""
    import torch  # slow to import

    torch.backends.cuda.enable_cudnn_sdp(False)
