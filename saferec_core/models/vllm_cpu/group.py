"""The process group in which a trainer, rank 0, sends weights to the workers of a vLLM server."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

__all__ = ["WeightGroup"]


class WeightGroup:
    """A gloo group of its own, apart from the one that processes train in."""

    def __init__(
        self, address: str, port: int, rank: int, size: int, *, timeout_seconds: float = 300
    ) -> None:
        """Join the group, and wait for the others."""
        timeout = timedelta(seconds=timeout_seconds)
        self._distributed: Any = import_module("torch.distributed")  # which types only a part of itself
        self._store = self._distributed.TCPStore(address, port, size, is_master=rank == 0, timeout=timeout)
        self._group = self._distributed.ProcessGroupGloo(self._store, rank, size, timeout)

    def send(self, tensor: Tensor) -> None:
        """Send a tensor to all workers.

        Raises:
            ConnectionError: A worker is gone.
        """
        self._broadcast(tensor.detach().cpu().contiguous())

    def receive(self, shape: list[int], dtype: str) -> Tensor:
        """Receive a tensor from the trainer."""
        tensor = torch.empty(shape, dtype=getattr(torch, dtype))
        self._broadcast(tensor)
        return tensor

    def _broadcast(self, tensor: Tensor) -> None:
        options = self._distributed.BroadcastOptions()
        options.rootRank = options.rootTensor = 0
        try:
            self._group.broadcast([tensor], options).wait()
        except RuntimeError as error:  # what gloo raises for every failure
            raise ConnectionError(str(error).partition("\n")[0]) from error
