"""The receiving side of weight transfer by gloo, within the workers of a vLLM server.

vLLM imports this module; saferec does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vllm.distributed.weight_transfer.base import (
    WeightTransferEngine,
    WeightTransferInitInfo,
    WeightTransferUpdateInfo,
)

from saferec_core.models.vllm_cpu.group import WeightGroup

__all__ = ["GlooInit", "GlooUpdate", "GlooWeightTransferEngine"]


@dataclass
class GlooInit(WeightTransferInitInfo):  # type: ignore[misc]  # vLLM is not followed
    """Where the trainer waits for the workers."""

    master_address: str
    master_port: int
    rank_offset: int
    world_size: int


@dataclass
class GlooUpdate(WeightTransferUpdateInfo):  # type: ignore[misc]  # vLLM is not followed
    """What the trainer is about to send, in order."""

    names: list[str]
    dtype_names: list[str]
    shapes: list[list[int]]


class GlooWeightTransferEngine(WeightTransferEngine[GlooInit, GlooUpdate]):  # type: ignore[misc]
    """Receives weights by broadcast from rank 0 and loads them into the model of this worker."""

    init_info_cls = GlooInit
    update_info_cls = GlooUpdate
    _group: WeightGroup | None = None

    def init_transfer_engine(self, init_info: GlooInit) -> None:
        """Join the trainer's group."""
        parallel = self.parallel_config
        rank = init_info.rank_offset + parallel.data_parallel_index * parallel.world_size + parallel.rank
        self._group = WeightGroup(init_info.master_address, init_info.master_port, rank, init_info.world_size)

    def start_weight_update(self) -> None:
        """Prepare nothing: weights are plain."""

    def finish_weight_update(self) -> None:
        """Finish nothing."""

    def update_weights(self, update_info: Any) -> None:
        """Receive and load; vLLM's own method would wait for a GPU."""
        self.receive_weights(self.parse_update_info(update_info))

    def receive_weights(self, update_info: GlooUpdate, load_weights: Any = None) -> None:
        """Receive each tensor and load it."""
        load = load_weights or self.model.load_weights
        assert self._group is not None
        for name, dtype, shape in zip(
            update_info.names, update_info.dtype_names, update_info.shapes, strict=True
        ):
            load([(name, self._group.receive(shape, dtype))])

    def shutdown(self) -> None:
        """Leave the group."""
        self._group = None
