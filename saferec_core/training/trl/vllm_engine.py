"""vLLM as TRL sets it up, in the precision that is trained and, with a server, without a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from traceback import walk_tb
from typing import Any

import torch

from saferec_core.config.schema import TrainConfig
from saferec_core.errors import RunError
from saferec_core.models.vllm import engine_dtype
from saferec_core.models.vllm_cpu.group import WeightGroup
from saferec_core.models.vllm_cpu.memory import engine_settings
from saferec_core.runs.distributed import from_main
from saferec_core.runs.ports import check_port
from saferec_core.training.precision import for_training

__all__ = ["gloo_client", "is_of_server", "serving", "shortened"]


@contextmanager
def serving(config: TrainConfig, start: str) -> Iterator[None]:
    """Have TRL set up vLLM in the right type meanwhile, and send weights by gloo without a GPU.

    TRL has a setting for neither: vLLM's own ``auto`` would round float32 weights to bfloat16, whereupon
    importance ratios measure rounding, and TRL's client sends weights by NCCL.

    Args:
        config: The run.
        start: The policy that it starts from.

    Raises:
        ConfigError: The port for the weights is taken.
        RunError: No server answers.
    """
    rollout = config.rollout
    if not rollout.use_vllm:
        yield
        return
    if rollout.vllm_mode == "server":
        from_main(lambda: check_port(rollout.vllm_group_port, "--vllm-group-port"))
    generation: Any = import_module("trl.generation.vllm_generation")
    engine, client = generation.LLM, generation.VLLMClient
    in_bfloat16 = config.optimization.bf16
    dtype = "bfloat16" if in_bfloat16 else engine_dtype(start, for_training(config.model))
    generation.LLM = partial(engine, dtype=dtype, **engine_settings())
    if not torch.cuda.is_available():
        generation.VLLMClient = gloo_client(client)
    try:
        yield
    except Exception as error:
        address = f"{rollout.vllm_server_host}:{rollout.vllm_server_port}"
        if _is_unreachable(error):
            raise RunError(
                f"no vLLM server answers at {address} after {rollout.vllm_server_timeout:g} s "
                "(--vllm-server-timeout). Start one (docs/scale.md), or name another with --vllm-server-host "
                "and --vllm-server-port"
            ) from error
        if is_of_server(error):
            raise RunError(
                f"what answers at {address} is not a vLLM server that takes weights "
                f"({type(error).__name__}: {shortened(error)}). Start one as docs/scale.md says, or name "
                "another with --vllm-server-host and --vllm-server-port"
            ) from error
        raise
    finally:
        generation.LLM, generation.VLLMClient = engine, client


def is_of_server(error: Exception) -> bool:
    """Tell whether a request to a vLLM server failed, or its answer is not one that TRL's client reads."""
    modules = (frame.f_globals.get("__name__") for frame, _ in walk_tb(error.__traceback__))
    return "trl.generation.vllm_client" in modules


def shortened(error: Exception) -> str:
    """Return the first line of an error; servers answer with whole pages."""
    return str(error).partition("\n")[0][:200]


def _is_unreachable(error: Exception) -> bool:
    """Tell whether a server does not answer: TRL raises the ConnectionError of requests, not Python's own."""
    return any(kind.__name__ == "ConnectionError" for kind in type(error).__mro__)


def gloo_client(base: type[Any]) -> type[Any]:
    """Return TRL's client with weights sent by gloo, to a server with ``{"backend": "gloo"}``."""

    class GlooVLLMClient(base):  # type: ignore[misc]
        """Sends weights through a group of its own."""

        communicator: WeightGroup | None = None

        def init_communicator(self, device: Any = 0) -> None:  # noqa: ARG002 - TRL's signature
            """Join the workers of the server, which wait for the trainer while they answer."""
            init_info = {
                "master_address": "127.0.0.1" if "127.0.0.1" in self.base_url else _own_address(),
                "master_port": self.group_port,
                "rank_offset": 1,
                "world_size": self.get_world_size() + 1,
            }
            url = f"{self.base_url}/init_weight_transfer_engine"
            with ThreadPoolExecutor(max_workers=1) as executor:
                answer = executor.submit(self._post, url, json={"init_info": init_info})
                self.communicator = WeightGroup(
                    init_info["master_address"], self.group_port, 0, init_info["world_size"]
                )
                answer.result()

        def update_named_params(self, metadata: Any, named_params: Any) -> None:
            """Announce tensors, then send them in the same order."""
            assert self.communicator is not None
            names, dtype_names, shapes = (list(field) for field in zip(*metadata, strict=True))
            info = {"names": names, "dtype_names": dtype_names, "shapes": shapes}
            alone = not self._updating_weights
            if alone:  # or a worker refuses the update while this process waits for it
                self._start_weight_update()
            with ThreadPoolExecutor(max_workers=1) as executor:
                url = f"{self.base_url}/update_weights"
                answer = executor.submit(self._post, url, json={"update_info": info})
                for _, tensor in named_params:
                    self.communicator.send(tensor)
                answer.result()
            if alone:
                self._finish_weight_update()

        def close_communicator(self) -> None:
            """Leave the group."""
            self.communicator = None

    return GlooVLLMClient


def _own_address() -> str:
    address: str = import_module("vllm.utils.network_utils").get_ip()
    return address
