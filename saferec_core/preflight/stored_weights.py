"""The weights that a run starts from, as the headers of the checkpoint's files state them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from saferec_core.config.schema import SftConfig, TrainConfig
from saferec_core.errors import SaferecError
from saferec_core.runs.checkpoints import resolve_folder, sft_policy

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["StoredWeight", "model_folder", "stored_weights"]

_LONGEST_HEADER = 100_000_000
"""Bytes, as safetensors has it."""

_PIECES, _PIECE = 8, 256
"""Stretches of a weight that are looked at, and numbers in each."""


class StoredWeight(NamedTuple):
    """One tensor of a checkpoint."""

    name: str
    shape: tuple[int, ...]
    size: int
    """In bytes, as stored."""
    dtype: str
    """As safetensors calls it, such as ``BF16``."""
    file: Path
    start: int
    """Of its first byte in the file."""

    @property
    def number(self) -> int:
        """Numbers in it."""
        return prod(self.shape)

    @property
    def is_linear(self) -> bool:
        """Whether it is the matrix of a linear layer that adapters and four bits are for."""
        inner = self.name.endswith(".weight") and len(self.shape) == 2
        return inner and not any(part in self.name for part in ("embed", "lm_head", "wte", "wpe"))

    def sample(self) -> npt.NDArray[np.float32] | None:
        """Read some of its numbers, evenly spread; None where they are in another type than usual."""
        import numpy as np

        stored = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16}.get(self.dtype)
        if stored is None:
            return None
        width = np.dtype(stored).itemsize
        read = []
        with self.file.open("rb") as file:
            for piece in range(min(_PIECES, -(-self.number // _PIECE))):
                first = piece * (self.number // _PIECES)
                file.seek(self.start + first * width)
                length = min(_PIECE, self.number - first)
                content = file.read(length * width)
                read.append(np.frombuffer(content[: len(content) // width * width], dtype=stored))
        values = np.concatenate(read) if read else np.zeros(0, stored)
        if self.dtype == "BF16":  # the upper half of a float32
            return (values.astype(np.uint32) << 16).view(np.float32)
        return values.astype(np.float32)


def model_folder(config: SftConfig | TrainConfig) -> Path | None:
    """Return the folder of the weights that the run starts from; None if it is not on this machine."""
    try:
        reference = str(config.model.model)
        if isinstance(config, TrainConfig) and config.sft_checkpoint is not None:
            reference = sft_policy(config.sft_checkpoint, config.model.model, config.output_dir)
        folder = Path(resolve_folder(reference))
    except SaferecError:
        return None  # named among the problems
    return folder if (folder / "config.json").is_file() else None


def stored_weights(folder: Path) -> list[StoredWeight]:
    """Return the weights of a checkpoint, read from the headers of its safetensors files.

    None are returned if a header is damaged, such as that of a Git LFS pointer: loading will name the file.
    """
    weights: list[StoredWeight] = []
    for path in sorted(folder.glob("*.safetensors")):
        try:
            weights += _weights_in(path)
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return []
    return weights


def _weights_in(path: Path) -> Iterator[StoredWeight]:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > min(path.stat().st_size, _LONGEST_HEADER):
            raise ValueError(f"no header has {length} bytes")
        header = json.loads(file.read(length))
    for name, facts in header.items():
        if name != "__metadata__":
            first, last = map(int, facts["data_offsets"])
            shape = tuple(map(int, facts["shape"]))
            yield StoredWeight(name, shape, last - first, str(facts["dtype"]), path, 8 + length + first)
